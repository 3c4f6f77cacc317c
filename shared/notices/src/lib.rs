//! What customers read, and whoever runs the mill: texts from files, one folder for each language, filled in with what there
//! is to tell.
//!
//! Knows no channel and no address. The same notification always reads the same.

use std::borrow::Cow;
use std::collections::BTreeSet;

use domain::money::whole;
use domain::notification::{ImportTold, Kind, Name, OrderTold, Told};
use domain::preferences::{Channel, Preferences};
use domain::progress::ImportStatus;
use domain::{Fault, Reason};
use jiff::Timestamp;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rust_decimal::Decimal;
use serde::Serialize;

/// The language that every text is there in.
const FIRST: &str = "en";

/// `language/file`, and what is in it.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Of pages. Whoever serves one says by its hash that no other style is meant.
pub const STYLE: &str = include_str!("../templates/optout.css");

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
    /// Why the order failed: the name of a reason.
    reason: Option<&'a str>,
    /// Why somebody did this, in his words.
    note: Option<&'a str>,
    optout: Option<&'a str>,
    /// What was ordered.
    lines: Vec<Line>,
    /// What comes back of it.
    back: Vec<Line>,
    /// Tells two mails of one notification from mails of two.
    reference: String,
}

#[derive(Serialize)]
struct Line {
    sku: String,
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
    conflicts: u64,
    continued: u64,
    began: String,
    ended: String,
    reference: String,
}

/// All texts, read once.
pub struct Notices {
    texts: Environment<'static>,
    /// Of its files.
    names: BTreeSet<&'static str>,
}

impl Notices {
    pub fn new() -> Result<Notices, Fault> {
        Notices::with(&[])
    }

    /// These files too, as if they were among the templates.
    pub fn with(more: &[(&'static str, &'static str)]) -> Result<Notices, Fault> {
        let mut texts = Environment::new();
        texts.set_trim_blocks(true);
        texts.set_lstrip_blocks(true);
        // A template that asks for what is not there would print a hole into a letter.
        texts.set_undefined_behavior(UndefinedBehavior::Strict);
        let files = || FILES.iter().chain(more);
        let names: BTreeSet<&str> = files().map(|(name, _)| *name).collect();
        let known = names.clone();
        texts.set_path_join_callback(move |file, parent| {
            let name = name_in(&known, language_of(parent), file);
            name.map_or(Cow::Borrowed(file), Cow::Borrowed)
        });
        for (name, source) in files() {
            texts
                .add_template(name, source)
                .map_err(|error| unwritten(name, &error))?;
        }
        Ok(Notices { texts, names })
    }

    /// What there is to fill in: `language/file`.
    pub fn files(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.names.iter().copied()
    }

    fn told_of_order(
        &self,
        language: &str,
        told: &OrderTold,
        customer: Option<&str>,
        optout: Option<&str>,
    ) -> Result<Notice, Fault> {
        let change = &told.change;
        let name = Name::of(change);
        let written = |amount| whole(amount, change.currency).to_string();
        let line = |(sku, quantity, price): &'_ (String, u32, Decimal)| Line {
            sku: sku.clone(),
            quantity: *quantity,
            price: written(*price),
        };
        let unpriced = matches!(
            change.failure,
            Some(Reason::UnknownProduct | Reason::NoPrice)
        );
        let costs = |price: &Decimal| !price.is_zero();
        let page = Page {
            order_id: &change.order_id,
            customer: customer.filter(|name| !name.trim().is_empty()),
            status: told.status.name(),
            currency: change.currency.code(),
            total: (!unpriced || costs(&told.total)).then(|| written(told.total)),
            priced: !unpriced || change.lines.iter().any(|(_, _, price)| costs(price)),
            amount: written(change.total),
            refunded: !change.total.is_zero(),
            reason: change.failure.map(|reason| reason.name()),
            note: change.why(),
            optout,
            lines: change.lines.iter().map(line).collect(),
            back: told.back.iter().map(line).collect(),
            reference: name.id(),
        };
        self.notice(language, name.kind, &page)
    }

    /// What a record tells, to a customer of this name; with that link, where the customer may say that this is too much mail.
    ///
    /// In this language (`de-AT`), else in that without its region (`de`), else in English: each of its parts for itself.
    pub fn told(
        &self,
        language: &str,
        told: &Told,
        customer: Option<&str>,
        optout: Option<&str>,
    ) -> Result<Notice, Fault> {
        match told {
            Told::Order(order) => self.told_of_order(language, order, customer, optout),
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
            conflicts: progress.conflicts,
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
        let file = format!("{text}.{part}");
        let found = name_in(&self.names, language, &file);
        let found = found.and_then(|name| self.texts.get_template(name).ok());
        let template = found.ok_or_else(|| Fault::Corrupt(format!("there is no text {file}")))?;
        let page = context! { lang => language_of(template.name()), ..Value::from_serialize(page) };
        let filled = template
            .render(page)
            .map_err(|error| unwritten(template.name(), &error))?;
        Ok(filled.trim().to_owned())
    }
}

/// The folder of a file.
fn language_of(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

/// This file in this language, else in that without its region, else in English.
fn name_in(names: &BTreeSet<&'static str>, language: &str, file: &str) -> Option<&'static str> {
    let language = language.replace('_', "-").to_ascii_lowercase();
    let short = language.split('-').next().unwrap_or_default();
    [&language, short, FIRST].into_iter().find_map(|language| {
        let name = format!("{language}/{file}");
        names.get(name.as_str()).copied()
    })
}

fn unwritten(name: &str, error: &minijinja::Error) -> Fault {
    Fault::Corrupt(format!("the text {name}: {error}"))
}
