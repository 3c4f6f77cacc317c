//! The one fault taxonomy, spelled the same in Rust, in the state machine and wherever failures are kept.
//!
//! A fault is classified once, by the adapter that saw it. What it is called decides what happens next.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No answer, or "not now": the same request may succeed later. Always retried, never rolled back,
    /// because "no answer" may mean "done".
    Transient(String),
    /// A business "no". Final, and not an error of ours.
    Refused(String),
    /// Input that no retry will make right.
    Malformed(String),
    /// An invariant of ours is broken: stop, and call a person.
    Corrupt(String),
}

impl Fault {
    pub const NAMES: [&str; 4] = ["Transient", "Refused", "Malformed", "Corrupt"];

    /// The name under which the state machine and the failure records know this fault.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Transient(_) => "Transient",
            Fault::Refused(_) => "Refused",
            Fault::Malformed(_) => "Malformed",
            Fault::Corrupt(_) => "Corrupt",
        }
    }

    /// Malformed, by whatever reader of JSON. Its own words may quote what it read, which is nobody's business.
    pub fn unreadable(what: &str, line: usize, column: usize) -> Fault {
        Fault::Malformed(format!("{what} (line {line}, column {column})"))
    }

    pub fn message(&self) -> &str {
        match self {
            Fault::Transient(text)
            | Fault::Refused(text)
            | Fault::Malformed(text)
            | Fault::Corrupt(text) => text,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.message())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known() {
        let faults: [fn(String) -> Fault; 4] = [
            Fault::Transient,
            Fault::Refused,
            Fault::Malformed,
            Fault::Corrupt,
        ];
        assert_eq!(
            faults.map(|fault| fault(String::new()).name()),
            Fault::NAMES
        );
    }
}
