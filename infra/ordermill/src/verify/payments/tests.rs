use super::*;

use Movement::{Capture, Refund, Void};

/// An order's status, and what was refunded of it.
type Ours = Option<(Status, i64)>;
type Ledger = &'static [(Movement, i64)];

const CAPTURED: (Movement, i64) = (Capture, 1000);

/// An order over 10.00 USD, of which so many cents were refunded.
fn order(status: Status, refunded: i64) -> OrderRecord {
    let refunded = Decimal::new(refunded, 2);
    serde_json::from_value(serde_json::json!({
        "order_id": "O-1", "status": status, "batch_id": "b", "import_id": "im", "row": 1, "customer_id": "C",
        "currency": "USD", "total": "10.00", "lines": [], "payment": "ch_1", "refunded": refunded,
        "refundable": "0", "created_at": "2027-01-01T00:00:00Z",
    }))
    .expect("an order")
}

fn entry(number: u64, kind: Movement, cents: i64) -> LedgerEntry {
    LedgerEntry {
        number,
        kind,
        charge: "O-1".to_owned(),
        payment: "ch_1".to_owned(),
        amount: Decimal::new(cents, 2),
        currency: "USD".parse().expect("a currency"),
        refund: None,
        at: "2027-01-01T00:00:00Z".parse().expect("an instant"),
    }
}

fn checked(order: Option<OrderRecord>, entries: &[(Movement, i64)]) -> Check {
    let entries = entries.iter().zip(1..);
    let entries: Vec<_> = entries
        .map(|((kind, cents), number)| entry(number, *kind, *cents))
        .collect();
    check(&books(order), &entries, Timestamp::MAX)
}

fn books(order: Option<OrderRecord>) -> Books {
    let mut books = Books::of_nothing(&jiff::tz::TimeZone::UTC);
    books
        .orders
        .extend(order.map(|order| (order.order_id.clone(), order)));
    books
}

#[test]
fn books_that_agree_are_balanced() {
    let cases: [(Ours, Ledger); 11] = [
        (Some((Status::Paid, 0)), &[CAPTURED]),
        (Some((Status::Completed, 0)), &[CAPTURED]),
        (Some((Status::Shipped, 400)), &[CAPTURED, (Refund, 400)]),
        (
            Some((Status::Delivered, 500)),
            &[CAPTURED, (Refund, 400), (Refund, 100)],
        ),
        (Some((Status::Cancelled, 1000)), &[CAPTURED, (Refund, 1000)]),
        (Some((Status::Failed, 0)), &[CAPTURED, (Void, 1000)]),
        (Some((Status::Failed, 0)), &[CAPTURED, (Refund, 1000)]),
        (Some((Status::Failed, 0)), &[]),
        (Some((Status::Reserved, 0)), &[]),
        (None, &[CAPTURED, (Void, 1000)]),
        (None, &[]),
    ];
    for (case, entries) in cases {
        let order = case.map(|(status, refunded)| order(status, refunded));
        let check = checked(order, entries);
        assert!(check.drift.is_empty(), "{case:?} {:?}", check.drift);
        assert_eq!(check.note, None, "{case:?}");
    }
}

#[test]
fn each_kind_of_drift_is_seen() {
    let cases: [(Ours, Ledger, &str); 13] = [
        (Some((Status::Completed, 0)), &[], "captured nothing"),
        (Some((Status::Paid, 0)), &[(Capture, 999)], "holds 9.99"),
        (
            Some((Status::Paid, 0)),
            &[CAPTURED, (Void, 1000)],
            "holds 0.00",
        ),
        (Some((Status::Completed, 400)), &[CAPTURED], "holds 10.00"),
        (
            Some((Status::Completed, 0)),
            &[CAPTURED, (Refund, 400)],
            "holds 6.00",
        ),
        (Some((Status::Failed, 0)), &[CAPTURED], "holds 10.00"),
        (
            Some((Status::Failed, 0)),
            &[CAPTURED, (Refund, 999)],
            "holds 0.01",
        ),
        (Some((Status::Reserved, 0)), &[(Capture, 500)], "holds 5.00"),
        (
            Some((Status::PaymentPending, 0)),
            &[CAPTURED, (Refund, 1)],
            "holds 9.99",
        ),
        (
            Some((Status::Completed, 0)),
            &[CAPTURED, CAPTURED],
            "captured 2 times",
        ),
        // Also where the sums are right.
        (
            Some((Status::Failed, 0)),
            &[CAPTURED, CAPTURED, (Refund, 2000)],
            "captured 2 times",
        ),
        (None, &[CAPTURED], "no such order"),
        (None, &[(Refund, 1)], "no such order"),
    ];
    for (case, entries, said) in cases {
        let order = case.map(|(status, refunded)| order(status, refunded));
        let check = checked(order, entries);
        assert_eq!((check.checked, check.drift.len()), (1, 1), "{case:?}");
        assert!(check.drift[0].contains(said), "{}", check.drift[0]);
    }
}

