//! The life of an order: one `match` decides, and the store's conditions are derived from it.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Reserved,
    PaymentPending,
    Paid,
    Completed,
    Shipped,
    Delivered,
    Cancelled,
    Failed,
}

/// Why an order failed. A closed list: each is a known refusal, never a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    OutOfStock,
    UnknownProduct,
    /// The order names no price, and the catalog none in its currency.
    NoPrice,
    PaymentDeclined,
    PaymentExpired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Stock was taken, or the order is put on record as refused.
    Reserve,
    Refuse,
    /// The gateway answered "later".
    Hold,
    Pay,
    Complete,
    /// Declined or expired: the stock goes back.
    Fail,
    Ship,
    Deliver,
    Cancel,
}

impl Status {
    pub const ALL: [Status; 8] = [
        Status::Reserved,
        Status::PaymentPending,
        Status::Paid,
        Status::Completed,
        Status::Shipped,
        Status::Delivered,
        Status::Cancelled,
        Status::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Status::Reserved => "RESERVED",
            Status::PaymentPending => "PAYMENT_PENDING",
            Status::Paid => "PAID",
            Status::Completed => "COMPLETED",
            Status::Shipped => "SHIPPED",
            Status::Delivered => "DELIVERED",
            Status::Cancelled => "CANCELLED",
            Status::Failed => "FAILED",
        }
    }

    /// Whether stock is held for the order without being sold.
    pub fn holds_reservation(self) -> bool {
        matches!(
            self,
            Status::Reserved | Status::PaymentPending | Status::Paid
        )
    }

    /// Whether the order's units count as sold. A cancelled order gives them back.
    pub fn is_sold(self) -> bool {
        matches!(
            self,
            Status::Completed | Status::Shipped | Status::Delivered
        )
    }

    /// Whether money may go back. The rest of a cancelled order is owed for as long as the gateway refuses to return it.
    pub fn is_refundable(self) -> bool {
        self.is_sold() || self == Status::Cancelled
    }
}

impl Reason {
    pub const ALL: [Reason; 5] = [
        Reason::OutOfStock,
        Reason::UnknownProduct,
        Reason::NoPrice,
        Reason::PaymentDeclined,
        Reason::PaymentExpired,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Reason::OutOfStock => "out_of_stock",
            Reason::UnknownProduct => "unknown_product",
            Reason::NoPrice => "no_price",
            Reason::PaymentDeclined => "payment_declined",
            Reason::PaymentExpired => "payment_expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The status that `event` leads to, or nothing where it must not happen. `None` is an order that is not there yet.
pub fn next(status: Option<Status>, event: Event) -> Option<Status> {
    use Status::*;
    match (status, event) {
        (None, Event::Reserve) => Some(Reserved),
        (None, Event::Refuse) => Some(Failed),
        (Some(Reserved), Event::Hold) => Some(PaymentPending),
        (Some(Reserved | PaymentPending), Event::Pay) => Some(Paid),
        (Some(Reserved | PaymentPending), Event::Fail) => Some(Failed),
        (Some(Paid), Event::Complete) => Some(Completed),
        (Some(Completed), Event::Ship) => Some(Shipped),
        (Some(Completed), Event::Cancel) => Some(Cancelled),
        (Some(Shipped), Event::Deliver) => Some(Delivered),
        _ => None,
    }
}

/// The statuses in which `event` may happen: what a write has to find.
pub fn sources(event: Event) -> Vec<Status> {
    Status::ALL
        .into_iter()
        .filter(|status| next(Some(*status), event).is_some())
        .collect()
}

/// Whether an order in `status` has had `event` already: its target, or what can only come after it.
pub fn has_had(status: Status, event: Event) -> bool {
    let mut reached: Vec<Status> = sources(event)
        .into_iter()
        .filter_map(|source| next(Some(source), event))
        .collect();
    if matches!(event, Event::Reserve | Event::Refuse) {
        reached.extend(next(None, event));
    }
    let events = [
        Event::Hold,
        Event::Pay,
        Event::Complete,
        Event::Fail,
        Event::Ship,
        Event::Deliver,
        Event::Cancel,
    ];
    let mut visited = 0;
    while let Some(&found) = reached.get(visited) {
        for after in events
            .into_iter()
            .filter_map(|event| next(Some(found), event))
        {
            if !reached.contains(&after) {
                reached.push(after);
            }
        }
        visited = visited.saturating_add(1);
    }
    reached.contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_that_was_taken_is_never_rolled_back() {
        for status in Status::ALL {
            let charged = !matches!(status, Status::Reserved | Status::PaymentPending);
            assert!(
                !charged || next(Some(status), Event::Fail).is_none(),
                "{status} fails"
            );
        }
    }

    #[test]
    fn stock_is_held_until_an_order_is_settled_and_sold_until_it_is_cancelled() {
        use Status::*;
        for status in Status::ALL {
            let open = [Reserved, PaymentPending, Paid].contains(&status);
            let sold = [Completed, Shipped, Delivered].contains(&status);
            assert_eq!(
                (status.holds_reservation(), status.is_sold()),
                (open, sold),
                "{status}"
            );
            let owed = sold || status == Cancelled;
            assert_eq!(status.is_refundable(), owed, "{status}");
        }
        assert_eq!(next(Some(Reserved), Event::Hold), Some(PaymentPending));
        assert_eq!(sources(Event::Hold), [Reserved]);
        let had = Status::ALL
            .into_iter()
            .filter(|status| has_had(*status, Event::Hold));
        assert_eq!(had.filter(|status| *status == Reserved).count(), 0);
    }

    #[test]
    fn an_order_is_born_reserved_or_failed() {
        assert_eq!(next(None, Event::Reserve), Some(Status::Reserved));
        assert_eq!(next(None, Event::Refuse), Some(Status::Failed));
        for event in [
            Event::Hold,
            Event::Pay,
            Event::Complete,
            Event::Fail,
            Event::Ship,
            Event::Deliver,
            Event::Cancel,
        ] {
            assert_eq!(next(None, event), None, "{event:?}");
        }
    }

    #[test]
    fn a_repeated_event_is_told_from_one_that_is_due() {
        use Status::*;
        let cases = [
            (
                Event::Pay,
                vec![Paid, Completed, Shipped, Delivered, Cancelled],
            ),
            (
                Event::Complete,
                vec![Completed, Shipped, Delivered, Cancelled],
            ),
            (Event::Fail, vec![Failed]),
            (Event::Ship, vec![Shipped, Delivered]),
            (Event::Deliver, vec![Delivered]),
            (Event::Cancel, vec![Cancelled]),
        ];
        for (event, had) in cases {
            for status in Status::ALL {
                assert_eq!(
                    has_had(status, event),
                    had.contains(&status),
                    "{event:?} in {status}"
                );
            }
        }
    }

    #[test]
    fn names_are_those_on_the_wire() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).expect("json"), status.name());
        }
        for reason in [
            Reason::OutOfStock,
            Reason::UnknownProduct,
            Reason::PaymentDeclined,
            Reason::PaymentExpired,
        ] {
            assert_eq!(serde_json::to_value(reason).expect("json"), reason.name());
        }
    }
}
