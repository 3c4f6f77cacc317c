//! What the messages of the queue of entries ask for.

use domain::Fault;
use edge::entries::Named;
pub use edge::entries::{Entries, EntryName};
use edge::figures::Rebuild;

/// What a message of the queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Entered(Named),
    /// Figures are to be added up anew.
    Rebuild(Rebuild),
}

impl Asked {
    pub fn read(body: &str) -> Result<Asked, Fault> {
        match Rebuild::read(body) {
            Some(rebuild) => Ok(Asked::Rebuild(rebuild)),
            None => Named::read(body).map(Asked::Entered),
        }
    }
}
