//! What a catalog file does to products that exist already.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{TEXT_BYTES, UNITS_IN_STOCK};
use crate::order::{OrderError, check_text};

/// The folder of the bucket in which catalogs arrive.
pub const FOLDER: &str = "catalog/";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The file says what lies in the warehouse now: name, price and stock are replaced.
    #[default]
    Set,
    /// The file says what came in: its units are added to the stock, and nothing else changes.
    Add,
    /// What is known already stays as it is.
    Skip,
}

impl Policy {
    pub const ALL: [Policy; 3] = [Policy::Set, Policy::Add, Policy::Skip];

    pub fn name(self) -> &'static str {
        match self {
            Policy::Set => "set",
            Policy::Add => "add",
            Policy::Skip => "skip",
        }
    }

    /// Where a file of this name has to go: the folder says the policy, so that any way of uploading can.
    pub fn key(self, file: &str) -> String {
        match self {
            Policy::Set => format!("{FOLDER}{file}"),
            Policy::Add | Policy::Skip => format!("{FOLDER}{self}/{file}"),
        }
    }

    pub fn of_key(key: &str) -> Policy {
        let folder = key.strip_prefix(FOLDER).and_then(|key| key.split_once('/'));
        folder
            .and_then(|(folder, _)| folder.parse().ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Policy, &'static str> {
        let policy = Policy::ALL.into_iter().find(|policy| policy.name() == name);
        policy.ok_or("a policy is set, add or skip")
    }
}

/// What a product is called, whoever says so: a file, or somebody who asks for it alone.
pub fn check_name(name: &str) -> Result<(), OrderError> {
    match name {
        "" => Err(OrderError::Empty("name")),
        _ => check_text("name", name, TEXT_BYTES),
    }
}

/// Units that lie in a warehouse, or come in.
pub fn check_units(field: &'static str, units: u64) -> Result<(), OrderError> {
    match units {
        0..=UNITS_IN_STOCK => Ok(()),
        _ => Err(OrderError::TooManyUnits { field, units }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_says_the_policy() {
        for policy in Policy::ALL {
            assert_eq!(Policy::of_key(&policy.key("a.csv")), policy);
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        assert_eq!(Policy::of_key("catalog/add.csv"), Policy::Set);
        assert_eq!(Policy::of_key("catalog/2026/a.csv"), Policy::Set);
        assert_eq!(Policy::Add.key("a.csv"), "catalog/add/a.csv");
    }
}
