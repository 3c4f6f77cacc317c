use super::*;
use crate::order::tests::order;
use proptest::prelude::*;

fn window(skus: &[u8]) -> Vec<(Order, Contact)> {
    skus.iter()
        .zip(1..)
        .map(|(sku, row)| {
            (
                order(row, &format!("O-{row}"), &format!("S-{sku}"), 1),
                Contact::default(),
            )
        })
        .collect()
}

#[test]
fn what_is_no_batch_is_malformed() {
    let orders = |count: u64| (1..=count).map(|row| order(row, &format!("O-{row}"), "A", 1));
    let review = |batch_id: &str, import_id: &str, count| {
        let orders = orders(count).collect();
        Batch::review(Review::Expiry, batch_id, import_id, orders)
    };
    for good in [review("b", "i", 1), review("b", "i", 40)] {
        assert_eq!(good.check(), Ok(()));
    }
    let mut tampered = review("b", "i", 2);
    tampered.orders[1].lines.clear();
    for bad in [
        review("", "i", 1),
        review("b", "", 1),
        review(&"b".repeat(KEY_BYTES + 1), "i", 1),
        review("b", "i", 0),
        review("b", "i", 41),
        tampered,
    ] {
        assert!(matches!(bad.check(), Err(Fault::Malformed(_))), "{bad:?}");
    }
}

#[test]
fn a_batch_is_filled_to_the_last_byte() {
    let row = |row, size| {
        let mut row = (order(row, &format!("O-{row}"), "A", 1), Contact::default());
        let padding = size - wire_bytes(&row) - ",\"ordered_at\":\"\"".len();
        row.0.ordered_at = Some("x".repeat(padding));
        assert_eq!(wire_bytes(&row), size);
        row
    };
    let half = BYTES_PER_BATCH / 2;
    let count = |size| {
        cut(
            "im_x",
            Timestamp::UNIX_EPOCH,
            0,
            vec![row(1, half), row(2, size)],
        )
        .len()
    };
    assert_eq!((count(half), count(half + 1)), (1, 2));
    // Repeats of one order id are torn apart where they do not fit, and not before.
    let repeats = |size| {
        let mut window = vec![row(1, half), row(2, size)];
        window[1].0.order_id = window[0].0.order_id.clone();
        portions(&window)
    };
    assert_eq!(repeats(half), vec![(2, 2 * half)]);
    assert_eq!(repeats(half + 1), vec![(1, half), (1, half + 1)]);
    let many: Vec<_> = (1..=41).map(|number| row(number, 1_000)).collect();
    assert_eq!(portions(&many), vec![(40, 40_000), (1, 1_000)]);
}

#[test]
fn orders_of_a_product_share_batches() {
    let skus: Vec<u8> = (0..200).map(|row| row % 10).collect();
    let batches = cut("im_x", Timestamp::UNIX_EPOCH, 7, window(&skus));
    assert_eq!(
        batches
            .iter()
            .map(|batch| batch.orders.len())
            .collect::<Vec<_>>(),
        vec![40; 5]
    );
    assert_eq!(batches[0].batch_id, "im_x-000007");
    for batch in &batches {
        assert_eq!(crate::stock::demand(&batch.orders).len(), 2);
        assert!(batch.orders.is_sorted_by_key(|order| order.row));
    }
}

#[test]
fn rows_that_repeat_an_order_id_stay_behind_the_first() {
    let mut window = window(&[9; 39]);
    window.push((order(40, "O-1", "S-0", 1), Contact::default()));
    let batches = cut("im_x", Timestamp::UNIX_EPOCH, 0, window);
    assert_eq!(batches.len(), 1);
    assert_eq!(
        batches[0]
            .orders
            .iter()
            .map(|order| order.row)
            .collect::<Vec<_>>(),
        (1..=40).collect::<Vec<_>>()
    );
}

#[test]
fn no_batch_ends_between_a_row_and_its_repeat() {
    let mut window = window(&[5; 100]);
    window.push((order(101, "O-1", "S-5", 1), Contact::default()));
    window.push((order(102, "O-39", "S-9", 1), Contact::default()));
    for batch in cut("im_x", Timestamp::UNIX_EPOCH, 0, window) {
        for (first, repeat) in [(1, 101), (39, 102)] {
            let has = |row| batch.orders.iter().any(|order| order.row == row);
            assert_eq!(has(first), has(repeat), "rows {first} and {repeat}");
        }
    }
}

#[test]
fn repeats_too_large_for_one_batch_are_torn_apart() {
    let large = |row| {
        let skus: Vec<String> = (0..90).map(|sku| format!("{sku:0128}")).collect();
        let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let draft = crate::order::tests::draft(row, "O-1", &lines);
        let order = Order::new(draft, crate::order::TotalPolicy::Declared).expect("valid");
        (order, Contact::default())
    };
    let batches = cut(
        "im_x",
        Timestamp::UNIX_EPOCH,
        0,
        (1..=40).map(large).collect(),
    );
    assert!(batches.len() > 10);
    for batch in &batches {
        assert!(wire_bytes(batch) <= BYTES_PER_BATCH + 200);
    }
    let rows: Vec<u64> = batches
        .iter()
        .flat_map(|batch| &batch.orders)
        .map(|order| order.row)
        .collect();
    assert_eq!(rows, (1..=40).collect::<Vec<_>>());
}

#[test]
fn contact_data_names_the_rows_that_state_it() {
    let contact = |customer: &str, email: Option<&str>| Contact {
        customer_id: customer.to_owned(),
        email: email.map(str::to_owned),
        ..Contact::default()
    };
    let stated = |customer, email, rows: &[u64]| RowsContact {
        contact: contact(customer, Some(email)),
        rows: rows.to_vec(),
    };
    let window = [
        contact("C-1", Some("ada@example.com")),
        contact("C-1", None),
        contact("C-1", Some("ada@example.com")),
        contact("C-2", Some("bob@example.com")),
        contact("C-1", Some("ada@shop.example")),
    ];
    let rows = window.into_iter().zip(1..);
    let rows = rows.map(|(contact, row)| (order(row, &format!("O-{row}"), "A", 1), contact));
    let batches = cut("im_x", Timestamp::UNIX_EPOCH, 0, rows.collect());
    // One contact for each customer, the last one: an older release reads these alone.
    let last = [
        stated("C-1", "ada@shop.example", &[5]),
        stated("C-2", "bob@example.com", &[4]),
    ];
    assert_eq!(batches[0].contacts, last);
    let earlier = [stated("C-1", "ada@example.com", &[1, 3])];
    assert_eq!(batches[0].earlier_contacts, earlier);
}

proptest! {
    #[test]
    fn every_row_is_in_one_batch_and_no_batch_is_too_large(skus in prop::collection::vec(any::<u8>(), 0..300)) {
        let batches = cut("im_x", Timestamp::UNIX_EPOCH, 0, window(&skus));
        prop_assert_eq!(&batches, &cut("im_x", Timestamp::UNIX_EPOCH, 0, window(&skus)));
        let mut rows: Vec<u64> = batches.iter().flat_map(|batch| batch.orders.iter().map(|order| order.row)).collect();
        rows.sort_unstable();
        prop_assert_eq!(rows, (1..=skus.len() as u64).collect::<Vec<_>>());
        for batch in batches {
            prop_assert_eq!(batch.check(), Ok(()));
            prop_assert!(wire_bytes(&batch) <= BYTES_PER_BATCH + 200);
        }
    }
}
