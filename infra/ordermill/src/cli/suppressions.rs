//! What can be typed about addresses that get no mail.

use clap::Subcommand;
use domain::suppression::Address;

#[derive(Subcommand)]
pub enum Suppressions {
    /// Addresses that get no mail, and why.
    List,
    /// Send no more mail to an address.
    Add {
        address: Address,
        /// Why, for whoever asks later.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Send mail to an address again. What was suppressed meanwhile is sent when it is resent.
    Remove { address: Address },
}

impl Suppressions {
    pub fn is_change(&self) -> bool {
        match self {
            Suppressions::List => false,
            Suppressions::Add { .. } | Suppressions::Remove { .. } => true,
        }
    }
}
