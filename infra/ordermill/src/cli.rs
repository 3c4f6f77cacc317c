//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    Imports {
        /// One import only.
        id: Option<String>,
    },
    /// Products, prices and stock.
    #[command(subcommand)]
    Catalog(Catalog),
    /// Single orders.
    #[command(subcommand)]
    Order(Order),
    /// Recompute every figure from its source, and show what does not agree.
    Verify,
    /// What an import asked of AWS: requests and capacity for each order.
    Cost {
        /// The import; everything that ran since it began is counted, so let nothing else run.
        id: String,
    },
}

#[derive(Args)]
pub struct Local {
    /// The port of the emulator. It listens on this machine only.
    #[arg(long, default_value_t = 4566)]
    pub port: u16,
    /// Batches that are worked on at once: this many functions take ten messages each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=80))]
    pub concurrency: u16,
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
    /// A CSV file.
    pub file: PathBuf,
    /// Wait until every order is settled.
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after so many seconds. The import itself goes on.
    #[arg(long, default_value_t = 3600, requires = "wait")]
    pub timeout: u64,
}

#[derive(Subcommand)]
pub enum Catalog {
    /// Make products and stock what a CSV file says: sku,name,price,stock[,currency]
    Load {
        file: PathBuf,
        /// For rows that name no currency.
        #[arg(long, default_value = "USD")]
        currency: domain::Currency,
    },
    /// Products and their stock.
    List,
}

#[derive(Subcommand)]
pub enum Order {
    /// Everything that is known of an order.
    Get { order_id: String },
}
