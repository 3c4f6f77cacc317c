//! What can be typed about single orders.

use clap::{Args, Subcommand};

use super::refunds::Wait;

const CANCEL: &str = "\
Cancel an order that is completed and not shipped.

What is left of it is refunded, and what had not come back can be sold again. Repeating it is harmless. An order of which a
refund is on its way cannot be cancelled before that has ended.";

#[derive(Subcommand)]
pub enum Order {
    /// Everything that is known of an order.
    Get { order_id: String },
    /// What an order went through, from its row to its last refund, and where the journal says so.
    Trace { order_id: String },
    /// A completed order was handed to whoever carries it.
    Ship(Deed),
    /// A shipped order arrived.
    Deliver(Deed),
    /// Cancel an order that is completed and not shipped: refund what is left, and restock it.
    #[command(long_about = CANCEL)]
    Cancel {
        #[command(flatten)]
        deed: Deed,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Order {
    pub fn is_change(&self) -> bool {
        match self {
            Order::Get { .. } | Order::Trace { .. } => false,
            Order::Ship(_) | Order::Deliver(_) | Order::Cancel { .. } => true,
        }
    }
}

#[derive(Args)]
pub struct Deed {
    pub order_id: String,
    /// Why: for whoever asks later, and for the customer, who reads it.
    #[arg(long)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    fn parsed(line: &str) -> Result<Order, ErrorKind> {
        let line = format!("ordermill order {line}");
        match Arguments::try_parse_from(line.split_whitespace()) {
            Ok(Arguments {
                command: Command::Order(order),
                ..
            }) => Ok(order),
            Ok(_) => panic!("{line}"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn one_order_is_named_and_only_who_cancels_may_wait() {
        let Ok(Order::Ship(deed)) = parsed("ship O-1 --reason late") else {
            panic!("not understood");
        };
        let said = (deed.order_id.as_str(), deed.reason.as_deref());
        assert_eq!(said, ("O-1", Some("late")));
        let Ok(Order::Cancel { deed, wait }) = parsed("cancel O-1 --no-wait") else {
            panic!("not understood");
        };
        assert_eq!((deed.reason, wait.no_wait), (None, true));
        assert!(matches!(parsed("trace O-1"), Ok(Order::Trace { .. })));
        for (line, error) in [
            ("ship", ErrorKind::MissingRequiredArgument),
            ("cancel", ErrorKind::MissingRequiredArgument),
            ("trace", ErrorKind::MissingRequiredArgument),
            ("ship O-1 O-2", ErrorKind::UnknownArgument),
            ("ship O-1 --no-wait", ErrorKind::UnknownArgument),
            (
                "cancel O-1 --no-wait --timeout 5",
                ErrorKind::ArgumentConflict,
            ),
        ] {
            assert_eq!(parsed(line).err(), Some(error), "{line}");
        }
    }
}
