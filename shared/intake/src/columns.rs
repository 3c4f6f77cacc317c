//! What the columns of a file may be called, in one table, and the header in which they are found.
//!
//! Order and letter case of the columns do not matter, and columns that nobody asked for are ignored.

use domain::limits::CELLS_PER_ROW;

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
    UnitPriceCents,
    ItemPrice,
    LineTotal,
    Currency,
    OrderDate,
    Total,
    TotalCents,
    Items,
    Stock,
}

/// The first name is the one that the domain and the messages use. A name may stand for two columns as long as
/// no kind of file has both: `name` is a product in a catalog and a customer in an order file.
#[rustfmt::skip]
pub(crate) const NAMES: [(Column, &[&str]); 19] = [
    (Column::OrderId, &["order_id", "order_no", "order_nr", "order_number", "order", "order_ref", "order_reference", "external_ref", "external_id"]),
    (Column::CustomerId, &["customer_id", "customer_no", "customer_number", "client_id", "user_id"]),
    (Column::CustomerName, &["customer_name", "customer", "client_name", "full_name", "name"]),
    (Column::Email, &["customer_email", "email", "e_mail", "email_address", "mail"]),
    (Column::Phone, &["customer_phone", "phone", "phone_number", "telephone", "mobile"]),
    (Column::Address, &["address", "customer_address", "shipping_address", "delivery_address"]),
    (Column::Sku, &["sku", "product_sku", "item_sku", "product_code", "product_id", "item_code"]),
    (Column::ProductName, &["product_name", "product", "item_name", "item", "name", "title"]),
    (Column::Quantity, &["quantity", "qty", "units"]),
    (Column::UnitPrice, &["unit_price", "price", "product_price"]),
    (Column::UnitPriceCents, &["unit_price_cents", "price_cents"]),
    (Column::ItemPrice, &["price_per_item", "price_each"]),
    (Column::LineTotal, &["line_total", "line_amount", "total_amount"]),
    (Column::Currency, &["currency", "currency_code"]),
    (Column::OrderDate, &["order_date", "ordered_at", "date", "created_at"]),
    (Column::Total, &["total", "order_total", "grand_total", "total_price"]),
    (Column::TotalCents, &["total_cents", "order_total_cents", "amount_cents"]),
    (Column::Items, &["items", "line_items", "order_items", "products"]),
    (Column::Stock, &["stock", "stocked", "in_stock", "available"]),
];

/// Each column with all of its names, for whoever explains them.
pub fn names() -> impl Iterator<Item = &'static [&'static str]> {
    NAMES.iter().map(|(_, names)| *names)
}

impl Column {
    pub fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    /// The table has them in the sequence of the columns.
    fn names(self) -> &'static [&'static str] {
        NAMES[self as usize].1
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
    found: [Option<usize>; NAMES.len()],
}

impl Header {
    /// An error comes with the number of columns that were known all the same.
    pub fn read(record: &Record<'_>, wanted: &[Column]) -> Result<Header, (usize, FileError)> {
        let names = names_of(record).ok_or_else(|| (0, FileError::not_text(record.original)))?;
        let mut found = [None; NAMES.len()];
        let mut twice = None;
        for (index, name) in names.iter().enumerate() {
            let plain = plain(name);
            let column = wanted
                .iter()
                .find(|column| column.names().contains(&plain.as_str()));
            let Some(&column) = column else { continue };
            match found[column as usize] {
                None => found[column as usize] = Some(index),
                Some(first) => twice = Some((column, first, index)),
            }
        }
        let header = Header { names, found };
        let known = header.known();
        if header.len() > CELLS_PER_ROW {
            let message = format!("{} columns are more than {CELLS_PER_ROW}", header.len());
            return Err((known, FileError::new(FileCode::TooManyColumns, message)));
        }
        if let Some((column, first, second)) = twice {
            let (first, second) = (header.name_at(first), header.name_at(second));
            let meaning = column.name();
            let message = format!("the columns {first:?} and {second:?} both mean {meaning}");
            return Err((known, FileError::new(FileCode::DuplicateColumn, message)));
        }
        Ok(header)
    }

