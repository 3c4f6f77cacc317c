//! Which shape a file of orders has. Decided once, from the header; the rows have no say.

use crate::columns::{Column, Header};
use crate::file_error::{FileCode, FileError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An order a row, with one product.
    OneSku,
    /// An order a row, with a JSON list of items.
    ItemsJson,
}

/// Every column that an order file of any shape can have.
pub(crate) const COLUMNS: [Column; 13] = [
    Column::OrderId,
    Column::CustomerId,
    Column::CustomerName,
    Column::Email,
    Column::Phone,
    Column::Address,
    Column::Sku,
    Column::Quantity,
    Column::UnitPrice,
    Column::Currency,
    Column::OrderDate,
    Column::Total,
    Column::Items,
];

impl Shape {
    pub fn of(header: &Header) -> Result<Shape, FileError> {
        for shape in [Shape::ItemsJson, Shape::OneSku] {
            if header.missing(shape.telling()).is_empty() {
                let missing = header.missing(shape.needed());
                return if missing.is_empty() {
                    Ok(shape)
                } else {
                    Err(shape.lacks(header, &missing))
                };
            }
        }
        let lacks = |shape: Shape| header.missing(shape.needed()).join(", ");
        Err(FileError::new(
            FileCode::MissingColumn,
            format!(
                "neither one product a row (missing: {}) nor a list of items a row (missing: {}); found: {}",
                lacks(Shape::OneSku),
                lacks(Shape::ItemsJson),
                header.found()
            ),
        ))
    }

    /// The columns that tell this shape from others.
    fn telling(self) -> &'static [Column] {
        match self {
            Shape::OneSku => &[Column::Sku, Column::Quantity, Column::UnitPrice],
            Shape::ItemsJson => &[Column::Items],
        }
    }

    fn needed(self) -> &'static [Column] {
        match self {
            Shape::OneSku => &[
                Column::OrderId,
                Column::CustomerId,
                Column::Sku,
                Column::Quantity,
                Column::UnitPrice,
            ],
            Shape::ItemsJson => &[Column::OrderId, Column::CustomerId, Column::Items],
        }
    }

    fn lacks(self, header: &Header, missing: &[&str]) -> FileError {
        let what = match self {
            Shape::OneSku => "one product a row",
            Shape::ItemsJson => "a list of items a row",
        };
        FileError::new(
            FileCode::MissingColumn,
            format!(
                "{what}, but missing: {}; found: {}",
                missing.join(", "),
                header.found()
            ),
        )
    }
}
