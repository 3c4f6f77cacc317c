//! What a file of orders looks like. Decided once, from the header; the rows have no say.
//!
//! There is no list of known files. A header answers four questions, each by itself: what names an order, what names
//! its customer, where its lines stand, and who prices them.

use crate::columns::{Column, Header, speaks_of_an_order, speaks_of_price};
use crate::file_error::{FileCode, FileError};

/// Every column that an order file can have.
pub(crate) const COLUMNS: [Column; 18] = [
    Column::OrderId,
    Column::CustomerId,
    Column::CustomerName,
    Column::Email,
    Column::Phone,
    Column::Address,
    Column::Sku,
    Column::ProductName,
    Column::Quantity,
    Column::UnitPrice,
    Column::UnitPriceCents,
    Column::ItemPrice,
    Column::LineTotal,
    Column::Currency,
    Column::OrderDate,
    Column::Total,
    Column::TotalCents,
    Column::Items,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Without a column for it, the order's id is made of the file's content and the row.
    pub has_order_id: bool,
    /// Without a column for it, the customer is known by the mail address.
    pub has_customer_id: bool,
    pub lines: Lines,
    /// Where an order's total stands, or its lines' totals.
    pub total: Option<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// All lines of an order in one cell.
    Items,
    /// One line a row.
    Row {
        /// Where products are named and not numbered, the name is the SKU.
        sku: Column,
        /// None: the catalog knows.
        price: Option<Column>,
        /// Rows of one order that follow each other are its lines.
        joined: bool,
    },
}

impl Layout {
    pub fn of(header: &Header) -> Result<Layout, FileError> {
        let mut missing = Vec::new();
        let has_customer_id = header.has(Column::CustomerId);
        if !has_customer_id && !header.has(Column::Email) {
            missing.push("customer_id or customer_email");
        }
        let sku = [Column::Sku, Column::ProductName]
            .into_iter()
            .find(|column| header.has(*column));
        if !header.has(Column::Items) {
            if sku.is_none() {
                missing.push("items, or a sku or product_name");
            }
            if !header.has(Column::Quantity) {
                missing.push("quantity");
            }
        }
        if !missing.is_empty() {
            let message = format!(
                "a file of orders, but missing: {}; found: {}",
                missing.join("; "),
                header.found()
            );
            return Err(FileError::new(FileCode::MissingColumn, message));
        }
        let has_order_id = header.has(Column::OrderId);
        let nameless = header.unknown().find(|name| speaks_of_an_order(name));
        if let Some(name) = nameless.filter(|_| !has_order_id) {
            let message = format!(
                "the column {name:?} seems to name the orders, under a name that is not known: call it order_id"
            );
            return Err(FileError::new(FileCode::MissingColumn, message));
        }
        let in_rows = sku.filter(|_| !header.has(Column::Items));
        let lines = match in_rows {
            None => Lines::Items,
            Some(sku) => Lines::Row {
                sku,
                price: price(header)?,
                joined: has_order_id && header.has_any(&[Column::ItemPrice, Column::LineTotal]),
            },
        };
        Ok(Layout {
            has_order_id,
            has_customer_id,
            lines,
            total: total(header)?,
        })
    }

    /// The column that may hold JSON that nobody quoted: the last one, when it holds items.
    pub fn rest(header: &Header) -> Option<usize> {
        header
            .index(Column::Items)
            .filter(|index| index + 1 == header.len())
    }
}

fn price(header: &Header) -> Result<Option<Column>, FileError> {
    let columns = [Column::UnitPrice, Column::ItemPrice, Column::UnitPriceCents];
    let price = one_of(header, &columns)?;
    if price.is_some() {
        return Ok(price);
    }
    // Taken for a file without prices, it would be charged at the catalog's.
    let price = header.unknown().find(|name| speaks_of_price(name));
    match price {
        None => Ok(None),
        Some(name) => {
            let message = format!(
                "the column {name:?} seems to hold prices, under a name that is not known: call it unit_price"
            );
            Err(FileError::new(FileCode::MissingColumn, message))
        }
    }
}

/// What is said of the order as a whole comes before what is said of its lines.
fn total(header: &Header) -> Result<Option<Column>, FileError> {
    let of_order = one_of(header, &[Column::Total, Column::TotalCents])?;
    Ok(of_order.or(Some(Column::LineTotal).filter(|column| header.has(*column))))
}

/// The one column of these that is there.
fn one_of(header: &Header, columns: &[Column]) -> Result<Option<Column>, FileError> {
    let mut found = columns.iter().filter(|column| header.has(**column));
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => {
            let message = format!(
                "the columns {:?} and {:?} both mean {}",
                header.name(*one),
                header.name(*other),
                columns[0].name()
            );
            Err(FileError::new(FileCode::DuplicateColumn, message))
        }
        (one, _) => Ok(one.copied()),
    }
}
