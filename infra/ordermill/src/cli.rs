//! What can be typed.

pub mod figures;
pub mod notifications;
pub mod orders;
pub mod refunds;
pub mod suppressions;
pub mod tokens;

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use domain::Fault;
use domain::catalog::Policy;
use edge::queues;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::gateway::Behaviour;

#[derive(Parser)]
#[command(
    name = "ordermill",
    version,
    about = "Bulk orders on AWS: every order reserved, paid, finalized or rolled back, and books that balance."
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone)]
pub struct Global {
    /// The CloudFormation stack to work on.
    #[arg(
        long,
        global = true,
        default_value = "ordermill",
        env = "ORDERMILL_STACK"
    )]
    pub stack: String,
    /// Print exactly one JSON document on stdout, and nothing else there.
    #[arg(long, global = true)]
    pub json: bool,
    /// Work on AWS even while a local stack is running.
    #[arg(long, global = true)]
    pub aws: bool,
    /// Do not ask before a change on AWS, or before what a local stack holds is lost.
    #[arg(long, global = true, env = "ORDERMILL_YES", value_parser = FalseyValueParser::new())]
    pub yes: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Build, start, import a sample file, and show what happened to its orders.
    Demo(Demo),
    /// Start the local stack, or bring it up to date with the code.
    Up(Local),
    /// Stop the local stack.
    Down,
    /// Upload a file of orders.
    Import(Import),
    /// List the imports, or show one.
    Imports(Imports),
    /// Products, prices and stock.
    #[command(subcommand)]
    Catalog(Catalog),
    /// Single orders: see how one stands and what it went through, ship, deliver or cancel it.
    #[command(subcommand)]
    Order(orders::Order),
    /// Give back some or all of what was paid for an order.
    Refund(refunds::Refund),
    /// Refunds: see how they stand, take one back, try one again.
    #[command(subcommand)]
    Refunds(refunds::Refunds),
    /// What customers were told of their orders: see it, send it again, try it.
    #[command(subcommand)]
    Notifications(notifications::Notifications),
    /// Addresses that get no mail, since they bounced or complained: see them, add and remove some.
    #[command(subcommand)]
    Suppressions(suppressions::Suppressions),
    /// What was put aside: see why, send it again, or leave it.
    #[command(subcommand)]
    Failures(Failures),
    /// What was earned, sold, refunded and refused: of a day, its hours, or many days.
    Kpis(figures::Kpis),
    /// Who spent most, and what is sold most.
    #[command(subcommand)]
    Leaderboard(figures::Leaderboard),
    /// Where a customer stands among all of them.
    Rank(figures::Rank),
    /// How figures are added up from the journal: all of them anew, or an entry that is missing in them.
    #[command(subcommand)]
    Tally(figures::Tally),
    /// Who may call the API: bearer tokens, and what each allows.
    #[command(subcommand)]
    Token(tokens::Token),
    /// Recompute every figure from its source, and show what does not agree.
    Verify,
    /// Run a payment gateway to try ours with: it declines, delays and fails in the given proportions.
    #[command(long_about = GATEWAY)]
    Gateway(Gateway),
    /// What an import asked of AWS: requests and capacity for each order.
    Cost {
        /// The import; everything that ran since it began is counted, so let nothing else run.
        id: String,
    },
}

impl Command {
    /// Whether it changes what a stack holds.
    pub fn is_change(&self) -> bool {
        match self {
            Command::Import(_) | Command::Refund(_) | Command::Tally(_) => true,
            Command::Catalog(command) => matches!(command, Catalog::Load { .. }),
            Command::Order(command) => command.is_change(),
            Command::Refunds(command) => command.is_change(),
            Command::Notifications(command) => command.is_change(),
            Command::Suppressions(command) => command.is_change(),
            Command::Failures(command) => match command {
                Failures::List { .. } | Failures::Show { .. } => false,
                Failures::Retry { .. } | Failures::Discard { .. } => true,
            },
            Command::Token(command) => command.is_change(),
            // These three are about this machine, and the others only read.
            Command::Demo(_) | Command::Up(_) | Command::Down => false,
            Command::Imports(_)
            | Command::Kpis(_)
            | Command::Leaderboard(_)
            | Command::Rank(_)
            | Command::Verify
            | Command::Gateway(_)
            | Command::Cost { .. } => false,
        }
    }
}

