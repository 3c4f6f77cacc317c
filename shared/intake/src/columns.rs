//! What the columns of a file may be called, in one table, and the header in which they are found.
//!
//! Order and letter case of the columns do not matter, and columns that nobody asked for are ignored.

use crate::code::{Code, Refusal, Wrong};
use crate::file_error::{FileCode, FileError};
use crate::record::Record;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    OrderId,
    CustomerId,
    CustomerName,
    Email,
    Phone,
    Address,
    Sku,
    ProductName,
    Quantity,
    UnitPrice,
    Currency,
    OrderDate,
    Total,
    Items,
    Stock,
}

/// The first name is the one that the domain and the messages use. A name may stand for two columns as long as
/// no kind of file has both: `name` is a product in a catalog and a customer in an order file.
#[rustfmt::skip]
const NAMES: [(Column, &[&str]); 15] = [
    (Column::OrderId, &["order_id", "order_no", "order_number", "order"]),
    (Column::CustomerId, &["customer_id", "customer_no", "customer_number", "client_id"]),
    (Column::CustomerName, &["customer_name", "customer", "client_name", "name"]),
    (Column::Email, &["customer_email", "email", "e_mail", "email_address"]),
    (Column::Phone, &["customer_phone", "phone", "phone_number", "telephone"]),
    (Column::Address, &["address", "customer_address", "shipping_address"]),
    (Column::Sku, &["sku", "product_sku", "item_sku", "product_code"]),
    (Column::ProductName, &["product_name", "product", "name", "title"]),
    (Column::Quantity, &["quantity", "qty", "units"]),
    (Column::UnitPrice, &["unit_price", "price", "product_price"]),
    (Column::Currency, &["currency", "currency_code"]),
    (Column::OrderDate, &["order_date", "ordered_at", "date"]),
    (Column::Total, &["total", "order_total"]),
    (Column::Items, &["items", "line_items"]),
    (Column::Stock, &["stock", "stocked", "in_stock", "available"]),
];

impl Column {
    pub fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    fn names(self) -> &'static [&'static str] {
        NAMES
            .iter()
            .find(|(column, _)| *column == self)
            .map_or(&[], |(_, names)| names)
    }

    /// The column of a field of the domain.
    fn of_field(field: &str) -> Option<Column> {
        NAMES
            .iter()
            .find(|(column, _)| column.name() == field)
            .map(|(column, _)| *column)
    }
}

/// The columns of one file: what they are called there, and where the ones that we want stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    names: Vec<String>,
    found: Vec<(Column, usize)>,
}

impl Header {
    pub fn read(record: &Record<'_>, wanted: &[Column]) -> Result<Header, FileError> {
        let names = names_of(record)
            .ok_or_else(|| FileError::new(FileCode::NotCsv, "the first line is not text"))?;
        let mut found: Vec<(Column, usize)> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let plain = plain(name);
            let column = wanted
                .iter()
                .find(|column| column.names().contains(&plain.as_str()));
            let Some(&column) = column else { continue };
            if let Some((_, first)) = found.iter().find(|(other, _)| *other == column) {
                return Err(FileError::new(
                    FileCode::DuplicateColumn,
                    format!(
                        "the columns {:?} and {name:?} both mean {}",
                        names[*first],
                        column.name()
                    ),
                ));
            }
            found.push((column, index));
        }
        Ok(Header { names, found })
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn index(&self, column: Column) -> Option<usize> {
        let (_, index) = self.found.iter().find(|(found, _)| *found == column)?;
        Some(*index)
    }

    pub fn name_at(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// What the file calls the column.
    pub fn name(&self, column: Column) -> &str {
        self.index(column)
            .map_or(column.name(), |index| self.name_at(index))
    }

    pub fn missing(&self, needed: &[Column]) -> Vec<&'static str> {
        needed
            .iter()
            .filter(|column| self.index(**column).is_none())
            .map(|column| column.name())
            .collect()
    }

    /// The names in the file, for a message: as many as people can look through.
    pub fn found(&self) -> String {
        const SHOWN: usize = 40;
        let names: Vec<&str> = self.names.iter().take(SHOWN).map(String::as_str).collect();
        let more = if self.names.len() > SHOWN {
            ", …"
        } else {
            ""
        };
        format!("{}{more}", names.join(", "))
    }

    /// A refusal by the domain, at the column that holds the field: in a list of items, that is the list.
    pub fn refuse(&self, error: domain::order::OrderError) -> Refusal {
        let column = Column::of_field(error.field())
            .filter(|column| self.index(*column).is_some())
            .or(self.index(Column::Items).map(|_| Column::Items));
        let name = column.map_or(error.field(), |column| self.name(column));
        Wrong::from(error).at(name)
    }

    pub fn check_count(&self, cells: usize) -> Result<(), Refusal> {
        if cells == self.len() {
            return Ok(());
        }
        let message = format!("{cells} cells where the header has {}", self.len());
        Err(Wrong::new(Code::WrongCellCount, message).at(""))
    }
}

fn names_of(record: &Record<'_>) -> Option<Vec<String>> {
    let mut start = 0;
    record
        .ends
        .iter()
        .map(|&end| {
            let name = std::str::from_utf8(record.cells.get(start..end)?).ok()?;
            start = end;
            let name = name.trim();
            (!name.contains(char::is_control)).then(|| name.to_owned())
        })
        .collect()
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Found;
    use crate::splitter::Splitter;

    fn header(line: &str) -> Result<Header, FileError> {
        let wanted = [Column::OrderId, Column::Sku, Column::Email];
        let mut splitter = Splitter::new();
        splitter.push(line.as_bytes());
        splitter.finish();
        match splitter.next() {
            Some(Found::Record(record)) => Header::read(&record, &wanted),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn columns_are_found_by_any_of_their_names_in_any_order_and_case() {
        for line in [
            "order_id,sku",
            "SKU , Order_ID",
            "note,Product SKU,,,ORDER-ID",
            "\"sku\",\"order_no\"",
        ] {
            let header = header(line).expect(line);
            assert!(header.missing(&[Column::OrderId, Column::Sku]).is_empty());
            assert_eq!(header.missing(&[Column::Email]), ["customer_email"]);
        }
        let header = header("x, Product SKU").expect("a header");
        assert_eq!(header.name(Column::Sku), "Product SKU");
        assert_eq!(header.name(Column::Email), "customer_email");
        assert_eq!(header.found(), "x, Product SKU");
    }

    #[test]
    fn a_header_that_says_a_thing_twice_or_is_no_text_is_refused() {
        for (line, code) in [
            ("sku,order_id,product_sku", FileCode::DuplicateColumn),
            ("sku,SKU", FileCode::DuplicateColumn),
            ("sku,order\0id", FileCode::NotCsv),
        ] {
            assert_eq!(header(line).expect_err(line).code, code, "{line}");
        }
        assert!(header("sku,note,note").is_ok());
    }

    #[test]
    fn the_table_names_every_field_that_the_domain_complains_about() {
        for field in [
            "order_id",
            "customer_id",
            "sku",
            "quantity",
            "unit_price",
            "total",
            "items",
            "customer_name",
            "customer_email",
            "customer_phone",
            "address",
        ] {
            assert!(Column::of_field(field).is_some(), "{field}");
        }
        for (column, names) in NAMES {
            assert_eq!(column.name(), names[0]);
            assert!(names.iter().all(|name| plain(name) == *name));
        }
    }
}
