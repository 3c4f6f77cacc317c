//! What the messages of the queue of entries ask for.

use domain::Fault;
use edge::entries;
pub use edge::entries::{Entries, EntryName, Named};
use edge::figures::Rebuild;

/// What a message of the queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Entered(entries::Asked),
    /// Figures are to be added up anew.
    Rebuild(Rebuild),
}

impl Asked {
    pub fn read(body: &str) -> Result<Asked, Fault> {
        match Rebuild::read(body) {
            Some(rebuild) => Ok(Asked::Rebuild(rebuild)),
            None => entries::Asked::read(body).map(Asked::Entered),
        }
    }
}
