//! What can be typed about notifications.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::notification::{Kind, Standing};
use domain::preferences::Channel;
use jiff::civil::Date;

use super::figures::day;

#[derive(Subcommand)]
pub enum Notifications {
    /// What customers were told, and whoever runs the mill, the newest first.
    List(List),
    /// All that is known of a notification, or of those of an order or an import, with the text.
    Show {
        /// A notification (nt_…), an order, or an import.
        id: String,
    },
    /// How many there are of each sort.
    Stats {
        /// The first day, in UTC [default: 29 days before the last]
        #[arg(long, value_parser = day)]
        from: Option<Date>,
        /// The last day; 31 of them at most [default: today]
        #[arg(long, value_parser = day)]
        to: Option<Date>,
    },
    /// Build the counters and the index of sorts anew from the records, while others go on. Needed once after an update from
    /// a release that had none.
    Recount,
    /// Send one that failed, or that the customer did not want, once more.
    Resend {
        id: String,
        /// Also one that was sent, or whose message was lost.
        #[arg(long)]
        force: bool,
    },
    /// What a customer would read of an order, or whoever runs the mill of an import.
    Preview(Preview),
    /// Send a mail of a made-up order, to see whether the mail service takes it.
    Test {
        /// Where to.
        address: String,
    },
}

impl Notifications {
    pub fn is_change(&self) -> bool {
        match self {
            Notifications::List(_)
            | Notifications::Show { .. }
            | Notifications::Stats { .. }
            | Notifications::Preview(_) => false,
            Notifications::Recount | Notifications::Resend { .. } | Notifications::Test { .. } => {
                true
            }
        }
    }
}

#[derive(Args)]
pub struct List {
    /// Only these: confirmation, failed, refund, shipping, delivery, cancellation, import.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<Kind>,
    /// Only these: email, log.
    #[arg(long)]
    pub channel: Option<Channel>,
    /// Only these: pending, sent, failed, suppressed.
    #[arg(long)]
    pub status: Option<Standing>,
    /// Only those of this customer.
    #[arg(long)]
    pub customer: Option<String>,
    /// The first day, in UTC [default: thirty days before the last]
    #[arg(long, value_parser = day)]
    pub from: Option<Date>,
    /// The last day [default: today]
    #[arg(long, value_parser = day)]
    pub to: Option<Date>,
    /// So many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[derive(Args)]
pub struct Preview {
    /// An order; of the type import, an import that is over.
    pub id: String,
    /// confirmation, failed, refund, shipping, delivery, cancellation or import.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Kind,
    /// In this language [default: the stack's]
    #[arg(long)]
    pub language: Option<String>,
    /// Write the page that mail programs show into this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