    /// How many columns were found.
    pub fn known(&self) -> usize {
        self.found.iter().flatten().count()
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn index(&self, column: Column) -> Option<usize> {
        self.found[column as usize]
    }

    pub fn has(&self, column: Column) -> bool {
        self.index(column).is_some()
    }

    pub fn has_any(&self, columns: &[Column]) -> bool {
        columns.iter().any(|column| self.has(*column))
    }

    /// The names of the columns that nothing is known of.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let known = |index| self.found.contains(&Some(index));
        let names = self.names.iter().enumerate();
        names
            .filter(move |(index, _)| !known(*index))
            .map(|(_, name)| name.as_str())
    }

    pub fn name_at(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// What the file calls the column.
    pub fn name(&self, column: Column) -> &str {
        self.index(column)
            .map_or(column.name(), |index| self.name_at(index))
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
            .filter(|column| self.has(*column))
            .or_else(|| Some(Column::Items).filter(|column| self.has(*column)));
        let name = column.map_or(error.field(), |column| self.name(column));
        Wrong::from(error).at(name)
    }

    pub fn check_count(&self, cells: usize) -> Result<(), Refusal> {
        if cells == self.len() {
            return Ok(());
        }
        if cells > CELLS_PER_ROW {
            let message = format!("{cells} cells are more than {CELLS_PER_ROW}");
            return Err(Wrong::new(Code::TooManyCells, message).at(""));
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
            let odd = |character: char| character.is_control() && !character.is_whitespace();
            (!name.contains(odd)).then(|| name.to_owned())
        })
        .collect()
}

/// Whether an unknown name seems to be one of a price. Where nothing else has prices, it must not be passed over.
pub(crate) fn speaks_of_price(name: &str) -> bool {
    const PARTS: [&str; 3] = ["price", "cost", "amount"];
    const WORDS: [&str; 3] = ["cents", "rate", "total"];
    let name = plain(name);
    PARTS.iter().any(|part| name.contains(part))
        || name.split('_').any(|word| WORDS.contains(&word))
}

/// Whether an unknown name seems to be one of an order's id. Passed over, the order would not be known again.
pub(crate) fn speaks_of_an_order(name: &str) -> bool {
    let name = plain(name);
    let words: Vec<&str> = name.split('_').collect();
    matches!(
        words[..],
        ["id"] | ["reference"] | ["ref"] | ["po", ..] | ["order" | "orders" | "orderid", ..]
    ) || name.starts_with("orderno")
        || name.starts_with("ordernumber")
}

/// Lower case, with one underscore for whatever stands between two words.
pub(crate) fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut before = None;
    for character in name.chars() {
        let begins_word = character.is_uppercase() && before.is_some_and(char::is_lowercase);
        if begins_word || !character.is_alphanumeric() {
            plain.push('_');
        }
        if character.is_alphanumeric() {
            plain.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    let words = plain.split('_').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::Parser;
    use crate::record::Found;
    use crate::splitter::Splitter;

    fn header(line: &str) -> Result<Header, FileError> {
        let wanted = [Column::OrderId, Column::Sku, Column::Email];
        let mut splitter = Splitter::new(Parser::new(b',', None));
        splitter.push(line.as_bytes());
        splitter.finish();
        match splitter.next() {
            Some(Found::Record(record)) => {
                Header::read(&record, &wanted).map_err(|(_, error)| error)
            }
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
            "\"Product\nSKU\",Order\u{a0}ID",
            "productSku,orderId",
            "Product.SKU,Order No.",
            "\u{feff}SKU*,Order#",
        ] {
            let header = header(line).expect(line);
            assert!(header.has(Column::OrderId) && header.has(Column::Sku));
            assert!(!header.has_any(&[Column::Email, Column::Phone]));
        }
        let header = header("x, Product SKU").expect("a header");
        assert_eq!(header.name(Column::Sku), "Product SKU");
        assert_eq!(header.name(Column::Email), "customer_email");
        assert_eq!(header.found(), "x, Product SKU");
        assert_eq!(header.unknown().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_header_that_says_a_thing_twice_or_is_no_text_is_refused() {
        let wide = format!("sku,{}", "x,".repeat(CELLS_PER_ROW));
        for (line, code) in [
            ("sku,order_id,product_sku", FileCode::DuplicateColumn),
            ("sku,SKU", FileCode::DuplicateColumn),
            ("sku,order\0id", FileCode::NotCsv),
            (&wide, FileCode::TooManyColumns),
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
        for (index, (column, names)) in NAMES.into_iter().enumerate() {
            assert_eq!((column as usize, column.name()), (index, names[0]));
            assert!(names.iter().all(|name| plain(name) == *name));
        }
    }
}
