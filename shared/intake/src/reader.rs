//! Files of orders: the settings they are read with, and what comes out.

use domain::money::Currency;
use domain::order::{Contact, Order, TotalPolicy};

use crate::cells::Cells;
use crate::code::Refusal;
use crate::columns::{Column, Header};
use crate::file_error::FileError;
use crate::order_row;
use crate::rejects::Reject;
use crate::shape::{self, Shape};
use crate::table::{Meaning, Table};

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For files, and rows, that name no currency.
    pub default_currency: Currency,
    pub total_policy: TotalPolicy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Order { order: Order, contact: Contact },
    Reject(Reject),
}

impl From<Reject> for Row {
    fn from(reject: Reject) -> Row {
        Row::Reject(reject)
    }
}

/// Reads one file. After an error it answers with that error only: nothing of such a file may be imported.
pub struct Reader {
    table: Table<Orders>,
}

impl Reader {
    pub fn new(settings: Settings) -> Reader {
        Reader {
            table: Table::new(Orders { settings }),
        }
    }

    /// Takes the next piece of the file, of any size; pushes the rows that are complete.
    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        self.table.feed(bytes, rows)
    }

    /// The file has ended.
    pub fn finish(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        self.table.finish(rows)
    }
}

struct Orders {
    settings: Settings,
}

impl Meaning for Orders {
    type Layout = Shape;
    type Item = Row;

