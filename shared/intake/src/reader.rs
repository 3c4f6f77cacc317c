//! Files of orders: the settings they are read with, and what comes out.

use std::collections::BTreeMap;

use domain::money::Currency;
use domain::order::{Contact, Order, TotalPolicy};
use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::columns::{Column, Header};
use crate::file_error::FileError;
use crate::items;
use crate::joined::Joined;
use crate::layout::{self, Layout, Lines};
use crate::order_row::{self, Naming};
use crate::record::{self, Found, Place};
use crate::rejects::Reject;
use crate::table::{Meaning, Step, Table, cells, reject};
use crate::values::Currencies;

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For files, and rows, that name no currency.
    pub default_currency: Currency,
    pub total_policy: TotalPolicy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Order {
        order: Order,
        contact: Contact,
        /// Rows behind its first that are lines of it.
        continued: u64,
    },
    Reject(Reject),
}

impl From<Reject> for Row {
    fn from(reject: Reject) -> Row {
        Row::Reject(reject)
    }
}

/// Reads one file. After an error it answers with that error only: nothing more of such a file may be imported.
pub struct Reader {
    table: Table<Orders>,
}

/// Where a reader is in a file, for another one to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(record::Mark);

impl Mark {
    /// Bytes of text before it.
    pub fn offset(&self) -> u64 {
        self.0.place.offset
    }
}

impl Reader {
    /// `content` is the name of the file's content, where an earlier reader asked for it.
    pub fn new(settings: Settings, content: Option<String>) -> Reader {
        Reader {
            table: Table::new(Orders {
                settings,
                currencies: Currencies::new(settings.default_currency),
                content,
                joined: Joined::default(),
                names: None,
            }),
        }
    }

    /// Remembers from here on what the file calls each product. Orders do not carry it.
    pub fn keep_product_names(&mut self) {
        self.table.meaning_mut().names = Some(BTreeMap::new());
    }

    /// What the file calls its products, by SKU: of each, the first name.
    pub fn product_names(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.table.meaning().names.as_ref().unwrap_or(&NONE)
    }

    /// Goes on where another reader of this file was. To be called before the first piece, which is the file's first.
    pub fn resume(&mut self, mark: Mark) {
        self.table.resume(mark.0);
    }

    /// Takes the next piece of the file, of any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.table.push(bytes);
    }

    /// The file has ended.
    pub fn end(&mut self) {
        self.table.end();
    }

    /// Reads on, by one row at most.
    pub fn step(&mut self, rows: &mut Vec<Row>) -> Result<Step, FileError> {
        self.table.step(rows)
    }

    /// Where it is between two steps: nothing before the header is known.
    pub fn mark(&mut self) -> Option<Mark> {
        self.table.mark().map(Mark)
    }

    /// The header as it stands in the file and the line in which it begins, once it is known.
    pub fn header(&self) -> Option<(&[u8], u64)> {
        self.table.header()
    }

    /// Bytes of text so far: expanded, and in UTF-8.
    pub fn text_bytes(&self) -> u64 {
        self.table.text_bytes()
    }

    /// Where in the file the next piece may start, so that what was read before need not be read again. After this call
    /// it has to start there.
    pub fn jump(&mut self) -> Option<u64> {
        self.table.jump()
    }
}

struct Orders {
    settings: Settings,
    currencies: Currencies,
    content: Option<String>,
    joined: Joined,
    /// Of products, where they are asked for.
    names: Option<BTreeMap<String, String>>,
}

impl Orders {
    fn keep_names(&mut self, layout: &Layout, cells: &Cells<'_>) {
        let Some(names) = &mut self.names else {
            return;
        };
        let name = cells.text(Column::ProductName);
        let found = match layout.lines {
            Lines::Items => items::names(cells.text(Column::Items)),
            Lines::Row { sku, .. } => vec![(cells.text(sku).to_owned(), name.to_owned())],
        };
        for (sku, name) in found.into_iter().filter(|(_, name)| !name.is_empty()) {
            names.entry(sku).or_insert(name);
        }
    }
}

impl Meaning for Orders {
    type Layout = Layout;
    type Item = Row;

    fn columns(&self) -> &'static [Column] {
        &layout::COLUMNS
    }

    fn lay_out(&self, header: &Header) -> Result<Layout, FileError> {
        Layout::of(header)
    }

    fn rest(&self, header: &Header) -> Option<usize> {
        Layout::rest(header)
    }

    fn needs_content(&self, layout: &Layout) -> bool {
        !layout.has_order_id && self.content.is_none()
    }

    fn read(&mut self, header: &Header, layout: &Layout, found: &Found<'_>, rows: &mut Vec<Row>) {
        let cells = cells(header, found);
        if let Ok(cells) = &cells {
            self.keep_names(layout, cells);
        }
        let place = found.place();
        let naming = Naming {
            row: place.row,
            content: self.content.as_deref().unwrap_or_default(),
        };
        let settings = &self.settings;
        let currencies = &mut self.currencies;
        if let Lines::Row { joined: true, .. } = layout.lines {
            let order_id = cells.as_ref().ok().map(|cells| cells.text(Column::OrderId));
            let order_id = order_id.filter(|id| !id.is_empty());
            let asked =
                cells.and_then(|cells| order_row::read(header, layout, naming, &cells, currencies));
            self.joined
                .take(header, settings, (found, order_id, asked), rows);
            return;
        }
        let row = cells
            .and_then(|cells| order_row::read(header, layout, naming, &cells, currencies))
            .and_then(|asked| asked.order(header, settings));
        rows.push(match row {
            Ok((order, contact)) => Row::Order {
                order,
                contact,
                continued: 0,
            },
            Err(refusal) => reject(place, refusal, found.original()).into(),
        });
    }

    fn end(&mut self, header: &Header, rows: &mut Vec<Row>) {
        self.joined.close(header, &self.settings, rows);
    }

    fn held_back(&self) -> Option<Place> {
        self.joined.held_back()
    }

    fn looks_back(&self, layout: &Layout) -> bool {
        matches!(layout.lines, Lines::Row { joined: true, .. })
    }
}

#[cfg(test)]
pub(crate) mod tests;