fn refund(status: &str, cents: i64) -> RefundRecord {
    serde_json::from_value(serde_json::json!({
        "refund_id": "re_1", "order_id": "O-1", "import_id": "im", "customer_id": "C", "currency": "USD",
        "amount": Decimal::new(cents, 2), "full": false, "reason": "broken", "requested_by": "A", "fingerprint": "f",
        "status": status, "attempts": 1, "created_at": "2027-01-01T00:00:00Z",
        "day": "2027-01-01",
    }))
    .expect("a refund")
}

#[test]
fn what_went_back_under_a_refunds_id_is_compared() {
    type Case = (&'static str, i64, i64, Option<&'static str>, &'static str);
    let cases: [Case; 9] = [
        ("COMPLETED", 400, 400, Some("re_1"), ""),
        // Such a gateway does not say which refund it was.
        ("COMPLETED", 400, 400, None, ""),
        ("PROCESSING", 0, 400, Some("re_1"), ""),
        ("COMPLETED", 400, 300, Some("re_1"), "refunded Some(3.00)"),
        (
            "COMPLETED",
            400,
            400,
            Some("re_2"),
            "knows nothing of refund re_1",
        ),
        ("PROCESSING", 0, 300, Some("re_1"), "is PROCESSING"),
        ("FAILED", 0, 400, Some("re_1"), "is FAILED"),
        ("CANCELLED", 0, 400, Some("re_1"), "is CANCELLED"),
        ("PENDING", 0, 400, Some("re_2"), "is not ours"),
    ];
    for (status, ours, theirs, key, said) in cases {
        let mut books = books(Some(order(Status::Completed, ours)));
        let refund = refund(status, 400);
        books.refunds.insert(refund.refund_id.clone(), refund);
        let mut entries = [entry(1, Capture, 1000), entry(2, Refund, theirs)];
        entries[1].refund = key.map(str::to_owned);
        let drift = check(&books, &entries, Timestamp::MAX).drift.join(", ");
        assert!(drift.contains(said), "{status} {key:?}: {drift}");
        assert_eq!(
            drift.is_empty(),
            said.is_empty(),
            "{status} {key:?}: {drift}"
        );
    }
}

#[test]
fn currency_and_reference_are_compared() {
    let drift = |change: fn(&mut LedgerEntry)| {
        let mut entry = entry(1, Capture, 1000);
        change(&mut entry);
        check(
            &books(Some(order(Status::Completed, 0))),
            &[entry],
            Timestamp::MAX,
        )
        .drift
    };
    assert_eq!(drift(|_| ()), Vec::<String>::new());
    let currency = drift(|entry| entry.currency = "EUR".parse().expect("a currency"));
    assert!(currency[0].contains("is in USD"), "{currency:?}");
    let payment = drift(|entry| entry.payment = "ch_2".to_owned());
    assert!(payment[0].contains("ch_2"), "{payment:?}");
}

#[test]
fn what_is_on_its_way_is_counted_and_is_no_drift() {
    for status in [Status::Reserved, Status::PaymentPending] {
        for entries in [&[(Capture, 1000)][..], &[(Capture, 1000), (Void, 1000)]] {
            let check = checked(Some(order(status, 0)), entries);
            assert!(check.drift.is_empty(), "{:?}", check.drift);
            assert!(check.note.expect("a note").starts_with("1 charges"));
        }
    }
}

#[test]
fn orders_that_the_simulated_gateway_took_the_money_of_are_counted() {
    let mut simulated = order(Status::Completed, 0);
    simulated.payment = Some("sim_1".to_owned());
    let check = checked(Some(simulated.clone()), &[]);
    assert!(check.drift.is_empty(), "{:?}", check.drift);
    assert!(
        check
            .note
            .expect("a note")
            .starts_with("1 orders paid by the simulated")
    );
    // But not where the gateway took it as well.
    assert_eq!(checked(Some(simulated), &[(Capture, 1000)]).drift.len(), 1);
}

#[test]
fn amounts_that_cannot_be_added_up_are_drift() {
    let mut entries = [entry(1, Capture, 1), entry(2, Refund, 1)];
    entries[0].amount = Decimal::MIN;
    entries[1].amount = Decimal::MAX;
    let check = check(&books(None), &entries, Timestamp::MAX);
    assert!(check.drift[0].contains("added up"), "{:?}", check.drift);
}

#[test]
fn a_ledger_that_could_not_be_read_is_not_balanced_and_none_is() {
    let mut report = books(None).verify(entry(1, Capture, 1).at);
    assert!(report.balanced);
    report.add(unseen("no ledger"));
    assert!(
        report.balanced
            && report
                .checks
                .last()
                .is_some_and(|check| check.note.is_some())
    );
    report.add(not_compared("nobody answers"));
    assert!(!report.balanced);
}
