//! A catalog file, `sku,name,price,stock[,currency]`, to products with a price and a stock.

use std::collections::HashMap;

use domain::catalog::check_name;
use domain::limits::{PRODUCTS_PER_CATALOG, UNITS_IN_STOCK};
use domain::money::{Currency, Money};
use domain::order::check_key;

use crate::cells::Cells;
use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::file_error::{FileCode, FileError};
use crate::record::{Found, Place};
use crate::rejects::Reject;
use crate::table::{Meaning, Step, Table, cells, reject};
use crate::values;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    pub sku: String,
    pub name: String,
    pub price: Money,
    pub stock: u64,
    /// Where it stands in the file, for one that is refused later.
    pub(crate) origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    line: u64,
    row: u64,
    stock_column: String,
    original: Vec<u8>,
}

impl CatalogRow {
    /// The stock that the product has already leaves no room for this row.
    pub fn over_the_limit(self) -> Reject {
        let Origin {
            line,
            row,
            stock_column,
            original,
        } = self.origin;
        Reject {
            line,
            row,
            code: Code::BadStock,
            column: stock_column,
            message: format!("with these, more than {UNITS_IN_STOCK} units would be in stock"),
            original,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogItem {
    Product(CatalogRow),
    Reject(Reject),
}

impl From<Reject> for CatalogItem {
    fn from(reject: Reject) -> CatalogItem {
        CatalogItem::Reject(reject)
    }
}

pub struct CatalogReader {
    table: Table<Products>,
}

impl CatalogReader {
    pub fn new(default_currency: Currency) -> CatalogReader {
        CatalogReader {
            table: Table::new(Products {
                default_currency,
                lines: HashMap::new(),
            }),
        }
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
    pub fn step(&mut self, items: &mut Vec<CatalogItem>) -> Result<Step, FileError> {
        self.table.step(items)
    }
}

struct Products {
    default_currency: Currency,
    /// In which line each SKU stands.
    lines: HashMap<String, u64>,
}

const NEEDED: [Column; 4] = [
    Column::Sku,
    Column::ProductName,
    Column::UnitPrice,
    Column::Stock,
];

impl Meaning for Products {
    type Layout = ();
    type Item = CatalogItem;

    fn columns(&self) -> &'static [Column] {
        &[
            Column::Sku,
            Column::ProductName,
            Column::UnitPrice,
            Column::Stock,
            Column::Currency,
        ]
    }

    fn lay_out(&self, header: &Header) -> Result<(), FileError> {
        let missing: Vec<_> = NEEDED
            .into_iter()
            .filter(|column| !header.has(*column))
            .map(Column::name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!(
            "a catalog, but missing: {}; found: {}",
            missing.join(", "),
            header.found()
        );
        Err(FileError::new(FileCode::MissingColumn, message))
    }

    fn read(&mut self, header: &Header, (): &(), found: &Found<'_>, items: &mut Vec<CatalogItem>) {
        let place = found.place();
        let product = cells(header, found).and_then(|cells| self.product(header, found, &cells));
        items.push(match product {
            Ok(product) => CatalogItem::Product(product),
            Err(refusal) => reject(place, refusal, found.original()).into(),
        });
    }
}

impl Products {
    fn product(
        &mut self,
        header: &Header,
        found: &Found<'_>,
        cells: &Cells<'_>,
    ) -> Result<CatalogRow, Refusal> {
        let Place { line, row, .. } = found.place();
        let currency = cells
            .read(Column::Currency, values::currency)?
            .unwrap_or(self.default_currency);
        let product = CatalogRow {
            sku: cells.required(Column::Sku, |text| {
                check_key("sku", text)?;
                Ok(text.to_owned())
            })?,
            name: cells.required(Column::ProductName, |text| {
                check_name(text)?;
                Ok(text.to_owned())
            })?,
            price: cells.required(Column::UnitPrice, |text| {
                Ok(Money::new(
                    values::amount_in_cell(text, currency)?,
                    currency,
                )?)
            })?,
            stock: cells.required(Column::Stock, values::stock)?,
            origin: Origin {
                line,
                row,
                stock_column: header.name(Column::Stock).to_owned(),
                original: found.original().to_vec(),
            },
        };
        let refused =
            |code, message: String| Err(Wrong::new(code, message).at(header.name(Column::Sku)));
        if let Some(first) = self.lines.get(&product.sku) {
            let message = format!("line {first} has this product already: which one should hold?");
            return refused(Code::DuplicateSku, message);
        }
        if self.lines.len() == PRODUCTS_PER_CATALOG {
            let message =
                format!("more than {PRODUCTS_PER_CATALOG} products: cut it into several files");
            return refused(Code::TooManyItems, message);
        }
        self.lines.insert(product.sku.clone(), line);
        Ok(product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<Vec<CatalogItem>, FileError> {
        let mut reader = CatalogReader::new("USD".parse().expect("a currency"));
        let mut items = Vec::new();
        reader.push(file.as_bytes());
        reader.end();
        while reader.step(&mut items)? == Step::Row {}
        Ok(items)
    }

    fn origin(file: &str) -> Origin {
        let (header, row) = file.split_once('\n').expect("two lines");
        let is_stock = |name: &&str| name.eq_ignore_ascii_case("stock");
        let column = header.trim().split(',').find(is_stock);
        Origin {
            line: 2,
            row: 1,
            stock_column: column.expect("a column").to_owned(),
            original: row.trim().as_bytes().to_vec(),
        }
    }

    #[test]
    fn products_are_read_by_the_names_of_the_columns() {
        for file in [
            "sku,name,price,stock\nA,Desk,79.9,5\n",
            "Stock,Product Name,SKU,note,Unit Price,Currency\n5,Desk,A,x,79.90,usd",
            "sku,product,price,qty,stock\r\nA,\"Desk\",79.90,1,5\r\n",
        ] {
            let expected = CatalogRow {
                sku: "A".to_owned(),
                name: "Desk".to_owned(),
                price: Money::parse("79.90", "USD".parse().expect("a currency")).expect("a price"),
                stock: 5,
                origin: origin(file),
            };
            assert_eq!(
                read(file),
                Ok(vec![CatalogItem::Product(expected)]),
                "{file}"
            );
        }
    }

    #[test]
    fn bad_rows_are_rejected_one_by_one() {
        for (row, code, column) in [
            ("A,Desk,79.999,5,", Code::AmountTooPrecise, "Price"),
            ("A,Desk,79.90,-1,", Code::BadStock, "Stock"),
            ("A,Desk,79.90,1.5,", Code::BadStock, "Stock"),
            ("A,Desk,79.90,,", Code::MissingValue, "Stock"),
            ("A,Desk,-1,5,", Code::NegativeAmount, "Price"),
            ("A,Desk,10.5,5,JPY", Code::AmountTooPrecise, "Price"),
            ("A,Desk,10,5,XXX", Code::BadCurrency, "Currency"),
            (",Desk,10,5,", Code::MissingValue, "SKU"),
            ("A,,10,5,", Code::MissingValue, "Name"),
            ("A,Desk,10,5", Code::WrongCellCount, ""),
        ] {
            let file = format!("SKU,Name,Price,Stock,Currency\n{row}\nB,Lamp,1,1,\n");
            match &read(&file).expect("a catalog")[..] {
                [CatalogItem::Reject(reject), CatalogItem::Product(_)] => {
                    assert_eq!(
                        (reject.code, reject.column.as_str()),
                        (code, column),
                        "{row}"
                    );
                    assert_eq!((reject.line, reject.row), (2, 1));
                    assert_eq!(reject.original, row.as_bytes());
                }
                other => panic!("{row}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_product_stands_in_a_catalog_once() {
        let items =
            read("sku,name,price,stock\nA,Desk,1,5\nB,Lamp,1,5\nA,Desk,1,7\n").expect("a catalog");
        let codes: Vec<_> = items
            .iter()
            .map(|item| match item {
                CatalogItem::Product(_) => None,
                CatalogItem::Reject(reject) => Some((reject.code, reject.row)),
            })
            .collect();
        assert_eq!(codes, [None, None, Some((Code::DuplicateSku, 3))]);
    }

    #[test]
    fn a_file_without_the_columns_of_a_catalog_is_refused() {
        let error = read("sku,price\nA,1\n").expect_err("refused");
        assert_eq!(error.code, FileCode::MissingColumn);
        assert_eq!(
            error.message,
            "a catalog, but missing: product_name, stock; found: sku, price"
        );
        assert_eq!(
            read("sku,name,price,stock\n").map_err(|error| error.code),
            Err(FileCode::NoRows)
        );
    }
}