#[derive(Args)]
pub struct Local {
    /// The port of the emulator, which listens on this machine only [default: 4566]
    #[arg(long)]
    pub port: Option<u16>,
    /// Batches that are worked on at once: this many functions take ten messages each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=80))]
    pub concurrency: u16,
    /// Who takes the money: a URL, such as that of `ordermill gateway`, or `simulated`.
    #[arg(long, value_name = "URL", value_parser = payment_gateway)]
    pub payment_gateway: Option<String>,
    /// How long a payment may be pending (90s, 30m, 2h) until its order fails.
    #[arg(long, value_name = "TIME", value_parser = payment_time_limit)]
    pub payment_time_limit: Option<String>,
    /// Mail what customers are told, from this address. The emulator sends nothing, and shows it at /_ministack/ses/messages.
    #[arg(long, value_name = "ADDRESS")]
    pub mail_sender: Option<String>,
    /// Tell this address of each import that is over, where there is a sender.
    #[arg(long, value_name = "ADDRESS")]
    pub operator_mail: Option<String>,
}

const GATEWAY: &str = "\
Run a payment gateway to try ours with: it declines, delays and fails in the given proportions.

It keeps the contract in infra/gateway.openapi.json, listens on this machine only, and keeps its books in memory until it
is stopped by Ctrl-C. The key that requests and webhooks are signed with is read from the stack's secret, or from a file:
then no stack is needed, and webhooks go nowhere without --webhook.";

#[derive(Args)]
pub struct Gateway {
    /// Where it listens.
    #[arg(long, default_value_t = 4570)]
    pub port: u16,
    /// Where it says that a payment is not pending any more [default: the stack's]
    #[arg(long, value_name = "URL", value_parser = url)]
    pub webhook: Option<String>,
    /// Read the key from this file, and ask no stack.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    #[command(flatten)]
    pub behaviour: Behaviour,
}

impl Gateway {
    /// Ends with a usage error where the options do not go together.
    pub fn behaviour(&self) -> Behaviour {
        if let Err(wrong) = self.behaviour.check() {
            misused("gateway", &wrong);
        }
        self.behaviour.clone()
    }
}

/// Ends with a usage error of this command, for what clap cannot see by itself.
fn misused(name: &str, wrong: &str) -> ! {
    let mut command = Arguments::command();
    command.build();
    let error = match command.find_subcommand_mut(name) {
        Some(command) => command.error(ErrorKind::ValueValidation, wrong),
        None => clap::Error::raw(ErrorKind::ValueValidation, wrong),
    };
    error.exit();
}

fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("a URL begins with http:// or https://".to_owned()),
    }
}

fn payment_gateway(text: &str) -> Result<String, String> {
    match text {
        "simulated" => Ok(text.to_owned()),
        _ => url(text),
    }
}

/// As the template takes it: one number, one unit.
fn payment_time_limit(text: &str) -> Result<String, String> {
    let wrong = || "a time limit is written as 90s, 30m or 2h".to_owned();
    let number = text.strip_suffix(['s', 'm', 'h']).ok_or_else(wrong)?;
    match number.parse::<u32>() {
        Ok(1..=99_999) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err(wrong()),
    }
}

#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    pub local: Local,
    /// Stop when everything was shown, instead of serving until Ctrl-C.
    #[arg(long)]
    pub exit: bool,
}