    fn columns(&self) -> &'static [Column] {
        &shape::COLUMNS
    }

    fn lay_out(&self, header: &Header) -> Result<Shape, FileError> {
        Shape::of(header)
    }

    fn read(
        &self,
        header: &Header,
        shape: &Shape,
        row: u64,
        cells: &Cells<'_>,
    ) -> Result<Row, Refusal> {
        let (order, contact) = order_row::read(header, *shape, row, cells, &self.settings)?;
        Ok(Row::Order { order, contact })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;
    use crate::code::Code;
    use crate::file_error::FileCode;
    use crate::rejects;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    const C1: &[u8] = include_bytes!("../../../events/orders-c1.csv");
    const C2: &[u8] = include_bytes!("../../../events/orders-c2.csv");
    const WITH_REJECTS: &[u8] = include_bytes!("../../../events/orders-with-rejects.csv");

    pub(crate) fn settings() -> Settings {
        Settings {
            default_currency: "USD".parse().expect("a currency"),
            total_policy: TotalPolicy::Declared,
        }
    }

    pub(crate) fn read<'a>(
        settings: Settings,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Row>, FileError> {
        let mut reader = Reader::new(settings);
        let mut rows = Vec::new();
        for piece in pieces {
            reader.feed(piece, &mut rows)?;
        }
        reader.finish(&mut rows)?;
        Ok(rows)
    }

    fn orders(file: &[u8]) -> Vec<Order> {
        let rows = read(settings(), [file]).expect("a file of orders");
        rows.into_iter()
            .map(|row| match row {
                Row::Order { order, .. } => order,
                Row::Reject(reject) => panic!("{reject:?}"),
            })
            .collect()
    }

    #[test]
    fn a_file_of_one_sku_a_row_is_read() {
        let orders = orders(C1);
        assert_eq!(orders.len(), 12);
        assert!(
            orders
                .iter()
                .all(|order| order.check().is_ok() && order.lines.len() == 1)
        );
        let totals: Vec<String> = orders
            .iter()
            .map(|order| format!("{} {}", order.total, order.currency))
            .collect();
        assert_eq!(totals[2], "15.80 EUR");
        assert_eq!(totals[4], "12000 JPY");
        assert_eq!(totals[6], "32.500 KWD");
        assert_eq!(totals[8], "85.00 USD");
        assert_eq!(orders[3].ordered_at.as_deref(), Some("2026-03-02T09:45:00"));
        assert_eq!(orders[8].ordered_at, None);
        assert_eq!(
            (orders[11].row, orders[11].order_id.as_str()),
            (12, "A-2012")
        );
    }

    #[test]
    fn a_file_of_items_as_json_is_read() {
        let orders = orders(C2);
        assert_eq!(orders.len(), 10);
        assert_eq!(orders[3].lines.len(), 2);
        assert_eq!(orders[4].lines[0].unit_price, Decimal::new(1, 1));
        assert_eq!(orders[6].lines[0].sku, "LAMP-7");
        assert_eq!(orders[8].total, Decimal::new(70_100, 2));
        assert_eq!(orders[9].lines[0].sku, "12\" Ruler");
        let adjusted: Vec<_> = orders
            .iter()
            .filter(|order| !order.adjustment.is_zero())
            .collect();
        assert_eq!(adjusted.len(), 1);
        assert_eq!(
            (adjusted[0].row, adjusted[0].adjustment),
            (6, Decimal::new(-2, 2))
        );
    }

    #[test]
    fn good_rows_are_kept_and_bad_ones_say_why() {
        let rows = read(settings(), [WITH_REJECTS]).expect("a file of orders");
        let rejects: Vec<Reject> = rows
            .iter()
            .filter_map(|row| match row {
                Row::Reject(reject) => Some(reject.clone()),
                Row::Order { .. } => None,
            })
            .collect();
        let seen: Vec<_> = rejects
            .iter()
            .map(|reject| (reject.line, reject.row, reject.code, reject.column.as_str()))
            .collect();
        let expected = [
            (3, 2, Code::WrongCellCount, ""),
            (4, 3, Code::NotUtf8, "customer_name"),
            (5, 4, Code::MissingValue, "customer_id"),
            (7, 6, Code::TextTooLong, "product_sku"),
            (8, 7, Code::ControlCharacter, "customer_name"),
            (9, 8, Code::NotAnAmount, "unit_price"),
            (10, 9, Code::AmountTooPrecise, "unit_price"),
            (11, 10, Code::AmountTooLarge, "unit_price"),
            (12, 11, Code::NegativeAmount, "unit_price"),
            (14, 13, Code::BadCurrency, "currency"),
            (15, 14, Code::BadQuantity, "quantity"),
            (17, 15, Code::BadDate, "order_date"),
            (18, 16, Code::UnclosedQuote, ""),
        ];
        assert_eq!(seen, expected);
        assert_eq!(rows.len() - rejects.len(), 4);
        // No other code can come from such a row: these need items, a catalog, a declared total or a huge line.
        for code in Code::ALL {
            let elsewhere = matches!(
                code,
                Code::RecordTooLong
                    | Code::BadStock
                    | Code::BadItems
                    | Code::NoItems
                    | Code::TooManyItems
                    | Code::TotalDiffers
            );
            assert_eq!(
                elsewhere,
                expected.iter().all(|(_, _, seen, _)| *seen != code),
                "{code:?}"
            );
        }
        let lines: Vec<&[u8]> = WITH_REJECTS.split(|byte| *byte == b'\n').collect();
        for reject in &rejects {
            assert_eq!(reject.original, lines[reject.line as usize - 1]);
        }
        let mut file = Vec::new();
        rejects::write(&rejects, &mut file).expect("written");
        assert!(file.starts_with(b"3,2,wrong_cell_count,,8 cells where the header has 9,"));
    }

    #[test]
    fn a_file_that_is_no_order_file_is_refused_as_a_whole() {
        let utf_16: Vec<u8> = "order_id,items\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let endless = vec![b'x'; 400_000];
        for (file, code, message) in [
            (&b""[..], FileCode::EmptyFile, "empty"),
            (b"\xEF\xBB\xBF", FileCode::EmptyFile, "empty"),
            (b"\xEF\xBB", FileCode::NotCsv, "not text"),
            (b"\r\n\n  \n", FileCode::EmptyFile, "empty"),
            (
                b"order_id,customer_id,items\n\n",
                FileCode::NoRows,
                "no row",
            ),
            (b"order_id,customer_id,items", FileCode::NoRows, "no row"),
            (&utf_16, FileCode::NotCsv, "not text"),
            (b"\x1F\x8B\x08\0\0\0", FileCode::NotCsv, "not text"),
            (&endless, FileCode::NotCsv, "never ends"),
            (
                b"\"order_id,customer_id\n1,2\n",
                FileCode::NotCsv,
                "never ends",
            ),
            (
                b"order_id,items\n1,[]\n",
                FileCode::MissingColumn,
                "missing: customer_id; found: order_id, items",
            ),
            (
                b"sku,qty,Price\nA,1,1\n",
                FileCode::MissingColumn,
                "one product a row, but missing: order_id, customer_id; found: sku, qty, Price",
            ),
            (
                b"order_id,sku\n1,A\n",
                FileCode::MissingColumn,
                "one product a row (missing: customer_id, quantity, unit_price) \
                 nor a list of items a row (missing: customer_id, items); found: order_id, sku",
            ),
            (
                b"order_id,customer_id,items,qty,quantity\n",
                FileCode::DuplicateColumn,
                "both mean quantity",
            ),
        ] {
            let error = read(settings(), [file]).expect_err(message);
            assert_eq!(error.code, code, "{message}");
            assert!(error.message.contains(message), "{}", error.message);
        }
    }

    #[test]
    fn a_refused_file_stays_refused() {
        let mut reader = Reader::new(settings());
        let mut rows = Vec::new();
        let error = reader.feed(b"a,b\n", &mut rows).expect_err("no order file");
        assert_eq!(reader.feed(C2, &mut rows), Err(error.clone()));
        assert_eq!(reader.finish(&mut rows), Err(error));
        assert!(rows.is_empty());
    }

    #[test]
    fn an_open_quote_or_an_endless_line_does_not_swallow_the_file() {
        let good = "1,2,A,1,1.00\n".repeat(30_000);
        let endless = "x".repeat(1_000_000);
        for (bad, code) in [
            ("1,2,\"A,1,1.00", Code::UnclosedQuote),
            (endless.as_str(), Code::RecordTooLong),
        ] {
            let file = format!("order_id,customer_id,sku,qty,price\n{good}{bad}\n{good}");
            let rows = read(settings(), file.as_bytes().chunks(10_000)).expect("a file of orders");
            assert_eq!(rows.len(), 60_001);
            let rejects: Vec<_> = rows
                .iter()
                .filter_map(|row| match row {
                    Row::Reject(reject) => Some((reject.code, reject.line, reject.row)),
                    Row::Order { .. } => None,
                })
                .collect();
            assert_eq!(rejects, [(code, 30_002, 30_001)]);
        }
    }

    /// The files of other people's systems lie outside of this crate; where they are not, there is nothing to check.
    #[test]
    fn files_that_people_have_are_read_as_they_are() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
        for (name, count, adjusted) in [
            ("c1-one-sku-per-row.csv", None, 0),
            ("c2-readme.csv", Some(4), 1),
            ("c2-items-json.csv", Some(723), 8),
        ] {
            let Ok(file) = std::fs::read(folder.join(name)) else {
                println!("skipped: there is no {name}");
                continue;
            };
            let orders = orders(&file);
            let lines = file
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .count();
            assert_eq!(orders.len(), count.unwrap_or(lines - 1), "{name}");
            let cent = Decimal::new(1, 2);
            let differ: Vec<_> = orders
                .iter()
                .filter(|order| !order.adjustment.is_zero())
                .collect();
            assert_eq!(differ.len(), adjusted, "{name}");
            assert!(
                differ.iter().all(|order| order.adjustment.abs() == cent),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_pieces_make_no_difference(size in 1usize..200) {
            for file in [C1, C2, WITH_REJECTS] {
                prop_assert_eq!(read(settings(), file.chunks(size)), read(settings(), [file]));
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>(), size in 1usize..50) {
            for start in [&b""[..], b"order_id,customer_id,items\n", b"order_id,customer_id,sku,qty,price\n1,2,A,1,"] {
                let file = [start, &bytes].concat();
                prop_assert_eq!(read(settings(), file.chunks(size)), read(settings(), [&file[..]]));
            }
        }
    }
}
