use super::*;
use crate::code::Code;
use crate::file_error::FileCode;
use crate::rejects;
use crate::table::End;
use proptest::prelude::*;
use rust_decimal::Decimal;

const C1: &[u8] = include_bytes!("../../../../events/orders-c1.csv");
const C2: &[u8] = include_bytes!("../../../../events/orders-c2.csv");
const LINES: &[u8] = include_bytes!("../../../../events/orders-line-items.csv");
const WITHOUT_ID: &[u8] = include_bytes!("../../../../events/orders-without-id.csv");
const UNQUOTED: &[u8] = include_bytes!("../../../../events/orders-products-unquoted.csv");
const WITH_REJECTS: &[u8] = include_bytes!("../../../../events/orders-with-rejects.csv");

pub(crate) fn settings() -> Settings {
    Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
    }
}

/// All rows of a file, however often it has to be read for them.
pub(crate) fn read<'a>(
    settings: Settings,
    pieces: impl IntoIterator<Item = &'a [u8]> + Clone,
) -> Result<Vec<Row>, FileError> {
    let mut content = None;
    loop {
        let mut reader = Reader::new(settings, content);
        let mut rows = Vec::new();
        for piece in pieces.clone() {
            reader.push(piece);
            while reader.step(&mut rows)? == Step::Row {}
        }
        reader.end();
        content = loop {
            match reader.step(&mut rows)? {
                Step::Row => {}
                Step::More => panic!("there is no more"),
                Step::Over(End::Rows) => return Ok(rows),
                Step::Over(End::Content(name)) => break Some(name),
            }
        };
        assert!(rows.is_empty());
    }
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
    let endless = vec![b'x'; 400_000];
    for (file, code, message) in [
        (&b""[..], FileCode::EmptyFile, "empty"),
        (b"\xEF\xBB\xBF", FileCode::EmptyFile, "empty"),
        (b"\xFF\xFE", FileCode::EmptyFile, "empty"),
        (b"\xEF\xBB", FileCode::NotCsv, "not text"),
        (b"\r\n\n  \n", FileCode::EmptyFile, "empty"),
        (
            b"order_id,customer_id,items\n\n",
            FileCode::NoRows,
            "no row",
        ),
        (b"order_id,customer_id,items", FileCode::NoRows, "no row"),
        (b"\x1F\x8B\x08\0\0\0", FileCode::BrokenGzip, "expanded"),
        (b"PK\x03\x04\n", FileCode::NotCsv, "save it as CSV"),
        (b"\x89PNG\r\n\x1a\n", FileCode::NotCsv, "not text"),
        (&endless, FileCode::NotCsv, "never ends"),
        (
            b"\"order_id,customer_id\n1,2\n",
            FileCode::NotCsv,
            "never ends",
        ),
        (
            b"order_id,items\n1,[]\n",
            FileCode::MissingColumn,
            "missing: customer_id or customer_email; found: order_id, items",
        ),
        (
            b"order_id;sku\n1;A\n",
            FileCode::MissingColumn,
            "missing: customer_id or customer_email; quantity; found: order_id, sku",
        ),
        (
            b"Dear all,\nthe file is attached\n",
            FileCode::MissingColumn,
            "missing: customer_id or customer_email; items, or a sku or product_name; quantity",
        ),
        (
            b"order_id,customer_id,sku,qty,Unit-Price (net)\n1,2,A,1,9\n",
            FileCode::MissingColumn,
            "call it unit_price",
        ),
        (
            b"ORDERID,customer_id,sku,qty,price\n1,2,A,1,9\n",
            FileCode::MissingColumn,
            "call it order_id",
        ),
        (
            b"order_id,customer_id,items,qty,quantity\n",
            FileCode::DuplicateColumn,
            "both mean quantity",
        ),
        (
            b"order_id,customer_id,items,total,total_cents\n",
            FileCode::DuplicateColumn,
            "both mean total",
        ),
    ] {
        let error = read(settings(), [file]).expect_err(message);
        assert_eq!(error.code, code, "{message}: {}", error.message);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

#[test]
fn a_refused_file_stays_refused() {
    let mut reader = Reader::new(settings(), None);
    let mut rows = Vec::new();
    reader.push(b"a,b\n");
    let error = reader.step(&mut rows).expect_err("no order file");
    reader.push(C2);
    assert_eq!(reader.step(&mut rows), Err(error.clone()));
    reader.end();
    assert_eq!(reader.step(&mut rows), Err(error));
    assert!(rows.is_empty());
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).expect("memory");
    writer.finish().expect("memory")
}

/// Reads a file with a new reader after every so many steps, or as soon as it is past the mark of the one before.
fn interrupted(file: &[u8], size: usize, steps: usize) -> Vec<Row> {
    let (mut rows, mut mark, mut content) = (Vec::new(), None::<Mark>, None);
    loop {
        let mut reader = Reader::new(settings(), content.clone());
        if let Some(mark) = mark.clone() {
            reader.resume(mark);
        }
        let mut taken = 0;
        let mut left = steps;
        let from = mark.as_ref().map(Mark::offset);
        while left > 0 || reader.mark().as_ref().map(Mark::offset) <= from {
            match reader.step(&mut rows).expect("a file of orders") {
                Step::Row => left = left.saturating_sub(1),
                Step::More => {
                    taken = reader.jump().map_or(taken, |offset| offset as usize);
                    let piece = &file[taken..file.len().min(taken + size)];
                    taken += piece.len();
                    reader.push(piece);
                    if piece.is_empty() {
                        reader.end();
                    }
                }
                Step::Over(End::Rows) => return rows,
                Step::Over(End::Content(name)) => {
                    content = Some(name);
                    break;
                }
            }
        }
        let json = serde_json::to_string(&reader.mark()).expect("json");
        mark = serde_json::from_str(&json).expect("a mark");
    }
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

proptest! {
    #[test]
    fn the_pieces_make_no_difference(size in 1usize..200) {
        for file in [C1, C2, WITH_REJECTS, LINES, UNQUOTED] {
            prop_assert_eq!(read(settings(), file.chunks(size)), read(settings(), [file]));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A reader that is dropped at any moment, and another one that goes on from its last mark.
    #[test]
    fn it_goes_on_from_every_mark(size in 1usize..300, steps in 1usize..60) {
        for file in [C1, C2, WITH_REJECTS, LINES, UNQUOTED, WITHOUT_ID] {
            let whole = read(settings(), [file]).expect("a file of orders");
            prop_assert_eq!(&interrupted(file, size, steps), &whole);
            prop_assert_eq!(&interrupted(&gzip(file), size, steps), &whole);
            if let Ok(text) = std::str::from_utf8(file) {
                prop_assert_eq!(&interrupted(&utf_16(text), size, steps), &whole);
            }
        }
    }

}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>(), size in 1usize..50) {
        for start in [
            &b""[..],
            b"order_id,customer_id,items\n",
            b"email;sku;qty\n",
            b"order_id,customer_id,sku,qty,price\n1,2,A,1,",
            b"order_id\tcustomer_id\tsku\tqty\tline_total\n1\t2\tA\t1\t5\n",
        ] {
            let file = [start, &bytes].concat();
            prop_assert_eq!(read(settings(), file.chunks(size)), read(settings(), [&file[..]]));
        }
    }
}
