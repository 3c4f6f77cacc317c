use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minutes).expect("an instant")
}

fn usd(cents: i64) -> Money {
    money(cents, "USD")
}

fn money(cents: i64, currency: &str) -> Money {
    let currency = currency.parse().expect("a currency");
    Money::new(Decimal::new(cents, 2), currency).expect("an amount")
}

fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> ProblemCode {
    answer.expect_err("a refusal").code
}

/// With one charge of 10.00 USD under `O-1`.
fn charged(verdict: Verdict) -> Book {
    let mut book = Book::new(HOUR);
    let answer = book.charge("O-1", usd(1000), verdict, at(0));
    answer.expect("a charge");
    book
}

fn movements(book: &Book) -> Vec<(u64, Movement, i64)> {
    let entries = book.entries().iter();
    entries
        .map(|entry| {
            let cents = (entry.amount * Decimal::from(100)).try_into();
            (entry.number, entry.kind, cents.expect("cents"))
        })
        .collect()
}

#[test]
fn a_key_is_charged_once_whatever_the_verdicts_are() {
    for (verdict, status, captures) in [
        (Verdict::Approve, ChargeStatus::Approved, 1),
        (Verdict::Decline, ChargeStatus::Declined, 0),
        (Verdict::Wait, ChargeStatus::Pending, 0),
    ] {
        let mut book = charged(verdict);
        for again in [Verdict::Approve, Verdict::Decline, Verdict::Wait] {
            let answer = book.charge("O-1", usd(1000), again, at(1));
            let answer = answer.expect("the same answer");
            assert_eq!(
                (answer.status, &answer),
                (status, &book.find("O-1").expect("it"))
            );
        }
        for other in [usd(1001), money(1000, "EUR")] {
            let answer = book.charge("O-1", other, Verdict::Approve, at(1));
            assert_eq!(code(answer), ProblemCode::KeyReused);
        }
        assert_eq!(book.entries().len(), captures);
    }
}

#[test]
fn only_what_is_pending_is_resolved_and_only_once() {
    for (approved, status) in [
        (true, ChargeStatus::Approved),
        (false, ChargeStatus::Declined),
    ] {
        let mut book = charged(Verdict::Wait);
        assert_eq!(book.resolve("O-1", approved, at(1)), Some(status));
        for again in [true, false] {
            assert_eq!(book.resolve("O-1", again, at(2)), None);
        }
        assert_eq!(book.entries().len(), usize::from(approved));
    }
    assert_eq!(charged(Verdict::Decline).resolve("O-1", true, at(1)), None);
    assert_eq!(charged(Verdict::Wait).resolve("O-2", true, at(1)), None);
}

#[test]
fn a_void_gives_back_what_is_not_settled() {
    use ChargeStatus::{Approved, Declined, Voided};
    use Voidable::{Any, Pending};
    for (verdict, which, minutes, expected, entries) in [
        (Verdict::Wait, Pending, 600, Voided, 0),
        (Verdict::Wait, Any, 600, Voided, 0),
        (Verdict::Decline, Any, 0, Declined, 0),
        (Verdict::Approve, Pending, 0, Approved, 1),
        (Verdict::Approve, Any, 59, Voided, 2),
        (Verdict::Approve, Any, 60, Approved, 1),
    ] {
        let mut book = charged(verdict);
        for _ in 0..2 {
            let answer = book.void("O-1", which, at(minutes)).expect("an answer");
            assert_eq!(answer.status, expected, "{verdict:?} {which:?} {minutes}");
        }
        assert_eq!(book.entries().len(), entries);
    }
    let unknown = charged(Verdict::Approve).void("O-2", Any, at(0));
    assert_eq!(code(unknown), ProblemCode::NotFound);
}

#[test]
fn a_bank_may_say_yes_after_all_but_takes_the_money_once() {
    let mut book = charged(Verdict::Wait);
    let voided = book.void("O-1", Voidable::Pending, at(1));
    assert_eq!(voided.expect("a void").status, ChargeStatus::Voided);
    let approved = Some(ChargeStatus::Approved);
    assert_eq!(book.approve_after_all("O-1", at(30)), approved);
    assert_eq!(book.approve_after_all("O-1", at(30)), None);
    let voided = book.void("O-1", Voidable::Any, at(31));
    assert_eq!(voided.expect("a void").status, ChargeStatus::Voided);
    assert_eq!(book.approve_after_all("O-1", at(32)), None);
    assert_eq!(
        movements(&book),
        [(1, Movement::Capture, 1000), (2, Movement::Void, 1000)]
    );
    let mut declined = charged(Verdict::Decline);
    assert_eq!(declined.approve_after_all("O-1", at(1)), approved);
}

#[test]
fn no_more_is_refunded_than_what_is_left() {
    let mut book = charged(Verdict::Approve);
    let mut refund = |key: &str, amount| book.refund(key, "O-1", amount, at(1));
    let first = refund("R-1", usd(400)).expect("a refund");
    assert_eq!(refund("R-1", usd(400)), Ok(first));
    assert_eq!(code(refund("R-1", usd(401))), ProblemCode::KeyReused);
    for refused in [usd(601), usd(0), money(100, "EUR")] {
        assert_eq!(code(refund("R-2", refused)), ProblemCode::NotRefundable);
    }
    // A refusal leaves nothing behind.
    assert_eq!(
        refund("R-2", usd(600)).expect("a refund").amount,
        Decimal::new(600, 2)
    );
    assert_eq!(code(refund("R-3", usd(1))), ProblemCode::NotRefundable);
    let voided = book.void("O-1", Voidable::Any, at(2)).expect("an answer");
    assert_eq!(voided.status, ChargeStatus::Approved);
    assert_eq!(
        movements(&book),
        [
            (1, Movement::Capture, 1000),
            (2, Movement::Refund, 400),
            (3, Movement::Refund, 600)
        ]
    );
    for verdict in [Verdict::Decline, Verdict::Wait] {
        let refused = charged(verdict).refund("R-1", "O-1", usd(1), at(1));
        assert_eq!(code(refused), ProblemCode::NotRefundable);
    }
    let unknown = book.refund("R-9", "O-9", usd(1), at(1));
    assert_eq!(code(unknown), ProblemCode::NotRefundable);
}

