use std::collections::HashMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::journal::Entry;
use crate::tally::effects::tests::entry;

const BOOKS: [Book; 2] = [Book::AllTime, Book::Day(jiff::civil::date(2026, 3, 1))];

fn pieces(entry: &Entry) -> Vec<Piece> {
    let effects = Effects::of(entry, &TimeZone::UTC).expect("effects");
    let books = BOOKS.into_iter();
    books
        .flat_map(|book| cut(&entry.name(), &effects, book))
        .collect()
}

/// An entry of orders of one line: customer and product of each.
fn of(name: &str, orders: &[(u32, u32)]) -> Entry {
    let names: Vec<(String, String)> = orders
        .iter()
        .map(|(customer, product)| (format!("C-{customer}"), format!("S-{product}")))
        .collect();
    let orders: Vec<(&str, &str, u32, Option<crate::Reason>)> = names
        .iter()
        .map(|(customer, product)| (customer.as_str(), product.as_str(), 1, None))
        .collect();
    entry(name, &orders)
}

fn parts(orders: &[(u32, u32)]) -> Vec<String> {
    let pieces = pieces(&of("e", orders));
    let all_time = pieces.iter().filter(|piece| piece.book == Book::AllTime);
    all_time.map(|piece| piece.part.to_string()).collect()
}

#[test]
fn what_is_little_has_no_claim_of_its_own() {
    assert_eq!(parts(&[(1, 1)]), ["figures"]);
    assert_eq!(parts(&[(1, 1), (2, 1), (3, 1)]), ["figures"]);
    let few_products: Vec<(u32, u32)> = (0..40).map(|order| (order % 10, order % 4)).collect();
    assert_eq!(parts(&few_products), ["customers-0-of-1", "figures"]);
    let many: Vec<(u32, u32)> = (0..40).map(|order| (order, order)).collect();
    assert_eq!(
        parts(&many),
        [
            "customers-0-of-2",
            "customers-1-of-2",
            "products-0-of-2",
            "products-1-of-2",
            "figures"
        ]
    );
}

#[test]
fn an_entry_of_another_day_is_not_in_the_book_of_a_day() {
    let effects = Effects::of(&of("e", &[(1, 1)]), &TimeZone::UTC).expect("effects");
    let other = Book::Day(jiff::civil::date(2026, 3, 2));
    assert_eq!(cut("e", &effects, other), Vec::new());
}

