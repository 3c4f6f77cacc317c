//! What customers read, and whoever runs the mill: texts from files, one folder for each language, filled in with what there
//! is to tell.
//!
//! Knows no channel and no address. The same notification always reads the same.

use domain::journal::Change;
use domain::money::whole;
use domain::notification::{ImportTold, Kind, Name, OrderTold, Told};
use domain::preferences::{Channel, Preferences};
use domain::progress::ImportStatus;
use domain::{Fault, Reason, Status};
use jiff::Timestamp;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rust_decimal::Decimal;
use serde::Serialize;

/// The language that every text is there in.
const FIRST: &str = "en";

macro_rules! folder {
    ($language:literal: $($file:literal),+ $(,)?) => {
        [$((
            concat!($language, "/", $file),
            include_str!(concat!("../templates/", $language, "/", $file)),
        )),+]
    };
}

const FILES: [(&str, &str); 25] = folder!["en":
    "layout.txt", "layout.html", "reason.txt",
    "confirmation.subject", "confirmation.txt", "confirmation.html",
    "failed.subject", "failed.txt", "failed.html",
    "refund.subject", "refund.txt", "refund.html",
    "shipping.subject", "shipping.txt", "shipping.html",
    "delivery.subject", "delivery.txt", "delivery.html",
    "cancellation.subject", "cancellation.txt", "cancellation.html",
    "import.subject", "import.txt", "import.html",
    "optout.html",
];

/// Of pages. Whoever serves one says by its hash that no other style is meant.
pub const STYLE: &str = include_str!("../templates/optout.css");

/// What there is to tell of an order.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub change: &'a Change,
    /// What the order is.
    pub status: Status,
    /// What the order costs.
    pub total: Decimal,
    /// The customer's name, where it is known.
    pub customer: Option<&'a str>,
    /// Where the customer may say that this is too much mail. Nothing, where nobody could follow it.
    pub optout: Option<&'a str>,
}

/// What the page says that a link of a mail leads to.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// It is no link of ours.
    WrongLink,
    /// There is no such customer any more.
    Nobody,
    /// What holds.
    Holds {
        /// Of the mail that had the link.
        kind: Kind,
        preferences: &'a Preferences,
        /// Whether somebody has just said so.
        changed: bool,
    },
}

/// What the template of that page sees.
#[derive(Serialize)]
struct Choices {
    style: &'static str,
    state: &'static str,
    kind: &'static str,
    by_mail: bool,
    wanted: bool,
    changed: bool,
}

impl From<Choice<'_>> for Choices {
    fn from(choice: Choice<'_>) -> Choices {
        let nothing = |state| Choices {
            style: STYLE,
            state,
            kind: "",
            by_mail: false,
            wanted: false,
            changed: false,
        };
        match choice {
            Choice::WrongLink => nothing("wrong_link"),
            Choice::Nobody => nothing("nobody"),
            Choice::Holds {
                kind,
                preferences,
                changed,
            } => Choices {
                kind: kind.name(),
                by_mail: preferences.channel == Channel::Email,
                wanted: preferences.wants(kind),
                changed,
                ..nothing("holds")
            },
        }
    }
}

impl<'a> Facts<'a> {
    pub fn of(
        order: &'a OrderTold,
        customer: Option<&'a str>,
        optout: Option<&'a str>,
    ) -> Facts<'a> {
        Facts {
            change: &order.change,
            status: order.status,
            total: order.total,
            customer,
            optout,
        }
    }
}

/// A notification as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// One line.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What templates see of an order. Amounts are written out already, with the decimals of their currency.
#[derive(Serialize)]
struct Page<'a> {
    order_id: &'a str,
    customer: Option<&'a str>,
    status: &'a str,
    currency: &'a str,
    /// Nothing, where nobody knows what the order would have cost.
    total: Option<String>,
    /// Whether prices of lines are known: an order that failed may never have got any.
    priced: bool,
    /// What goes back, or is about to.
    amount: String,
    refunded: bool,
    reason: Option<&'a str>,
    optout: Option<&'a str>,
    lines: Vec<Line<'a>>,
    /// Tells two mails of one notification from mails of two.
    reference: String,
}

#[derive(Serialize)]
struct Line<'a> {
    sku: &'a str,
    quantity: u32,
    price: String,
}

/// What templates see of an import.
#[derive(Serialize)]
struct ImportPage<'a> {
    customer: Option<&'a str>,
    optout: Option<&'a str>,
    import_id: &'a str,
    file: &'a str,
    reason: Option<&'a str>,
    is_completed: bool,
    rows: u64,
    completed: u64,
    failed: u64,
    rejected: u64,
    duplicates: u64,
    continued: u64,
    began: String,
    ended: String,
    reference: String,
}

