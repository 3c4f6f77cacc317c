use super::*;

fn usd() -> Currency {
    "USD".parse().expect("a currency")
}

fn cents(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

/// Two of A at 10.00, one of B at 5.00, and three more of A at 8.00.
fn ordered() -> Vec<Line> {
    let line = |(sku, quantity, price): (&str, u32, i64)| Line {
        sku: sku.to_owned(),
        quantity,
        unit_price: cents(price),
    };
    [("A", 2, 1000), ("B", 1, 500), ("A", 3, 800)]
        .map(line)
        .to_vec()
}

fn account() -> Account {
    Account {
        refundable: cents(4900),
        refunding: Decimal::ZERO,
        refunded: Decimal::ZERO,
        returned: Vec::new(),
    }
}

fn lines(wanted: &[(&str, u32)]) -> Wanted {
    let line = |(sku, quantity): &(&str, u32)| WantedLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        restock: false,
    };
    Wanted::Lines(wanted.iter().map(line).collect())
}

#[test]
fn a_refund_is_taken_back_before_the_gateway_is_asked_and_never_after() {
    use RefundStatus::*;
    assert_eq!(sources(RefundEvent::Cancel), [Pending]);
    assert_eq!(sources(RefundEvent::Begin), [Pending]);
    assert_eq!(sources(RefundEvent::Complete), [Processing]);
    assert_eq!(sources(RefundEvent::Fail), [Processing]);
    assert_eq!(sources(RefundEvent::Retry), [Failed]);
    assert_eq!(next(None, RefundEvent::Request), Some(Pending));
    assert_eq!(sources(RefundEvent::Request), []);
}

#[test]
fn money_that_went_back_stays_there() {
    use RefundEvent::*;
    for event in [Request, Begin, Complete, Fail, Cancel, Retry] {
        for status in [RefundStatus::Completed, RefundStatus::Cancelled] {
            assert_eq!(next(Some(status), event), None, "{event:?} of {status}");
        }
    }
    for status in RefundStatus::ALL {
        assert_eq!(serde_json::to_value(status).expect("json"), status.name());
    }
}

#[test]
fn what_is_wanted_comes_to_an_amount_or_is_refused() {
    let plan = |wanted: &Wanted| account().plan(wanted, &ordered(), usd());
    let amount = |wanted: &Wanted| plan(wanted).map(|(amount, _)| amount);
    assert_eq!(amount(&Wanted::Full), Ok(cents(4900)));
    assert_eq!(amount(&Wanted::Amount(Decimal::ONE)), Ok(cents(100)));
    let left = Refusal::NotRefundable { left: cents(4900) };
    assert_eq!(amount(&Wanted::Amount(cents(4901))), Err(left));
    for wrong in [
        Wanted::Amount(Decimal::ZERO),
        Wanted::Amount(cents(-1)),
        Wanted::Amount(Decimal::new(1, 3)),
        lines(&[]),
        lines(&[("A", 0)]),
    ] {
        assert!(
            matches!(amount(&wrong), Err(Refusal::Invalid { .. })),
            "{wrong:?}"
        );
    }
    // Two at the first line's price, and one at the other's.
    assert_eq!(amount(&lines(&[("A", 2), ("A", 1)])), Ok(cents(2800)));
    for (wanted, sku, left) in [
        (lines(&[("A", 6)]), "A", 5),
        (lines(&[("B", 1), ("B", 1)]), "B", 1),
        (lines(&[("C", 1)]), "C", 0),
    ] {
        let sku = sku.to_owned();
        assert_eq!(amount(&wanted), Err(Refusal::TooManyUnits { sku, left }));
    }
}

#[test]
fn lines_of_an_order_that_cost_less_take_what_is_left() {
    let cheap = Account {
        refundable: cents(700),
        ..account()
    };
    let (amount, lines) = cheap
        .plan(&lines(&[("A", 1)]), &ordered(), usd())
        .expect("a refund");
    assert_eq!((amount, lines.len()), (cents(700), 1));
    let nothing = Account {
        refundable: Decimal::ZERO,
        ..account()
    };
    for wanted in [
        Wanted::Full,
        self::lines(&[("A", 1)]),
        Wanted::Amount(cents(1)),
    ] {
        let left = Refusal::NotRefundable {
            left: Decimal::ZERO,
        };
        assert_eq!(
            nothing.plan(&wanted, &ordered(), usd()),
            Err(left),
            "{wanted:?}"
        );
    }
}

#[test]
fn money_and_units_move_and_are_never_lost() {
    let (amount, taken) = account()
        .plan(&lines(&[("A", 3)]), &ordered(), usd())
        .expect("a refund");
    let part: Part<'_> = (amount, &taken);
    let open = account().take(part, &ordered()).expect("enough");
    assert_eq!(
        (open.refundable, open.refunding),
        (cents(2100), cents(2800))
    );
    assert_eq!(open.returned, [2, 0, 1]);
    // What came back is not there to come back again.
    let more = open.plan(&lines(&[("A", 3)]), &ordered(), usd());
    let sku = "A".to_owned();
    assert_eq!(more, Err(Refusal::TooManyUnits { sku, left: 2 }));
    assert_eq!(open.take(part, &ordered()), None);
    assert_eq!(open.give_back(part), Some(account()));
    let settled = open.settle(amount).expect("money on its way");
    assert_eq!(
        (settled.refunding, settled.refunded),
        (Decimal::ZERO, cents(2800))
    );
    assert_eq!(
        (settled.settle(amount), settled.give_back(part)),
        (None, None)
    );
}

#[test]
fn an_order_is_paid_until_all_of_it_went_back() {
    let of = |refunded| PaymentStatus::of(cents(1000), cents(refunded)).name();
    assert_eq!(
        (of(0), of(1), of(1000)),
        ("paid", "partially_refunded", "refunded")
    );
    assert_eq!(
        PaymentStatus::of(Decimal::ZERO, Decimal::ZERO),
        PaymentStatus::Paid
    );
}

#[test]
fn a_cancelled_order_gives_back_what_had_not_come_back() {
    let account = |refundable, refunding, refunded, returned: &[u32]| Account {
        refundable: cents(refundable),
        refunding: cents(refunding),
        refunded: cents(refunded),
        returned: returned.to_vec(),
    };
    for (before, expected) in [
        (
            account(4900, 0, 0, &[]),
            Some((account(0, 4900, 0, &[2, 1, 3]), vec![2, 1, 3])),
        ),
        (
            account(3400, 0, 1500, &[1, 1, 0]),
            Some((account(0, 3400, 1500, &[2, 1, 3]), vec![1, 0, 3])),
        ),
        (
            account(0, 0, 4900, &[2, 1, 3]),
            Some((account(0, 0, 4900, &[2, 1, 3]), vec![0, 0, 0])),
        ),
        (account(4800, 100, 0, &[]), None),
        // More came back than was ordered.
        (account(4900, 0, 0, &[0, 2, 0]), None),
    ] {
        assert_eq!(before.cancel(&ordered()), expected, "{before:?}");
    }
}
