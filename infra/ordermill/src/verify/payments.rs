//! Two sets of books: what the gateway took from customers, and what our orders say was paid. Pure, as the other checks
//! are; who has no ledger to compare with says so.

use std::collections::{BTreeSet, HashMap};

use ::payments::contract::{LedgerEntry, Movement};
use domain::{Currency, Status};
use jiff::Timestamp;
use rust_decimal::Decimal;
use store::orders::OrderRecord;

use super::{Books, Check};

const NOTHING_CAPTURED: &str = "the gateway captured nothing";

/// What the references of the simulated gateway begin with. It has no ledger.
const SIMULATED: &str = "sim_";

/// Of each key, what was captured, voided and refunded there is what was paid here. The ledger was asked for at that
/// instant: what was paid or given back since may not be in it yet.
pub fn check(books: &Books, entries: &[LedgerEntry], asked_at: Timestamp) -> Check {
    let mut check = Check::new("payments");
    let mut accounts: HashMap<&str, Account> = HashMap::new();
    for entry in entries {
        accounts.entry(&entry.charge).or_default().add(entry);
    }
    let (mut on_their_way, mut simulated) = (0u64, 0u64);
    let paid = books.orders.values().filter(|order| is_paid(order.status));
    let keys: BTreeSet<&str> = accounts
        .keys()
        .copied()
        .chain(paid.map(|order| order.order_id.as_str()))
        .collect();
    for key in keys {
        check.checked += 1;
        let account = accounts.remove(key).unwrap_or_default();
        let order = books.orders.get(key);
        match compared(key, &account, order) {
            Ok(Verdict::Agrees) => {}
            Ok(Verdict::OnItsWay) => on_their_way += 1,
            Ok(Verdict::Simulated) => simulated += 1,
            Err(_) if order.is_some_and(|order| moved_since(order, asked_at)) => on_their_way += 1,
            Err(drift) => check.drift.push(drift),
        }
    }
    // Money that nobody should hold comes first.
    check
        .drift
        .sort_by_key(|drift| drift.ends_with(NOTHING_CAPTURED));
    let notes = [
        (on_their_way, "charges of orders that are on their way"),
        (simulated, "orders paid by the simulated gateway"),
    ];
    let notes = notes.iter().filter(|(count, _)| *count > 0);
    let notes: Vec<String> = notes
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    check.note = (!notes.is_empty()).then(|| notes.join("; "));
    check
}

/// There is no ledger: nothing to compare with, and nothing wrong with that.
pub fn unseen(why: &str) -> Check {
    let mut check = Check::new("payments");
    check.note = Some(why.to_owned());
    check
}

/// There should be a ledger, and it could not be read. Books that nobody looked at do not balance.
pub fn not_compared(why: &str) -> Check {
    let mut check = Check::new("payments");
    check.drift.push(format!("not compared: {why}"));
    check
}

fn moved_since(order: &OrderRecord, instant: Timestamp) -> bool {
    let moves = [order.paid_at, order.settled_at, order.given_back_at];
    moves.into_iter().flatten().any(|at| at >= instant)
}

enum Verdict {
    Agrees,
    OnItsWay,
    Simulated,
}

/// What the ledger says of one key.
#[derive(Default)]
struct Account<'a> {
    captures: u64,
    voids: u64,
    /// Captured, minus what was given back. Nothing where that is no amount: it overflowed.
    net: Net,
    currencies: BTreeSet<Currency>,
    payments: BTreeSet<&'a str>,
}

struct Net(Option<Decimal>);

impl Default for Net {
    fn default() -> Net {
        Net(Some(Decimal::ZERO))
    }
}

impl<'a> Account<'a> {
    fn add(&mut self, entry: &'a LedgerEntry) {
        let change = match entry.kind {
            Movement::Capture => {
                self.captures += 1;
                entry.amount
            }
            Movement::Void => {
                self.voids += 1;
                -entry.amount
            }
            Movement::Refund => -entry.amount,
        };
        // The amounts are somebody else's: they may be anything.
        self.net = Net(self.net.0.and_then(|net| net.checked_add(change)));
        self.currencies.insert(entry.currency);
        self.payments.insert(&entry.payment);
    }
}

fn compared(
    key: &str,
    account: &Account<'_>,
    order: Option<&OrderRecord>,
) -> Result<Verdict, String> {
    let Account {
        captures, voids, ..
    } = account;
    let Some(net) = account.net.0 else {
        return Err(format!("{key}: the ledger's amounts cannot be added up"));
    };
    if *captures > voids + 1 {
        return Err(format!(
            "{key}: captured {captures} times, voided {voids} times"
        ));
    }
    let Some(order) = order else {
        return match net.is_zero() {
            true => Ok(Verdict::Agrees),
            false => Err(format!(
                "{key}: the gateway holds {net}, and there is no such order"
            )),
        };
    };
    let OrderRecord {
        status,
        total,
        currency,
        refunded,
        payment,
        ..
    } = order;
    match status {
        // Nothing is promised yet: the answer may be on its way.
        Status::Reserved | Status::PaymentPending if net.is_zero() || net == *total => {
            Ok(Verdict::OnItsWay)
        }
        Status::Reserved | Status::PaymentPending => Err(format!(
            "{key} is {status} over {total}: the gateway holds {net}"
        )),
        Status::Failed if net.is_zero() => Ok(Verdict::Agrees),
        Status::Failed => Err(format!("{key} is {status}: the gateway holds {net}")),
        Status::Paid
        | Status::Completed
        | Status::Shipped
        | Status::Delivered
        | Status::Cancelled => {
            let ours = payment.as_deref().unwrap_or_default();
            // Nobody is asked for nothing.
            if *captures == 0 && total.is_zero() {
                return Ok(Verdict::Agrees);
            }
            if *captures == 0 && ours.starts_with(SIMULATED) {
                return Ok(Verdict::Simulated);
            }
            if *captures == 0 {
                return Err(format!(
                    "{key} is {status} with payment {ours:?}: {NOTHING_CAPTURED}"
                ));
            }
            let expected = total.checked_sub(*refunded);
            if expected != Some(net) {
                return Err(format!(
                    "{key} is {status}, {total} of which {refunded} refunded: the gateway holds {net}"
                ));
            }
            if account.currencies.iter().any(|theirs| theirs != currency) {
                return Err(format!("{key} is in {currency}: the ledger is in another"));
            }
            if account.payments.iter().any(|theirs| *theirs != ours) {
                return Err(format!(
                    "{key} has payment {ours:?}: the ledger has {:?}",
                    account.payments
                ));
            }
            Ok(Verdict::Agrees)
        }
    }
}

fn is_paid(status: Status) -> bool {
    match status {
        Status::Paid
        | Status::Completed
        | Status::Shipped
        | Status::Delivered
        | Status::Cancelled => true,
        Status::Reserved | Status::PaymentPending | Status::Failed => false,
    }
}

#[cfg(test)]
mod tests {
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
}
