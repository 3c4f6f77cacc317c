//! What can be typed about refunds.

use clap::{ArgGroup, Args, Subcommand};
use domain::money::parse_decimal;
use domain::refund::{Wanted, WantedLine};
use rust_decimal::Decimal;

const REFUND: &str = "\
Give back some or all of what was paid for an order.

The key names the refund: the same command under the same key asks for the same refund, and never gives money back twice.
Without one, a key is drawn and printed. What comes back by lines is refunded at the price that was paid, and at most what
is left of the order.";

#[derive(Args)]
#[command(long_about = REFUND, group(ArgGroup::new("wanted").args(["amount", "full", "lines"]).required(true)))]
pub struct Refund {
    pub order_id: String,
    /// This much, in the order's currency.
    #[arg(long, value_parser = amount)]
    pub amount: Option<Decimal>,
    /// All that is left.
    #[arg(long)]
    pub full: bool,
    /// What so many units of a product cost; may be given for several products.
    #[arg(long = "line", value_name = "SKU=N", value_parser = line)]
    pub lines: Vec<(String, u32)>,
    /// What comes back by lines can be sold again.
    #[arg(long, conflicts_with_all = ["amount", "full"])]
    pub restock: bool,
    /// Why: for whoever asks later, and for the customer, who reads it.
    #[arg(long)]
    pub reason: String,
    /// Names the refund, so that asking twice gives back once [default: a random one]
    #[arg(long)]
    pub key: Option<String>,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Args)]
pub struct Wait {
    /// Do not wait until the gateway has answered.
    #[arg(long)]
    pub no_wait: bool,
    /// Give up waiting after so many seconds. The refund itself goes on.
    #[arg(long, default_value_t = 60, conflicts_with = "no_wait")]
    pub timeout: u64,
}

impl Refund {
    pub fn wanted(&self) -> Wanted {
        match self.amount {
            Some(amount) => Wanted::Amount(amount),
            None if self.full => Wanted::Full,
            None => {
                let lines = self.lines.iter().map(|(sku, quantity)| WantedLine {
                    sku: sku.clone(),
                    quantity: *quantity,
                    restock: self.restock,
                });
                Wanted::Lines(lines.collect())
            }
        }
    }
}

#[derive(Subcommand)]
pub enum Refunds {
    /// All refunds, or those of an order, the first one first.
    List {
        #[arg(long)]
        order: Option<String>,
    },
    /// All that is known of a refund.
    Show { id: String },
    /// Take back a refund that the gateway was not asked for yet.
    Cancel { id: String },
    /// Try a refund again that the gateway refused.
    Retry {
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Refunds {
    pub fn is_change(&self) -> bool {
        match self {
            Refunds::List { .. } | Refunds::Show { .. } => false,
            Refunds::Cancel { .. } | Refunds::Retry { .. } => true,
        }
    }
}

fn amount(text: &str) -> Result<Decimal, String> {
    let amount = parse_decimal(text).map_err(|error| error.to_string())?;
    match amount > Decimal::ZERO {
        true => Ok(amount),
        false => Err("an amount that goes back is more than nothing".to_owned()),
    }
}

/// A SKU may hold the sign itself: it is the last one that counts.
fn line(text: &str) -> Result<(String, u32), String> {
    let wrong = || "a line is written as SKU=N, for N units that come back".to_owned();
    let (sku, units) = text.rsplit_once('=').ok_or_else(wrong)?;
    match units.parse() {
        Ok(units) if units > 0 && !sku.is_empty() => Ok((sku.to_owned(), units)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    fn parsed(line: &str) -> Result<Refund, ErrorKind> {
        let line = format!("ordermill refund {line}");
        match Arguments::try_parse_from(line.split_whitespace()) {
            Ok(Arguments {
                command: Command::Refund(refund),
                ..
            }) => Ok(refund),
            Ok(_) => panic!("{line}"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn one_thing_is_wanted() {
        let wanted = |line: &str| parsed(&format!("O-1 --reason x {line}")).map(|one| one.wanted());
        assert_eq!(
            wanted("--amount 5.50"),
            Ok(Wanted::Amount(Decimal::new(550, 2)))
        );
        assert_eq!(wanted("--full"), Ok(Wanted::Full));
        let line = |sku: &str, quantity, restock| WantedLine {
            sku: sku.to_owned(),
            quantity,
            restock,
        };
        assert_eq!(
            wanted("--line A=1 --line b=c=20 --restock"),
            Ok(Wanted::Lines(vec![
                line("A", 1, true),
                line("b=c", 20, true)
            ]))
        );
        for (line, error) in [
            ("", ErrorKind::MissingRequiredArgument),
            ("--restock", ErrorKind::MissingRequiredArgument),
            ("--amount 5 --full", ErrorKind::ArgumentConflict),
            ("--full --line A=1", ErrorKind::ArgumentConflict),
            ("--full --restock", ErrorKind::ArgumentConflict),
            ("--amount 0", ErrorKind::ValueValidation),
            ("--amount=-1", ErrorKind::ValueValidation),
            ("--amount 1,5", ErrorKind::ValueValidation),
            ("--line A", ErrorKind::ValueValidation),
            ("--line A=0", ErrorKind::ValueValidation),
            ("--line =1", ErrorKind::ValueValidation),
            ("--full --no-wait --timeout 5", ErrorKind::ArgumentConflict),
        ] {
            assert_eq!(wanted(line).err(), Some(error), "{line}");
        }
        assert_eq!(
            parsed("O-1 --full").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
    }
}