#[test]
fn pages_hold_every_entry_once() {
    let mut book = Book::new(HOUR);
    for number in 0..2 * LEDGER_PAGE {
        let charged = book.charge(&number.to_string(), usd(100), Verdict::Approve, at(0));
        charged.expect("a charge");
    }
    let first = book.page(0);
    assert_eq!(
        (first.entries.len(), first.next),
        (LEDGER_PAGE, Some(LEDGER_PAGE as u64))
    );
    let second = book.page(LEDGER_PAGE as u64);
    // The last page is full, and says that it is the last.
    assert_eq!((second.entries.len(), second.next), (LEDGER_PAGE, None));
    assert_eq!([first.entries, second.entries].concat(), book.entries());
    for beyond in [2 * LEDGER_PAGE as u64, u64::MAX] {
        assert_eq!(
            book.page(beyond),
            LedgerPage {
                entries: Vec::new(),
                next: None
            }
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Charge(u8, i64, Verdict),
    Resolve(u8, bool),
    ApproveAfterAll(u8),
    Void(u8, bool),
    Refund(u8, u8, i64),
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let key = 0u8..3;
    let verdict = prop_oneof![
        Just(Verdict::Approve),
        Just(Verdict::Decline),
        Just(Verdict::Wait)
    ];
    let step = prop_oneof![
        (key.clone(), 1i64..4, verdict)
            .prop_map(|(key, cents, verdict)| Step::Charge(key, cents, verdict)),
        (key.clone(), any::<bool>()).prop_map(|(key, yes)| Step::Resolve(key, yes)),
        key.clone().prop_map(Step::ApproveAfterAll),
        (key.clone(), any::<bool>()).prop_map(|(key, any)| Step::Void(key, any)),
        (0u8..6, key, 0i64..4).prop_map(|(key, charge, cents)| Step::Refund(key, charge, cents)),
    ];
    prop::collection::vec((step, 0i64..40), 0..60)
}

/// Of each charge: captures, voids, and what the customer is out of.
fn nets(book: &Book) -> BTreeMap<String, (u32, u32, Decimal)> {
    let mut nets: BTreeMap<String, (u32, u32, Decimal)> = BTreeMap::new();
    for entry in book.entries() {
        let (captures, voids, net) = nets.entry(entry.charge.clone()).or_default();
        match entry.kind {
            Movement::Capture => {
                *captures += 1;
                *net += entry.amount;
            }
            Movement::Void => {
                *voids += 1;
                *net -= entry.amount;
            }
            Movement::Refund => *net -= entry.amount,
        }
        assert!(!net.is_sign_negative() || net.is_zero(), "{entry:?}");
    }
    nets
}

proptest! {
    /// Whatever is asked in whatever sequence: the ledger says of each charge what its status says, nobody gets back
    /// more than was taken, and asking again moves nothing.
    #[test]
    fn the_ledger_and_the_charges_agree(steps in steps()) {
        let mut book = Book::new(HOUR);
        let mut now = 0;
        for (step, minutes) in steps {
            now += minutes;
            let mut moved = Vec::new();
            for _ in 0..2 {
                match step.clone() {
                    Step::Charge(key, cents, verdict) => drop(book.charge(&key.to_string(), usd(cents), verdict, at(now))),
                    Step::Resolve(key, yes) => drop(book.resolve(&key.to_string(), yes, at(now))),
                    Step::ApproveAfterAll(key) => drop(book.approve_after_all(&key.to_string(), at(now))),
                    Step::Void(key, any) => {
                        let which = if any { Voidable::Any } else { Voidable::Pending };
                        drop(book.void(&key.to_string(), which, at(now)));
                    }
                    Step::Refund(key, charge, cents) => {
                        drop(book.refund(&key.to_string(), &charge.to_string(), usd(cents), at(now)));
                    }
                }
                moved.push(book.entries().len());
            }
            prop_assert_eq!(moved[0], moved[1]);
        }
        let nets = nets(&book);
        let refunded = |key: &str| -> Decimal {
            book.refunds.values().filter(|refund| refund.charge == key).map(|refund| refund.amount).sum()
        };
        for charge in book.charges() {
            let (captures, voids, net) = nets.get(&charge.key).copied().unwrap_or_default();
            prop_assert!(captures <= 1);
            let expected = match charge.status {
                ChargeStatus::Approved => charge.amount - refunded(&charge.key),
                _ => Decimal::ZERO,
            };
            prop_assert_eq!(net, expected);
            prop_assert_eq!(captures - voids, u32::from(charge.status == ChargeStatus::Approved));
        }
        for (at, entry) in book.entries().iter().enumerate() {
            prop_assert_eq!(entry.number, at as u64 + 1);
        }
    }
}
