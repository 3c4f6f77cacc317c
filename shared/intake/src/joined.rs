//! Files of one line a row, whose rows make one order as long as they follow each other under one order id.
//!
//! An order is taken whole or not at all. One row that is refused takes the others of its order with it, before and
//! behind; and a row whose order nobody can tell, the orders on both of its sides. People get all of them back.

use domain::limits::{LINES_PER_ORDER, ROW_BYTES};
use domain::order::{Contact, Draft};
use serde::{Deserialize, Serialize};

use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::order_row::Asked;
use crate::reader::{Row, Settings};
use crate::record::{Found, Place};
use crate::table::reject;

#[derive(Default)]
pub(crate) struct Joined {
    open: Option<Open>,
    refused: Option<Refused>,
}

/// An order that may have more lines.
struct Open {
    draft: Draft,
    contact: Contact,
    /// Where its rows are, and what they say.
    rows: Vec<(Place, Vec<u8>)>,
    bytes: usize,
}

/// An order that is not taken, and may have more rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    /// Nothing where nobody can tell: then the next row belongs to it, whatever its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// The line of the row that is to blame.
    line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// A row: as it was found, under which order id, and what it asks for.
type Line<'a> = (&'a Found<'a>, Option<&'a str>, Result<Asked, Refusal>);

impl Joined {
    pub fn take(
        &mut self,
        header: &Header,
        settings: &Settings,
        (found, order_id, asked): Line<'_>,
        rows: &mut Vec<Row>,
    ) {
        let (place, original) = (found.place(), found.original());
        let may_be = |refused: &mut Refused| match (&refused.order_id, order_id) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.refused = self.refused.take_if(may_be);
        if let Some(refused) = &mut self.refused {
            refused.order_id = order_id.map(str::to_owned);
            let refusal = asked.err().unwrap_or_else(|| incomplete(refused.line));
            rows.push(reject(place, refusal, original).into());
            return;
        }
        let another = |open: &Open| order_id.is_some_and(|id| id != open.draft.order_id);
        if self.open.as_ref().is_some_and(another) {
            self.close(header, settings, rows);
        }
        let joined = asked.and_then(|asked| match &mut self.open {
            None => {
                self.open = Some(Open {
                    draft: asked.draft,
                    contact: asked.contact,
                    rows: Vec::new(),
                    bytes: 0,
                });
                Ok(())
            }
            Some(open) => open.join(header, asked, original.len()),
        });
        match (joined, &mut self.open) {
            (Ok(()), Some(open)) => {
                open.bytes += original.len();
                open.rows.push((place, original.to_vec()));
            }
            (Ok(()), None) => {}
            (Err(refusal), _) => {
                if let Some(open) = self.open.take() {
                    give_back(open.rows, place.line, rows);
                }
                rows.push(reject(place, refusal, original).into());
                self.refused = Some(Refused {
                    order_id: order_id.map(str::to_owned),
                    line: place.line,
                });
            }
        }
    }

    /// The order that is open has no more lines.
    pub fn close(&mut self, header: &Header, settings: &Settings, rows: &mut Vec<Row>) {
        let Some(open) = self.open.take() else { return };
        let continued = open.rows.len() as u64 - 1;
        let asked = Asked {
            draft: open.draft,
            contact: open.contact,
        };
        match asked.order(header, settings) {
            Ok((order, contact)) => rows.push(Row::Order {
                order,
                contact,
                continued,
            }),
            Err(refusal) => {
                let mut own = open.rows;
                let others = own.split_off(1);
                for (place, original) in own {
                    rows.push(reject(place, refusal.clone(), &original).into());
                    give_back(others.clone(), place.line, rows);
                }
            }
        }
    }

    pub fn held_back(&self) -> Option<Place> {
        let (place, _) = self.open.as_ref()?.rows.first()?;
        Some(*place)
    }

    pub fn memory(&self) -> Memory {
        Memory {
            refused: self.refused.clone(),
        }
    }

    pub fn remember(&mut self, memory: Memory) {
        self.refused = memory.refused;
    }
}

impl Open {
    fn join(&mut self, header: &Header, asked: Asked, bytes: usize) -> Result<(), Refusal> {
        let (draft, more) = (&mut self.draft, asked.draft);
        let disagree = |column: Column| {
            let first = self.rows.first().map_or(0, |(place, _)| place.line);
            let name = header.name(column);
            let message = format!("{name} is another one than in line {first}, of the same order");
            Err(Wrong::new(Code::RowsDisagree, message).at(name))
        };
        if more.customer_id != draft.customer_id {
            return disagree(Column::CustomerId);
        }
        if more.currency != draft.currency {
            return disagree(Column::Currency);
        }
        if self.rows.len() == LINES_PER_ORDER || self.bytes + bytes > ROW_BYTES {
            let message = format!("more than {LINES_PER_ORDER} rows, or {ROW_BYTES} bytes");
            return Err(Wrong::new(Code::TooManyItems, message).at(""));
        }
        if header.has(Column::Total) || header.has(Column::TotalCents) {
            if more.declared_total != draft.declared_total {
                return disagree(Column::Total);
            }
        } else if let (Some(sum), Some(more)) = (draft.declared_total, more.declared_total) {
            let sum = sum.checked_add(more).ok_or_else(|| {
                Wrong::new(Code::AmountTooLarge, "the amount is too large")
                    .at(header.name(Column::LineTotal))
            })?;
            draft.declared_total = Some(sum);
        }
        draft.lines.extend(more.lines);
        let known = std::mem::take(&mut self.contact);
        self.contact = known.updated_by(asked.contact);
        Ok(())
    }
}

/// Rows with nothing wrong about them but the order they belong to.
fn give_back(own: Vec<(Place, Vec<u8>)>, blame: u64, rows: &mut Vec<Row>) {
    for (place, original) in own {
        rows.push(reject(place, incomplete(blame), &original).into());
    }
}

fn incomplete(blame: u64) -> Refusal {
    let message =
        format!("line {blame}, of the same order, was rejected, and no order is taken in part");
    Wrong::new(Code::IncompleteOrder, message).at("")
}
