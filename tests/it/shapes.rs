//! Every sample of an order file, and what has to come of it. Ours stand in `events`; those of other people's systems
//! lie outside of the checkout, and where they are not, there is nothing to check.

use std::collections::BTreeMap;
use std::io::Write;

use domain::order::TotalPolicy;
use intake::{Code, End, Reader, Row, Settings, Step};
use rust_decimal::Decimal;

use crate::support::file;

/// A file, and its orders, lines, totals by currency, and rejects by row.
type Expected = (
    &'static str,
    usize,
    usize,
    &'static [(&'static str, &'static str)],
    &'static [(u64, Code)],
);

/// Orders without prices count nothing until the catalog prices them.
#[rustfmt::skip]
const OURS: [Expected; 9] = [
    ("orders-c1.csv", 12, 12, &[("EUR", "271.80"), ("JPY", "12000"), ("KWD", "32.500"), ("USD", "85.00")], &[]),
    ("orders-c2.csv", 10, 11, &[("USD", "4159.92")], &[]),
    ("orders-line-items.csv", 4, 6, &[("USD", "204.79")], &[(6, Code::IncompleteOrder), (7, Code::BadQuantity), (9, Code::SplitOrder)]),
    ("orders-without-id.csv", 3, 3, &[("USD", "104.40")], &[(4, Code::MissingValue)]),
    ("orders-products.csv", 2, 3, &[("USD", "0.00")], &[(3, Code::MissingValue)]),
    ("orders-products-unquoted.csv", 4, 5, &[("USD", "0.00")], &[(5, Code::BadItems)]),
    ("orders-bare.csv", 2, 3, &[("USD", "0.00")], &[(3, Code::BadItems)]),
    ("orders-cents.csv", 3, 4, &[("USD", "199.86")], &[(4, Code::NotAnAmount)]),
    ("orders-semicolon.csv", 3, 3, &[("EUR", "1290.00")], &[(3, Code::AmbiguousAmount)]),
];

#[rustfmt::skip]
const THEIRS: [Expected; 9] = [
    ("c1-one-sku-per-row.csv", 10, 10, &[("USD", "1065.43")], &[]),
    ("c2-readme.csv", 4, 4, &[("USD", "1548.48")], &[]),
    ("c2-items-json.csv", 723, 723, &[("USD", "113847.33")], &[]),
    ("c3a-products-json-unquoted.csv", 3, 5, &[("USD", "0.00")], &[]),
    ("c3b-products-json-quoted.csv", 3, 5, &[("USD", "0.00")], &[]),
    ("c4-shell-mangled.csv", 1, 1, &[("USD", "0.00")], &[]),
    ("c0-line-item-rows.csv", 2, 3, &[("USD", "139.96")], &[]),
    ("c0-no-order-id.csv", 2, 2, &[("USD", "119.97")], &[]),
    ("c0-legacy-cents.csv", 2, 3, &[("USD", "139.96")], &[]),
];

fn rows(content: &[u8], piece: usize) -> Vec<Row> {
    let settings = Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
    };
    let mut name = None;
    loop {
        let mut reader = Reader::new(settings, name);
        let mut pieces = content.chunks(piece);
        let mut rows = Vec::new();
        name = loop {
            match reader.step(&mut rows).expect("a file of orders") {
                Step::Row => {}
                Step::More => match pieces.next() {
                    Some(piece) => reader.push(piece),
                    None => reader.end(),
                },
                Step::Over(End::Rows) => return rows,
                Step::Over(End::Content(name)) => break Some(name),
            }
        };
    }
}

fn check((name, orders, lines, totals, rejects): Expected, rows: &[Row]) {
    let (mut seen, mut seen_lines, mut seen_rejects) = (0, 0, Vec::new());
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for row in rows {
        match row {
            Row::Order { order, .. } => {
                assert_eq!(order.check(), Ok(()), "{name}");
                seen += 1;
                seen_lines += order.lines.len();
                *sums.entry(order.currency.code()).or_default() += order.total;
            }
            Row::Reject(reject) => seen_rejects.push((reject.row, reject.code)),
        }
    }
    assert_eq!(seen_rejects, rejects, "the rejects of {name}");
    assert_eq!((seen, seen_lines), (orders, lines), "{name}");
    let sums: Vec<(&str, String)> = sums.iter().map(|(c, sum)| (*c, sum.to_string())).collect();
    let sums: Vec<(&str, &str)> = sums.iter().map(|(c, sum)| (*c, sum.as_str())).collect();
    assert_eq!(sums, totals, "the totals of {name}");
}

#[test]
fn every_sample_becomes_what_the_table_says() {
    for expected in OURS {
        let content = std::fs::read(file("events").join(expected.0)).expect(expected.0);
        check(expected, &rows(&content, 10_000));
    }
}

#[test]
fn files_of_other_systems_are_read_as_they_are() {
    let folder = file("../shared/samples");
    for expected in THEIRS {
        match std::fs::read(folder.join(expected.0)) {
            Ok(content) => check(expected, &rows(&content, 10_000)),
            Err(_) => println!("skipped: there is no {}", expected.0),
        }
    }
}

/// The same text, as other programs would have saved it.
#[test]
fn how_a_file_was_saved_makes_no_difference() {
    for (name, ..) in OURS {
        let content = std::fs::read(file("events").join(name)).expect(name);
        let plain = rows(&content, 10_000);
        let text = String::from_utf8(content).expect("text");
        let returns = text.replace('\n', "\r\n");
        let trailing = format!("{text}\n\n  \n");
        let marked = format!("\u{feff}{text}");
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&little).expect("memory");
        let packed = packed.finish().expect("memory");
        for saved in [
            returns.as_bytes(),
            trailing.as_bytes(),
            marked.as_bytes(),
            &little,
            &big,
            &packed,
        ] {
            for piece in [1, 1_000] {
                assert_eq!(
                    without_ids(rows(saved, piece)),
                    without_ids(plain.clone()),
                    "{name}"
                );
            }
        }
    }
}

/// Without what the bytes themselves decide: ids that are made of the content, and line ends inside of originals.
fn without_ids(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        if let Row::Order { order, .. } = row
            && order.order_id.starts_with("or_")
        {
            order.order_id = format!("row {}", order.row);
        }
    }
    rows
}

/// Each separator, in a file whose cells do not hold it.
#[test]
fn the_header_tells_the_separator() {
    let content = std::fs::read(file("events/orders-semicolon.csv")).expect("a sample");
    let text = String::from_utf8(content.clone()).expect("text");
    let plain = rows(&content, 10_000);
    for separator in ["\t", "|"] {
        let written = text.replace(';', separator);
        let seen = rows(written.as_bytes(), 7);
        let orders = |rows: &[Row]| -> Vec<Row> {
            let orders = rows.iter().filter(|row| matches!(row, Row::Order { .. }));
            orders.cloned().collect()
        };
        assert_eq!(orders(&seen), orders(&plain), "{separator:?}");
        assert_eq!(seen.len(), plain.len());
    }
}