/// Entries of orders for some customers and products, both drawn from a few.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let orders = prop::collection::vec((0u32..60, 0u32..60), 1..60);
    prop::collection::vec(orders, 1..20).prop_map(|entries| {
        let named = entries.iter().enumerate();
        named
            .map(|(number, orders)| of(&format!("e{number}"), orders))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_doubled_by_cutting_and_packing(entries in entries()) {
        let all: Vec<Piece> = entries.iter().flat_map(pieces).collect();
        let packed: Vec<Vec<Piece>> = pack(all.clone());
        let mut before: Vec<_> = all.iter().map(|piece| (piece.entry.clone(), piece.book, piece.part)).collect();
        let mut after: Vec<_> = packed.iter().flatten().map(|piece| (piece.entry.clone(), piece.book, piece.part)).collect();
        before.sort();
        after.sort();
        prop_assert_eq!(&before, &after);
        before.dedup();
        prop_assert_eq!(before.len(), all.len(), "a claim has a name of its own");
        for book in BOOKS {
            let mut sum = Deltas::default();
            for piece in packed.iter().flatten().filter(|piece| piece.book == book) {
                sum.add(&piece.deltas).expect("a sum");
            }
            let mut expected = Deltas::default();
            for entry in &entries {
                let effects = Effects::of(entry, &TimeZone::UTC).expect("effects");
                for (subject, spend) in &effects.customers {
                    let customer = expected.customers.entry(subject.clone()).or_default();
                    customer.spend.add(spend).expect("a sum");
                }
                for (subject, sales) in &effects.products {
                    expected.products.entry(subject.clone()).or_default().add(sales).expect("a sum");
                }
            }
            let spend = |deltas: &Deltas| deltas.customers.iter().map(|(subject, customer)| (subject.clone(), customer.spend.clone())).collect::<Vec<_>>();
            prop_assert_eq!(spend(&sum), spend(&expected));
            prop_assert_eq!(sum.products, expected.products);
        }
    }

    #[test]
    fn a_group_fits_into_a_transaction_and_is_of_one_book(entries in entries()) {
        let groups = pack(entries.iter().flat_map(pieces).collect());
        let mut last = false;
        for group in groups {
            let mut merged = Deltas::default();
            for piece in &group {
                prop_assert_eq!(piece.book, group[0].book);
                prop_assert_eq!(piece.is_last(), group[0].is_last());
                merged.add(&piece.deltas).expect("a sum");
            }
            prop_assert!(merged.items() + group.len() <= ITEMS_PER_TRANSACTION);
            // How far an import is comes after all else.
            prop_assert!(group[0].is_last() >= last);
            last = group[0].is_last();
        }
    }
}

/// Entries of orders that an invocation gets, when a second brings ten thousand orders in entries of forty, and four
/// invocations run at the same time.
const ENTRIES: usize = 63;
const INVOCATIONS: usize = 4;

/// How often a second an item may be written: an item takes five hundred transactions a second, and one that each of them
/// has in hand for ten milliseconds is hardly ever free beyond a hundred.
const WRITES_A_SECOND: usize = 80;

/// The most that one item is written in a second in which all orders are like this.
fn hottest(order: impl Fn(usize, usize) -> (u32, u32)) -> usize {
    let entries = (0..ENTRIES).map(|number| {
        let orders: Vec<(u32, u32)> = (0..40).map(|row| order(number, row)).collect();
        of(&format!("e{number}"), &orders)
    });
    let groups = pack(
        entries
            .collect::<Vec<_>>()
            .iter()
            .flat_map(pieces)
            .collect(),
    );
    let mut written: HashMap<String, usize> = HashMap::new();
    for group in &groups {
        let mut merged = Deltas::default();
        for piece in group {
            merged.add(&piece.deltas).expect("a sum");
        }
        let book = group[0].book;
        let customers = merged
            .customers
            .keys()
            .map(|of| format!("{book:?} {of:?} customer"));
        let products = merged
            .products
            .keys()
            .map(|of| format!("{book:?} {of:?} product"));
        let hours = merged.hours.keys().map(|hour| format!("{book:?} {hour:?}"));
        let imports = merged.imports.keys().cloned();
        for item in customers.chain(products).chain(hours).chain(imports) {
            *written.entry(item).or_default() += 1;
        }
    }
    for book in BOOKS {
        let about_customers = groups.iter().filter(|group| {
            let of_book = group[0].book == book;
            of_book && group.iter().any(|piece| !piece.deltas.customers.is_empty())
        });
        let counts = about_customers.count().div_ceil(usize::from(COUNT_SHARDS));
        written.insert(format!("{book:?} counts"), counts);
    }
    written.into_values().max().unwrap_or_default() * INVOCATIONS
}

#[test]
fn no_item_is_written_too_often_at_ten_thousand_orders_a_second() {
    let number = |entry: usize, row: usize| (entry * 40 + row) as u32;
    let cases: [(&str, usize); 5] = [
        (
            "all different",
            hottest(|entry, row| (number(entry, row), number(entry, row))),
        ),
        ("one customer, one product", hottest(|_, _| (1, 1))),
        ("one product", hottest(|entry, row| (number(entry, row), 1))),
        // In each entry, among many others.
        (
            "a customer and a product in all",
            hottest(|entry, row| match row {
                0 => (1, 1),
                _ => (number(entry, row) + 2, number(entry, row) + 2),
            }),
        ),
        (
            "a few products of a thousand",
            hottest(|entry, row| (number(entry, row), (entry * 7 + row % 5) as u32 % 1_000)),
        ),
    ];
    for (what, writes) in cases {
        println!("{what}: {writes} writes a second");
        assert!(
            writes <= WRITES_A_SECOND,
            "{what}: {writes} writes a second"
        );
    }
}
