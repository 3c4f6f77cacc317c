//! Files of one line a row, whose rows make one order as long as they follow each other under one order id.
//!
//! An order is taken whole or not at all. One row that is refused takes the others of its order with it, before and
//! behind; and a row whose order nobody can tell, the orders on both of its sides. A row that stands apart from the others
//! of its order comes too late for it. People get all of them back.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::limits::{JOINED_ORDERS_REMEMBERED, LINES_PER_ORDER, ROW_BYTES};
use domain::order::{Contact, Draft};
use rust_decimal::Decimal;

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
    seen: Seen,
}

/// The latest orders: of each, what its id hashes to. Memory does not grow with the file, so what is older is forgotten.
#[derive(Default)]
struct Seen {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, order: u64) -> bool {
        if self.young.len() == JOINED_ORDERS_REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        !self.old.contains(&order) && self.young.insert(order)
    }
}

/// An order that may have more lines.
struct Open {
    draft: Draft,
    contact: Contact,
    /// Where its rows are, and what they say.
    rows: Vec<(Place, Vec<u8>)>,
    bytes: usize,
    /// What the first row declares, as long as all others declare the same; and whether each is what its line comes to.
    same_total: Option<Decimal>,
    own_totals: bool,
}

/// An order that is not taken, and may have more rows.
struct Refused {
    /// What its id hashes to. Nothing where nobody can tell: then the next row belongs to it, whatever its id.
    order: Option<u64>,
    /// The line of the row that is to blame.
    line: u64,
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
        let order = order_id.map(hash);
        let may_be = |refused: &mut Refused| match (refused.order, order) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.refused = self.refused.take_if(may_be);
        if let Some(refused) = &mut self.refused {
            refused.order = order;
            order.map(|order| self.seen.insert(order));
            let refusal = asked.err().unwrap_or_else(|| incomplete(refused.line));
            rows.push(reject(place, refusal, original).into());
            return;
        }
        let another = |open: &Open| order_id.is_some_and(|id| id != open.draft.order_id);
        if self.open.as_ref().is_some_and(another) {
            self.close(header, settings, rows);
        }
        let joined = asked.and_then(|asked| match &mut self.open {
            Some(open) => open.join(header, asked, original.len()),
            None => {
                self.begins(order)?;
                self.open = Some(Open {
                    same_total: asked.draft.declared_total,
                    own_totals: Asked::is_own(&asked.draft),
                    draft: asked.draft,
                    contact: asked.contact,
                    rows: Vec::new(),
                    bytes: 0,
                });
                Ok(())
            }
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
                order.map(|order| self.seen.insert(order));
                let line = place.line;
                self.refused = Some(Refused { order, line });
            }
        }
    }

    fn begins(&mut self, order: Option<u64>) -> Result<(), Refusal> {
        if order.is_none_or(|order| self.seen.insert(order)) {
            return Ok(());
        }
        let message = "other rows of this order stand elsewhere, apart from this one";
        Err(Wrong::new(Code::SplitOrder, message).at(""))
    }

    /// The order that is open has no more lines.
    pub fn close(&mut self, header: &Header, settings: &Settings, rows: &mut Vec<Row>) {
        let Some(open) = self.open.take() else { return };
        let continued = open.rows.len() as u64 - 1;
        let total = open.total(header);
        let asked = Asked {
            draft: open.draft,
            contact: open.contact,
        };
        match total.and_then(|()| asked.order(header, settings)) {
            Ok((order, contact)) => rows.push(Row::Order {
                order,
                contact,
                continued,
            }),
            Err(refusal) => {
                let mut own = open.rows.into_iter();
                if let Some((place, original)) = own.next() {
                    rows.push(reject(place, refusal, &original).into());
                    give_back(own, place.line, rows);
                }
            }
        }
    }

    pub fn held_back(&self) -> Option<Place> {
        let (place, _) = self.open.as_ref()?.rows.first()?;
        Some(*place)
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
        if says_total_of_order(header) {
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
        self.own_totals &= Asked::is_own(&more);
        self.same_total = self
            .same_total
            .filter(|total| more.declared_total == Some(*total));
        draft.lines.extend(more.lines);
        let known = std::mem::take(&mut self.contact);
        self.contact = known.updated_by(asked.contact);
        Ok(())
    }

    /// Where all rows declare one and the same total, which is not what their lines come to, it was meant for the
    /// order: summed up, the customer would pay it once for each row.
    fn total(&self, header: &Header) -> Result<(), Refusal> {
        let summed = !says_total_of_order(header);
        match self.same_total {
            Some(total) if summed && self.rows.len() > 1 && !self.own_totals => {
                let name = header.name(Column::LineTotal);
                let message = format!("each row says {total}: is it the line's, or the order's?");
                Err(Wrong::new(Code::RowsDisagree, message).at(name))
            }
            _ => Ok(()),
        }
    }
}

/// Whether each row says what the whole order comes to. Else, what it says is its line's.
fn says_total_of_order(header: &Header) -> bool {
    header.has_any(&[Column::Total, Column::TotalCents])
}

fn hash(order_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    order_id.hash(&mut hasher);
    hasher.finish()
}

