//! Refunds: what may be asked for and what it comes to, and the life of one. One `match` decides, and the store's
//! conditions are derived from it, as for orders.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::limits::LINES_PER_ORDER;
use crate::money::{Currency, Money};
use crate::order::Line;
use crate::status::Status;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// On record: its amount is taken out of what can be refunded.
    Pending,
    /// The gateway is being asked.
    Processing,
    Completed,
    /// The gateway said no.
    Failed,
    /// Somebody took it back before the gateway was asked.
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundEvent {
    Request,
    Begin,
    Complete,
    Fail,
    Cancel,
    /// One that failed is tried again.
    Retry,
}

impl RefundStatus {
    pub const ALL: [RefundStatus; 5] = [
        RefundStatus::Pending,
        RefundStatus::Processing,
        RefundStatus::Completed,
        RefundStatus::Failed,
        RefundStatus::Cancelled,
    ];

    pub fn name(self) -> &'static str {
        match self {
            RefundStatus::Pending => "PENDING",
            RefundStatus::Processing => "PROCESSING",
            RefundStatus::Completed => "COMPLETED",
            RefundStatus::Failed => "FAILED",
            RefundStatus::Cancelled => "CANCELLED",
        }
    }

    /// Whether it is still on its way to an end.
    pub fn is_open(self) -> bool {
        matches!(self, RefundStatus::Pending | RefundStatus::Processing)
    }
}

impl fmt::Display for RefundStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The status that `event` leads to, or nothing where it must not happen. `None` is a refund that is not there yet.
pub fn next(status: Option<RefundStatus>, event: RefundEvent) -> Option<RefundStatus> {
    use RefundStatus::*;
    match (status, event) {
        (None, RefundEvent::Request) => Some(Pending),
        (Some(Pending), RefundEvent::Begin) => Some(Processing),
        (Some(Pending), RefundEvent::Cancel) => Some(Cancelled),
        (Some(Processing), RefundEvent::Complete) => Some(Completed),
        (Some(Processing), RefundEvent::Fail) => Some(Failed),
        (Some(Failed), RefundEvent::Retry) => Some(Pending),
        _ => None,
    }
}

/// The statuses in which `event` may happen: what a write has to find.
pub fn sources(event: RefundEvent) -> Vec<RefundStatus> {
    RefundStatus::ALL
        .into_iter()
        .filter(|status| next(Some(*status), event).is_some())
        .collect()
}

/// How an order stands with its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Paid,
    PartiallyRefunded,
    Refunded,
}

impl PaymentStatus {
    /// Of what was paid, and of what went back of it. What is still on its way back has not gone back.
    pub fn of(total: Decimal, refunded: Decimal) -> PaymentStatus {
        if refunded.is_zero() {
            PaymentStatus::Paid
        } else if refunded < total {
            PaymentStatus::PartiallyRefunded
        } else {
            PaymentStatus::Refunded
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            PaymentStatus::Paid => "paid",
            PaymentStatus::PartiallyRefunded => "partially_refunded",
            PaymentStatus::Refunded => "refunded",
        }
    }
}

/// What somebody wants back. An amount and lines do not go together: which of them would count, where they differ?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    Amount(Decimal),
    /// Whatever is left.
    Full,
    /// What these lines cost, at most what is left: an order may have cost less than its lines.
    Lines(Vec<WantedLine>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedLine {
    pub sku: String,
    pub quantity: u32,
    /// Whether these units can be sold again.
    #[serde(default)]
    pub restock: bool,
}

/// Units of one line of an order that come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The line's place in the order: a product may stand in two, at two prices.
    pub line: usize,
    pub sku: String,
    pub quantity: u32,
    pub unit_price: Decimal,
    pub restock: bool,
}

/// Why there is no refund. A known no, and not an error of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// More than what is left.
    NotRefundable { left: Decimal },
    /// More units than are left of this product.
    TooManyUnits { sku: String, left: u64 },
    /// Nothing was sold.
    NotSold(Status),
    /// Such a thing cannot be asked for.
    Invalid { field: String, why: String },
}

impl Refusal {
    pub fn invalid(field: &str, why: impl fmt::Display) -> Refusal {
        Refusal::Invalid {
            field: field.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotRefundable { left } => write!(f, "{left} is left to refund"),
            Refusal::TooManyUnits { sku, left } => {
                write!(f, "{left} units of {sku} are left to be taken back")
            }
            Refusal::NotSold(status) => {
                write!(f, "an order that is {status} cannot be refunded")
            }
            Refusal::Invalid { why, .. } => f.write_str(why),
        }
    }
}

/// Where the money of an order is, and how many units of each of its lines came back or are on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub refundable: Decimal,
    pub refunding: Decimal,
    pub refunded: Decimal,
    /// By line. Empty where there are none.
    pub returned: Vec<u32>,
}

/// An amount, and the units that come back for it.
pub type Part<'a> = (Decimal, &'a [TakenBack]);

impl Account {
    /// refundable → refunding. Nothing where there is not enough.
    pub fn take(&self, (amount, lines): Part<'_>, ordered: &[Line]) -> Option<Account> {
        let mut returned = self.returned.clone();
        returned.resize(ordered.len(), 0);
        for taken in lines {
            let units = returned.get_mut(taken.line)?;
            *units = units.checked_add(taken.quantity)?;
            if *units > ordered.get(taken.line)?.quantity {
                return None;
            }
        }
        Some(Account {
            refundable: minus(self.refundable, amount)?,
            refunding: self.refunding.checked_add(amount)?,
            refunded: self.refunded,
            returned: some(returned),
        })
    }