/// All texts, read once.
pub struct Notices {
    texts: Environment<'static>,
}

impl Notices {
    pub fn new() -> Result<Notices, Fault> {
        let mut texts = Environment::new();
        texts.set_trim_blocks(true);
        texts.set_lstrip_blocks(true);
        // A template that asks for what is not there would print a hole into a letter.
        texts.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in FILES {
            texts
                .add_template(name, source)
                .map_err(|error| unwritten(name, &error))?;
        }
        Ok(Notices { texts })
    }

    /// In this language (`de-AT`), else in that without its region (`de`), else in English.
    pub fn write(&self, language: &str, facts: &Facts<'_>) -> Result<Notice, Fault> {
        let name = Name::of(facts.change);
        let change = facts.change;
        let written = |amount| whole(amount, change.currency).to_string();
        let unpriced = matches!(
            change.failure,
            Some(Reason::UnknownProduct | Reason::NoPrice)
        );
        let costs = |price: &Decimal| !price.is_zero();
        let page = Page {
            order_id: &change.order_id,
            customer: facts.customer.filter(|name| !name.trim().is_empty()),
            status: facts.status.name(),
            currency: change.currency.code(),
            total: (!unpriced || costs(&facts.total)).then(|| written(facts.total)),
            priced: !unpriced || change.lines.iter().any(|(_, _, price)| costs(price)),
            amount: written(change.total),
            refunded: !change.total.is_zero(),
            reason: change.failure.map(|reason| reason.name()),
            optout: facts.optout,
            lines: change
                .lines
                .iter()
                .map(|(sku, quantity, price)| Line {
                    sku,
                    quantity: *quantity,
                    price: written(*price),
                })
                .collect(),
            reference: name.id(),
        };
        self.notice(language, name.kind, &page)
    }

    /// What a record tells, to a customer of this name; with that link, where there is one.
    pub fn told(
        &self,
        language: &str,
        told: &Told,
        customer: Option<&str>,
        optout: Option<&str>,
    ) -> Result<Notice, Fault> {
        match told {
            Told::Order(order) => self.write(language, &Facts::of(order, customer, optout)),
            Told::Import(import) => self.write_import(language, import),
        }
    }

    fn write_import(&self, language: &str, import: &ImportTold) -> Result<Notice, Fault> {
        let name = Name::of_import(&import.import_id);
        let progress = import.progress;
        let second = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let page = ImportPage {
            customer: None,
            optout: None,
            import_id: &import.import_id,
            file: import.file.strip_prefix("imports/").unwrap_or(&import.file),
            reason: import.reason.as_deref(),
            is_completed: import.status == ImportStatus::Completed,
            rows: progress.rows,
            completed: progress.completed,
            failed: progress.failed,
            rejected: progress.rejected,
            duplicates: progress.duplicates,
            continued: progress.continued,
            began: second(import.created_at),
            ended: second(import.ended_at),
            reference: name.id(),
        };
        self.notice(language, name.kind, &page)
    }

    /// Its subject is the title of its page.
    fn notice(&self, language: &str, kind: Kind, page: &impl Serialize) -> Result<Notice, Fault> {
        let page = Value::from_serialize(page);
        let subject = self.filled(language, kind.name(), "subject", &page)?;
        let page = context! { title => &subject, ..page };
        let text = self.filled(language, kind.name(), "txt", &page)?;
        let html = self.filled(language, kind.name(), "html", &page)?;
        Ok(Notice {
            text: text + "\n",
            html: html + "\n",
            subject,
        })
    }

    /// The page on which customers say what they want by mail.
    pub fn page(&self, language: &str, choice: Choice<'_>) -> Result<String, Fault> {
        self.filled(language, "optout", "html", &Choices::from(choice))
    }

    fn filled(
        &self,
        language: &str,
        text: &str,
        part: &str,
        page: &impl Serialize,
    ) -> Result<String, Fault> {
        let short = language.split(['-', '_']).next().unwrap_or_default();
        let found = [language, short, FIRST].into_iter().find_map(|language| {
            let name = format!("{}/{text}.{part}", language.to_ascii_lowercase());
            self.texts.get_template(&name).ok()
        });
        let template =
            found.ok_or_else(|| Fault::Corrupt(format!("there is no text {text}.{part}")))?;
        let filled = template
            .render(page)
            .map_err(|error| unwritten(template.name(), &error))?;
        Ok(filled.trim().to_owned())
    }
}

fn unwritten(name: &str, error: &minijinja::Error) -> Fault {
    Fault::Corrupt(format!("the text {name}: {error}"))
}