/// Rows with nothing wrong about them but the order they belong to.
fn give_back(own: impl IntoIterator<Item = (Place, Vec<u8>)>, blame: u64, rows: &mut Vec<Row>) {
    for (place, original) in own {
        rows.push(reject(place, incomplete(blame), &original).into());
    }
}

fn incomplete(blame: u64) -> Refusal {
    let message =
        format!("line {blame}, of the same order, was rejected, and no order is taken in part");
    Wrong::new(Code::IncompleteOrder, message).at("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::tests::{read, settings};

    /// Each order as `id:lines total`, each reject as `line!code`.
    fn check(header: &str, file: &str, expected: &[&str]) {
        let file = format!("{header}\n{}\n", file.trim().replace(' ', "\n"));
        let rows = read(settings(), [file.as_bytes()]).expect("a file of orders");
        let shown: Vec<String> = rows
            .iter()
            .map(|row| match row {
                Row::Order {
                    order, continued, ..
                } => {
                    assert_eq!(order.lines.len() as u64, continued + 1);
                    format!("{}:{} {}", order.order_id, order.lines.len(), order.total)
                }
                Row::Reject(reject) => format!("{}!{}", reject.line, reject.code.as_str()),
            })
            .collect();
        assert_eq!(shown, expected, "{file}");
    }

    #[test]
    fn an_order_is_taken_whole_or_not_at_all() {
        let header = "order_id,customer_id,sku,qty,price,line_total";
        for (file, expected) in [
            (
                "1,c,A,1,2,2 1,c,B,2,2,4 2,c,A,1,2,2",
                &["1:2 6.00", "2:1 2.00"][..],
            ),
            ("1,c,A,1,2, 1,c,B,2,2,5", &["1:2 7.00"]),
            (
                "1,c,A,1,2,2 1,c,B,x,2,4 2,c,A,1,2,2",
                &["2!incomplete_order", "3!bad_quantity", "2:1 2.00"],
            ),
            (
                "1,c,A,x,2,2 1,c,B,1,2,2 2,c,A,1,2,2",
                &["2!bad_quantity", "3!incomplete_order", "2:1 2.00"],
            ),
            (
                "1,c,A,1,2,2 1,d,B,1,2,2",
                &["2!incomplete_order", "3!rows_disagree"],
            ),
            // Rows that stand apart, of an order that was taken and of one that was not.
            (
                "1,c,A,1,2,2 2,c,A,1,2,2 1,c,B,1,2,2",
                &["1:1 2.00", "2:1 2.00", "4!split_order"],
            ),
            (
                "1,c,A,x,2,2 2,c,A,1,2,2 1,c,B,1,2,2",
                &["2!bad_quantity", "2:1 2.00", "4!split_order"],
            ),
            // A row whose order nobody can tell.
            (
                "1,c,A,1,2,2 oops 2,c,A,1,2,2 2,c,B,1,2,2 3,c,A,1,2,2",
                &[
                    "2!incomplete_order",
                    "3!wrong_cell_count",
                    "4!incomplete_order",
                    "5!incomplete_order",
                    "3:1 2.00",
                ],
            ),
            // The order's total on each of its rows.
            (
                "1,c,A,1,10,30 1,c,B,1,20,30",
                &["2!rows_disagree", "3!incomplete_order"],
            ),
            ("1,c,A,1,10,10 1,c,B,1,10,10", &["1:2 20.00"]),
        ] {
            check(header, file, expected);
        }
        check(
            "order_id,customer_id,sku,qty,price_per_item,total",
            "1,c,A,1,10,30 1,c,B,1,20,30 2,c,A,1,10,9 2,c,A,1,10,8",
            &["1:2 30.00", "4!incomplete_order", "5!rows_disagree"],
        );
        check(
            "order_id,customer_id,sku,qty,total_amount",
            "1,c,A,1,30 1,c,B,1,30 2,c,A,1,10",
            &["2!rows_disagree", "3!incomplete_order", "2:1 10.00"],
        );
    }

    #[test]
    fn the_latest_orders_are_remembered_and_no_more() {
        let mut seen = Seen::default();
        let remembered = JOINED_ORDERS_REMEMBERED as u64;
        assert!((0..3 * remembered).all(|order| seen.insert(order)));
        assert!(!seen.insert(3 * remembered - 1) && !seen.insert(2 * remembered));
        assert!(seen.insert(0));
    }

    #[test]
    fn an_order_has_a_limit_of_rows() {
        let rows = "1,c,A,1,2,2 ".repeat(LINES_PER_ORDER + 1);
        let file = format!("{rows}2,c,A,1,2,2");
        let header = "order_id,customer_id,sku,qty,price,line_total\n";
        let file = format!("{header}{}\n", file.replace(' ', "\n"));
        let rows = read(settings(), [file.as_bytes()]).expect("a file of orders");
        let rejects = rows.iter().filter(|row| matches!(row, Row::Reject(_)));
        assert_eq!(
            (rows.len(), rejects.count()),
            (LINES_PER_ORDER + 2, LINES_PER_ORDER + 1)
        );
    }
}
