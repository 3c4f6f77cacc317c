//! The closed list of reasons for which a row is refused. Knows no columns and no files.

use std::fmt::Display;

use domain::money::MoneyError;
use domain::order::OrderError;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The row has more or fewer cells than the header.
    WrongCellCount,
    /// The row has more cells than any row may have.
    TooManyCells,
    /// A cell is not UTF-8 text.
    NotUtf8,
    /// A quote is never closed, or closes in the middle of a cell. Only the line it stands in is refused.
    UnclosedQuote,
    /// One line is longer than any order can be. Only its start is kept.
    RecordTooLong,
    /// A cell, or a key of an item, has to say something and does not.
    MissingValue,
    /// A text is longer than its field.
    TextTooLong,
    /// A text holds characters that cannot be printed.
    ControlCharacter,
    /// Not a number in digits.
    NotAnAmount,
    /// A number that can be read in two ways: `1,234` is a thousand or a little more than one.
    AmbiguousAmount,
    /// More decimals than the currency has.
    AmountTooPrecise,
    AmountTooLarge,
    NegativeAmount,
    /// Not a currency that can be paid in, or not the one of the other amounts.
    BadCurrency,
    /// Not a whole number of units, or too few or too many.
    BadQuantity,
    /// Not a whole number of units in stock.
    BadStock,
    /// Not a day of the calendar, or not written as one.
    BadDate,
    /// Not a JSON list of items.
    BadItems,
    /// The list of items is empty.
    NoItems,
    TooManyItems,
    /// The declared total is not the sum of the lines, and the settings ask that it be.
    TotalDiffers,
    /// Rows of one order contradict each other: two customers, two currencies, two totals.
    RowsDisagree,
    /// Another row of this order was rejected, and no order is taken in part.
    IncompleteOrder,
    /// Other rows of this order stand elsewhere in the file, and were taken for it or not.
    SplitOrder,
    /// The SKU stands in the catalog file twice.
    DuplicateSku,
}

impl Code {
    pub const ALL: [Code; 25] = [
        Code::WrongCellCount,
        Code::TooManyCells,
        Code::NotUtf8,
        Code::UnclosedQuote,
        Code::RecordTooLong,
        Code::MissingValue,
        Code::TextTooLong,
        Code::ControlCharacter,
        Code::NotAnAmount,
        Code::AmbiguousAmount,
        Code::AmountTooPrecise,
        Code::AmountTooLarge,
        Code::NegativeAmount,
        Code::BadCurrency,
        Code::BadQuantity,
        Code::BadStock,
        Code::BadDate,
        Code::BadItems,
        Code::NoItems,
        Code::TooManyItems,
        Code::TotalDiffers,
        Code::RowsDisagree,
        Code::IncompleteOrder,
        Code::SplitOrder,
        Code::DuplicateSku,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Code::WrongCellCount => "wrong_cell_count",
            Code::TooManyCells => "too_many_cells",
            Code::NotUtf8 => "not_utf8",
            Code::UnclosedQuote => "unclosed_quote",
            Code::RecordTooLong => "record_too_long",
            Code::MissingValue => "missing_value",
            Code::TextTooLong => "text_too_long",
            Code::ControlCharacter => "control_character",
            Code::NotAnAmount => "not_an_amount",
            Code::AmbiguousAmount => "ambiguous_amount",
            Code::AmountTooPrecise => "amount_too_precise",
            Code::AmountTooLarge => "amount_too_large",
            Code::NegativeAmount => "negative_amount",
            Code::BadCurrency => "bad_currency",
            Code::BadQuantity => "bad_quantity",
            Code::BadStock => "bad_stock",
            Code::BadDate => "bad_date",
            Code::BadItems => "bad_items",
            Code::NoItems => "no_items",
            Code::TooManyItems => "too_many_items",
            Code::TotalDiffers => "total_differs",
            Code::RowsDisagree => "rows_disagree",
            Code::IncompleteOrder => "incomplete_order",
            Code::SplitOrder => "split_order",
            Code::DuplicateSku => "duplicate_sku",
        }
    }
}

/// A value that is refused, before anyone knows from which column it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub code: Code,
    pub message: String,
}

impl Wrong {
    pub fn new(code: Code, message: impl Into<String>) -> Wrong {
        Wrong {
            code,
            message: message.into(),
        }
    }

    /// The same, with what the message is about in front.
    pub fn of(self, what: impl Display) -> Wrong {
        Wrong {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    pub fn at(self, column: &str) -> Refusal {
        Refusal {
            code: self.code,
            column: column.to_owned(),
            message: self.message,
        }
    }
}

impl From<MoneyError> for Wrong {
    fn from(error: MoneyError) -> Wrong {
        Wrong::new(code_of_money(&error), error.to_string())
    }
}

impl From<OrderError> for Wrong {
    fn from(error: OrderError) -> Wrong {
        let code = match &error {
            OrderError::Empty(_) | OrderError::NoPrice => Code::MissingValue,
            OrderError::TooLong { .. } => Code::TextTooLong,
            OrderError::ControlCharacter(_) | OrderError::OnlyDots(_) => Code::ControlCharacter,
            OrderError::NoLines => Code::NoItems,
            OrderError::TooManyLines(_) => Code::TooManyItems,
            OrderError::Quantity(_) => Code::BadQuantity,
            OrderError::TooManyUnits { .. } => Code::BadStock,
            OrderError::Amount { error, .. } => code_of_money(error),
            OrderError::TotalDiffers { .. } => Code::TotalDiffers,
        };
        Wrong::new(code, error.to_string())
    }
}

fn code_of_money(error: &MoneyError) -> Code {
    match error {
        MoneyError::UnknownCurrency(_) | MoneyError::Mixed(..) => Code::BadCurrency,
        MoneyError::NotANumber(_) => Code::NotAnAmount,
        MoneyError::TooPrecise { .. } => Code::AmountTooPrecise,
        MoneyError::Negative(_) => Code::NegativeAmount,
        MoneyError::TooLarge => Code::AmountTooLarge,
    }
}

/// Why a row is refused, and which column to look at: empty when it is the row as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: Code,
    pub column: String,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_the_same_everywhere() {
        for code in Code::ALL {
            let json = serde_json::to_string(&code).expect("a string");
            assert_eq!(json, format!("{:?}", code.as_str()));
        }
        let mut distinct = Code::ALL.to_vec();
        distinct.dedup();
        assert_eq!(distinct.len(), Code::ALL.len());
    }
}