#[derive(Args)]
pub struct Import {
    /// A CSV file, also compressed (.csv.gz).
    pub file: PathBuf,
    /// Wait until every order is settled.
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// Upload nothing: read the file here, with the same code, and print what would come of it.
    #[arg(long)]
    pub dry_run: bool,
    /// In a dry run: for rows that name no currency. An import takes the stack's DefaultCurrency.
    #[arg(long, default_value = "USD", requires = "dry_run")]
    pub currency: domain::Currency,
    /// In a dry run: reject rows whose total is not the sum of their lines, as TotalPolicy=strict does.
    #[arg(long, requires = "dry_run")]
    pub strict: bool,
    /// Give up waiting after so many seconds. The import itself goes on.
    #[arg(long, default_value_t = 3600, requires = "wait")]
    pub timeout: u64,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Imports {
    /// One import only.
    pub id: Option<String>,
    /// The newest ones, so many at most.
    #[arg(long, default_value_t = 50, conflicts_with = "id", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(subcommand)]
    pub command: Option<ImportsCommand>,
}

#[derive(Subcommand)]
pub enum ImportsCommand {
    /// The rows of an import that could not be taken, and why.
    Rejects {
        /// An import, or a catalog file.
        id: String,
        /// Write the header and the rejected rows here, as they are in the file, to be mended and imported again.
        #[arg(long)]
        fix: Option<PathBuf>,
    },
    /// The rows of an import that state other content than the existing order under their order id.
    Conflicts {
        /// An import.
        id: String,
    },
}

#[derive(Subcommand)]
pub enum Catalog {
    /// Upload a CSV file of products, sku,name,price,stock[,currency], and wait until it is loaded.
    Load {
        file: PathBuf,
        /// What becomes of products that are known: set their name, price and stock; add to their stock; or skip them.
        #[arg(long, default_value_t = Policy::Set)]
        policy: Policy,
    },
    /// Write a catalog that covers a file of orders, to try the file with.
    Derive(Derive),
    /// Products and their stock.
    List,
}

#[derive(Args)]
pub struct Derive {
    /// A file of orders.
    pub orders: PathBuf,
    /// Units of each product.
    #[arg(long)]
    pub stock: u64,
    /// For products whose price the file does not say.
    #[arg(long, default_value = "10")]
    pub price: rust_decimal::Decimal,
    /// For rows that name no currency.
    #[arg(long, default_value = "USD")]
    pub currency: domain::Currency,
    /// Where to write it, instead of to stdout.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Failures {
    /// What was put aside, the latest last.
    List {
        #[command(flatten)]
        filter: Filter,
        /// What became of it: open is what nobody has decided about, or what is just being sent again.
        #[arg(long, value_enum, default_value_t = StateFilter::Open)]
        state: StateFilter,
    },
    /// All that is known of a failure, the message included.
    Show { id: String },
    /// Send messages to the queue that they came from, once more.
    Retry {
        #[command(flatten)]
        which: Which,
        /// Also what was retried before, and what is named by its id, whatever was done about it. That is safe: what an
        /// order went through already, it does not go through twice.
        #[arg(long)]
        again: bool,
    },
    /// Leave messages as they are: nothing more will be done about them.
    Discard {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Args)]
pub struct Filter {
    /// Only what came from one queue.
    #[arg(long, help = format!("Only what came from this queue: {}", queues::NAMES.join(", ")))]
    pub queue: Option<String>,
    /// Only what failed in this way.
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(Fault::NAMES))]
    pub fault: Option<String>,
    /// Only what was put aside since then: an instant (2026-03-01T12:00:00Z), or so long ago (2h, 3d).
    #[arg(long, value_parser = since)]
    pub since: Option<Timestamp>,
}

#[derive(Args)]
#[command(group(ArgGroup::new("which").args(["ids", "queue", "fault", "since", "all"]).required(true).multiple(true)))]
pub struct Which {
    /// Failures by their ids.
    #[arg(value_name = "ID", conflicts_with_all = ["queue", "fault", "since", "all"])]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub filter: Filter,
    /// Everything that is open.
    #[arg(long, conflicts_with_all = ["queue", "fault", "since"])]
    pub all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateFilter {
    Open,
    Retried,
    Discarded,
    All,
}

fn since(text: &str) -> Result<Timestamp, String> {
    since_at(text, Timestamp::now())
}

/// A day is 24 hours here, whatever the clocks do.
fn since_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let wanted =
        || format!("{text} is neither an instant (2026-03-01T12:00:00Z) nor a span (2h, 3d)");
    let span: Span = text.parse().map_err(|_| wanted())?;
    let span = span
        .abs()
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wanted())?;
    now.checked_sub(span).map_err(|_| wanted())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_an_instant_or_a_span() {
        let now: Timestamp = "2026-03-04T12:00:00Z".parse().expect("an instant");
        let check = |text: &str, expected: &str| {
            let since = since_at(text, now).expect(text);
            assert_eq!(since.to_string(), expected, "{text}");
        };
        check("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00Z");
        check("2h", "2026-03-04T10:00:00Z");
        check("3d", "2026-03-01T12:00:00Z");
        check("1w 30m", "2026-02-25T11:30:00Z");
        check("2 hours ago", "2026-03-04T10:00:00Z");
        for nonsense in ["", "yesterday", "2", "2 months", "170000000h", "2026-03-01"] {
            assert!(since_at(nonsense, now).is_err(), "{nonsense}");
        }
    }

    fn parsed(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
    }

    #[test]
    fn whoever_retries_or_discards_says_what() {
        use clap::error::ErrorKind::{ArgumentConflict, InvalidValue, MissingRequiredArgument};
        for verb in ["retry", "discard"] {
            let parsed = |rest: &str| parsed(&format!("ordermill failures {verb} {rest}")).err();
            assert_eq!(parsed(""), Some(MissingRequiredArgument));
            assert_eq!(parsed("--json"), Some(MissingRequiredArgument));
            assert_eq!(parsed("fl_1 --all"), Some(ArgumentConflict));
            assert_eq!(parsed("fl_1 --queue batches"), Some(ArgumentConflict));
            assert_eq!(parsed("--all --since 2h"), Some(ArgumentConflict));
            assert_eq!(parsed("--fault Strange"), Some(InvalidValue));
            assert_eq!(parsed("--all"), None);
            assert_eq!(parsed("fl_1 fl_2"), None);
            assert_eq!(parsed("--queue batches --fault malformed --since 2h"), None);
        }
    }
}
