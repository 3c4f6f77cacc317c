//! Addresses that get no mail any more, whatever their customers want, and why.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::TEXT_BYTES;
use crate::order::check_text;

/// A mail address as the list knows it, whoever wrote it and how.
///
/// Cases do not count, in the domain nor before it: there they might, by the letter of the standard, but nobody gives `Ada@` and
/// `ada@` to two people, and who tells that a mail came back does not keep to the way in which it was written. Two for one would
/// mail who complained; one for two would be seen on the list. Dots, and what follows a plus, may make a mailbox of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl Address {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = &'static str;

    /// Also where a name stands before it: `Ada <ada@example.com>`.
    fn from_str(text: &str) -> Result<Address, &'static str> {
        let bracketed = text.trim().strip_suffix('>');
        let inside = bracketed.and_then(|text| Some(text.rsplit_once('<')?.1));
        let address = inside.unwrap_or(text).trim().to_lowercase();
        let parts = address.rsplit_once('@');
        let whole = parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        let fits = check_text("address", &address, TEXT_BYTES).is_ok()
            && !address.contains(char::is_whitespace);
        match whole && fits {
            true => Ok(Address(address)),
            false => Err("not a mail address"),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Address, &'static str> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A mail came back, and the next one would.
    Bounce,
    /// Its owner called a mail unwanted.
    Complaint,
    /// Somebody of ours put it there.
    Manual,
}

impl Cause {
    pub const ALL: [Cause; 3] = [Cause::Bounce, Cause::Complaint, Cause::Manual];

    pub fn name(self) -> &'static str {
        match self {
            Cause::Bounce => "bounce",
            Cause::Complaint => "complaint",
            Cause::Manual => "manual",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_one_however_it_is_written() {
        for written in [
            "ada@example.com",
            " Ada@Example.COM ",
            "Ada Byron <ada@example.com>",
            "\"<Ada>\" <ADA@example.com> ",
        ] {
            let address: Address = written.parse().expect(written);
            assert_eq!(address.as_str(), "ada@example.com");
        }
        for other in [
            "a.da@example.com",
            "ada+shop@example.com",
            "ada@example.org",
        ] {
            let address: Address = other.parse().expect(other);
            assert_eq!(address.as_str(), other);
        }
        let long = format!("{}@example.com", "a".repeat(TEXT_BYTES));
        for wrong in [
            "",
            "ada",
            "@",
            "ada@",
            "@example.com",
            "a b@c",
            "a\n@c",
            "<>",
            &long,
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cause_has_one_name() {
        for cause in Cause::ALL {
            let json = serde_json::to_string(&cause).expect("a string");
            assert_eq!(json, format!("{:?}", cause.name()));
        }
    }
}
