use super::*;

/// An order of one line: `("O-1", "SKU-1", 2)`.
pub(crate) fn order(row: u64, order_id: &str, sku: &str, quantity: u32) -> Order {
    Order::new(
        draft(row, order_id, &[(sku, quantity)]),
        TotalPolicy::Declared,
    )
    .expect("a valid order")
}

pub(crate) fn draft(row: u64, order_id: &str, lines: &[(&str, u32)]) -> Draft {
    let line = |&(sku, quantity): &(&str, u32)| Line {
        sku: sku.to_owned(),
        quantity,
        unit_price: Decimal::new(999, 2),
    };
    Draft {
        order_id: order_id.to_owned(),
        row,
        customer_id: "C-1".to_owned(),
        currency: "USD".parse().expect("a currency"),
        declared_total: None,
        lines: lines.iter().map(line).collect(),
        priced_by_catalog: false,
        ordered_at: None,
    }
}

#[test]
fn the_declared_total_stands_and_the_difference_is_kept() {
    let with_total = |cents| Draft {
        declared_total: Some(Decimal::new(cents, 2)),
        ..draft(1, "O-1", &[("A", 2)])
    };
    let order = Order::new(with_total(1999), TotalPolicy::Declared).expect("accepted");
    assert_eq!(
        (order.total, order.adjustment),
        (Decimal::new(1999, 2), Decimal::new(1, 2))
    );
    assert_eq!(order.check(), Ok(()));
    assert!(matches!(
        Order::new(with_total(1999), TotalPolicy::Strict),
        Err(OrderError::TotalDiffers { .. })
    ));
    assert!(Order::new(with_total(1998), TotalPolicy::Strict).is_ok());
}

#[test]
fn what_cannot_be_an_order_is_refused_with_its_field() {
    let cases: [(Draft, &str); 8] = [
        (
            Draft {
                order_id: String::new(),
                ..draft(1, "", &[("A", 1)])
            },
            "order_id",
        ),
        (draft(1, "O\n1", &[("A", 1)]), "order_id"),
        (draft(1, "O\u{ffff}1", &[("A", 1)]), "order_id"),
        (draft(1, &"x".repeat(129), &[("A", 1)]), "order_id"),
        (draft(1, "O-1", &[]), "items"),
        (draft(1, "O-1", &[("A", 0)]), "quantity"),
        (draft(1, "O-1", &[("", 1)]), "sku"),
        (
            draft(1, "O-1", &vec![("A", 1); LINES_PER_ORDER + 1]),
            "items",
        ),
    ];
    for (draft, field) in cases {
        let refused = Order::new(draft.clone(), TotalPolicy::Declared).expect_err("refused");
        assert_eq!(refused.field(), field, "{draft:?}");
    }
}

#[test]
fn the_limits_themselves_are_allowed() {
    for units in [1, UNITS_PER_LINE] {
        assert_eq!(order(1, "O-1", "A", units).units()["A"], u64::from(units));
    }
    let refused = Order::new(
        draft(1, "O-1", &[("A", UNITS_PER_LINE + 1)]),
        TotalPolicy::Declared,
    );
    assert_eq!(refused, Err(OrderError::Quantity(UNITS_PER_LINE + 1)));
    for dots in [".", ".."] {
        let refused = Order::new(draft(1, dots, &[("A", 1)]), TotalPolicy::Declared);
        assert_eq!(refused, Err(OrderError::OnlyDots("order_id")));
    }
    assert!(Order::new(draft(1, "...", &[("A", 1)]), TotalPolicy::Declared).is_ok());
    // What is not ASCII is not refused for it.
    assert!(Order::new(draft(1, "Bestellung-ü", &[("A", 1)]), TotalPolicy::Declared).is_ok());
}

#[test]
fn a_policy_is_one_of_two() {
    assert_eq!("declared".parse(), Ok(TotalPolicy::Declared));
    assert_eq!("strict".parse(), Ok(TotalPolicy::Strict));
    assert!("lenient".parse::<TotalPolicy>().is_err());
}

#[test]
fn contact_data_is_checked_field_by_field() {
    let with = |address: &str, name: &str| Contact {
        customer_id: "C-1".to_owned(),
        name: Some(name.to_owned()),
        address: Some(address.to_owned()),
        ..Contact::default()
    };
    assert_eq!(check_contact(&with("1 Main St\nTown", "Ada")), Ok(()));
    let refused = check_contact(&with("1 Main St", "A\nda"));
    assert_eq!(refused, Err(OrderError::ControlCharacter("customer_name")));
    let refused = check_contact(&with(&"x".repeat(TEXT_BYTES + 1), "Ada"));
    assert!(matches!(
        refused,
        Err(OrderError::TooLong {
            field: "address",
            ..
        })
    ));
    assert!(!with("1 Main St", "Ada").is_empty() && Contact::default().is_empty());
}

#[test]
fn a_tampered_order_does_not_pass_the_check() {
    let mut tampered = order(1, "O-1", "A", 2);
    tampered.total = Decimal::new(1, 2);
    assert!(tampered.check().is_err());
}