    /// refunding → refundable.
    pub fn give_back(&self, (amount, lines): Part<'_>) -> Option<Account> {
        let mut returned = self.returned.clone();
        for taken in lines {
            let units = returned.get_mut(taken.line)?;
            *units = units.checked_sub(taken.quantity)?;
        }
        Some(Account {
            refundable: self.refundable.checked_add(amount)?,
            refunding: minus(self.refunding, amount)?,
            refunded: self.refunded,
            returned: some(returned),
        })
    }

    /// refunding → refunded.
    pub fn settle(&self, amount: Decimal) -> Option<Account> {
        Some(Account {
            refundable: self.refundable,
            refunding: minus(self.refunding, amount)?,
            refunded: self.refunded.checked_add(amount)?,
            returned: self.returned.clone(),
        })
    }

    /// All that can be refunded is on its way, and every unit came back: how an order stands when it is cancelled, with the
    /// units of each line that come back by that. Nothing while a refund is on its way: should it fail, it would take back
    /// what it had returned.
    pub fn cancel(&self, ordered: &[Line]) -> Option<(Account, Vec<u32>)> {
        if !self.refunding.is_zero() {
            return None;
        }
        let gone = |at: usize| self.returned.get(at).copied().unwrap_or_default();
        let left = ordered
            .iter()
            .enumerate()
            .map(|(at, line)| line.quantity.checked_sub(gone(at)))
            .collect::<Option<Vec<u32>>>()?;
        let account = Account {
            refundable: Decimal::ZERO,
            refunding: self.refundable,
            refunded: self.refunded,
            returned: ordered.iter().map(|line| line.quantity).collect(),
        };
        Some((account, left))
    }

    /// What is wanted comes to this amount, and takes back these units.
    pub fn plan(
        &self,
        wanted: &Wanted,
        ordered: &[Line],
        currency: Currency,
    ) -> Result<(Decimal, Vec<TakenBack>), Refusal> {
        let left = self.refundable;
        let (amount, lines) = match wanted {
            Wanted::Full => (left, Vec::new()),
            Wanted::Amount(amount) => (positive("amount", *amount, currency)?, Vec::new()),
            Wanted::Lines(wanted) => {
                let lines = self.take_back(wanted, ordered)?;
                let sum = positive("lines", sum(&lines)?, currency)?;
                (sum.min(left), lines)
            }
        };
        if amount.is_zero() || amount > left {
            return Err(Refusal::NotRefundable { left });
        }
        Ok((amount, lines))
    }

    /// The first lines of a product first.
    fn take_back(
        &self,
        wanted: &[WantedLine],
        ordered: &[Line],
    ) -> Result<Vec<TakenBack>, Refusal> {
        if wanted.is_empty() || wanted.len() > LINES_PER_ORDER {
            let count = wanted.len();
            let why = format!("{count} lines are to come back");
            return Err(Refusal::invalid("lines", why));
        }
        let mut returned = self.returned.clone();
        returned.resize(ordered.len(), 0);
        let mut taken = Vec::new();
        for (at, line) in wanted.iter().enumerate() {
            let WantedLine {
                sku,
                quantity,
                restock,
            } = line;
            if *quantity == 0 {
                let why = format!("no unit of {sku} is to come back");
                return Err(Refusal::invalid(&format!("lines[{at}].quantity"), why));
            }
            let mut open = *quantity;
            for (at, line) in ordered
                .iter()
                .enumerate()
                .filter(|(_, line)| line.sku == *sku)
            {
                let Some(gone) = returned.get_mut(at) else {
                    continue;
                };
                let units = line.quantity.saturating_sub(*gone).min(open);
                if units == 0 {
                    continue;
                }
                *gone = gone.saturating_add(units);
                open = open.saturating_sub(units);
                taken.push(TakenBack {
                    line: at,
                    sku: sku.clone(),
                    quantity: units,
                    unit_price: line.unit_price,
                    restock: *restock,
                });
            }
            if open > 0 {
                let left = self.units_left(sku, ordered);
                let sku = sku.clone();
                return Err(Refusal::TooManyUnits { sku, left });
            }
        }
        Ok(taken)
    }

    fn units_left(&self, sku: &str, ordered: &[Line]) -> u64 {
        let lines = ordered.iter().enumerate();
        let lines = lines.filter(|(_, line)| line.sku == sku);
        lines.fold(0, |sum: u64, (at, line)| {
            let gone = self.returned.get(at).copied().unwrap_or_default();
            sum.saturating_add(u64::from(line.quantity.saturating_sub(gone)))
        })
    }
}

fn minus(from: Decimal, amount: Decimal) -> Option<Decimal> {
    let left = from.checked_sub(amount)?;
    (!left.is_sign_negative() || left.is_zero()).then_some(left)
}

fn some(returned: Vec<u32>) -> Vec<u32> {
    match returned.iter().all(|units| *units == 0) {
        true => Vec::new(),
        false => returned,
    }
}

fn positive(field: &str, amount: Decimal, currency: Currency) -> Result<Decimal, Refusal> {
    let money = Money::new(amount, currency);
    let money = money.map_err(|error| Refusal::invalid(field, error))?;
    match money.amount().is_zero() {
        true => Err(Refusal::invalid(field, "a refund of nothing")),
        false => Ok(money.amount()),
    }
}

fn sum(lines: &[TakenBack]) -> Result<Decimal, Refusal> {
    let mut lines = lines.iter();
    let sum = lines.try_fold(Decimal::ZERO, |sum, line| {
        let units = Decimal::from(line.quantity);
        sum.checked_add(line.unit_price.checked_mul(units)?)
    });
    sum.ok_or_else(|| Refusal::invalid("lines", "the amount is too large"))
}

#[cfg(test)]
mod tests;
