//! The edge between a function and the Lambda service: settings in, faults and usage out.
//!
//! Knows nothing of orders. A function's `main` reads its settings here, builds its clients once, and serves.

pub mod aside;
pub mod aws;
pub mod batches;
pub mod entries;
mod failure;
pub mod figures;
pub mod leave;
pub mod mail;
pub mod messages;
pub mod objects;
pub mod optout;
pub mod outbox;
pub mod payments;
pub mod queues;
pub mod refunds;
pub mod resend;
pub mod secrets;
pub mod settings;

use std::time::{Duration, SystemTime};

use aws_types::SdkConfig;
use domain::Fault;
use jiff::{Timestamp, Unit};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use store::dynamo::{DynamoEngine, Meter};
use store::schema::Table;
use store::{AnyEngine, Store};
use tracing::Instrument;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use aws::CountCalls;
use failure::Failure;
use leave::{Input, Leave};
use messages::SqsQueue;
use outbox::SqsOutbox;

pub type Error = lambda_runtime::Error;

/// What a process holds from its start to its end.
pub struct Process {
    pub aws: SdkConfig,
    pub meter: Meter,
}

/// What an invocation gives its handler besides the event: nothing in a handler asks a clock.
#[derive(Debug, Clone, Copy)]
pub struct Invocation {
    pub now: Timestamp,
    /// How long the process may still work on this.
    pub remaining: Duration,
    /// Drawn anew for every invocation.
    pub draw: u64,
}

impl Process {
    /// To be called once, first thing in `main`.
    pub fn start() -> Result<Process, Fault> {
        let filter = filter(&settings::optional("RUST_LOG"))?;
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_target(false)
            .with_env_filter(filter)
            .init();
        Ok(Process {
            aws: aws::from_environment()?,
            meter: Meter::default(),
        })
    }

    /// A store that knows these tables, whose names are in the environment, and no others.
    pub fn store(&self, tables: &[Table]) -> Result<Store<DynamoEngine>, Fault> {
        Ok(Store::new(self.engine(tables)?, fastrand::u64(..)))
    }

    /// The same, for those who have to send it from one thread to another.
    pub fn any_store(&self, tables: &[Table]) -> Result<Store<AnyEngine>, Fault> {
        let engine = AnyEngine::new(self.engine(tables)?);
        Ok(Store::new(engine, fastrand::u64(..)))
    }

    fn engine(&self, tables: &[Table]) -> Result<DynamoEngine, Fault> {
        let names = tables.iter().map(|table| {
            Ok((
                *table,
                settings::required(&settings::table_variable(*table))?,
            ))
        });
        let names = names.collect::<Result<_, Fault>>()?;
        let config = aws_sdk_dynamodb::config::Builder::from(&self.aws)
            .interceptor(self.counted(leave::dynamodb))
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        Ok(DynamoEngine::new(client, names, self.meter.clone()))
    }

    /// For each client: whatever it sends is on record.
    pub fn counted(&self, leave: fn(&Input) -> Vec<Leave>) -> CountCalls {
        CountCalls::new(&self.meter, leave)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.aws)
            .interceptor(self.counted(leave::sqs))
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    /// The queue whose messages are worked on, and the one where they are put aside: these variables hold their URLs.
    pub fn queue(&self, variable: &str, dead: &str) -> Result<SqsQueue, Fault> {
        Ok(SqsQueue {
            client: self.sqs(),
            url: settings::required(variable)?,
            dead_url: settings::required(dead)?,
        })
    }

    /// A queue that messages are sent to: this variable holds its URL.
    pub fn outbox(&self, variable: &str) -> Result<SqsOutbox, Fault> {
        Ok(SqsOutbox {
            client: self.sqs(),
            url: settings::required(variable)?,
        })
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.aws)
            .interceptor(self.counted(leave::s3))
            // An emulator serves all buckets under one host.
            .force_path_style(aws::endpoint().is_some())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Serves invocations until the service ends the process.
    pub async fn serve<I, O>(
        self,
        handle: impl AsyncFn(I, Invocation) -> Result<O, Fault>,
    ) -> Result<(), Error>
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        let (handle, meter) = (&handle, &self.meter);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            let span = tracing::info_span!("invocation", request_id = event.context.request_id);
            async move {
                let invocation = invocation(event.context.deadline);
                let outcome = match serde_json::from_str(event.payload.get()) {
                    // Boxed: the layers of futures below are deeper than the compiler follows.
                    Ok(input) => Box::pin(handle(input, invocation)).await,
                    Err(error) => {
                        let what = "the event is not what this function takes";
                        Err(Fault::unreadable(what, error.line(), error.column()))
                    }
                };
                report(meter);
                outcome.map_err(|fault| {
                    let (name, reason) = (fault.name(), fault.message());
                    match fault {
                        // A no is no error of ours.
                        Fault::Refused(_) => {
                            tracing::info!(fault = name, reason, "the invocation was refused");
                        }
                        Fault::Transient(_) | Fault::Malformed(_) | Fault::Corrupt(_) => {
                            tracing::error!(fault = name, reason, "the invocation failed");
                        }
                    }
                    Failure(fault)
                })
            }
            .instrument(span)
        }))
        .await
    }
}

/// What is written at this level.
fn filter(level: &str) -> Result<EnvFilter, Fault> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into());
    let mut filter = filter.parse_lossy(level);
    for always in [
        // At its last level the runtime writes whole events, which hold tokens and what orders are about.
        "lambda_runtime::layers::api_response",
        // So does the SDK with requests and answers: whole mails, with the links in them.
        "aws_smithy_runtime",
        // Who asked for what is said at every level.
        "api::caller",
        // A level is no reason to tell a customer nothing.
        mail::LOG,
    ] {
        let always = format!("{always}=info").parse();
        filter = filter.add_directive(always.map_err(|error| Fault::Corrupt(format!("{error}")))?);
    }
    Ok(filter)
}

fn invocation(deadline_ms: u64) -> Invocation {
    let now = Timestamp::now();
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(deadline_ms);
    Invocation {
        // Milliseconds are all that anyone reads, and every stored instant is billed by its length.
        now: now.round(Unit::Millisecond).unwrap_or(now),
        remaining: deadline
            .duration_since(SystemTime::now())
            .unwrap_or_default(),
        draw: fastrand::u64(..),
    }
}

/// One line for each invocation: what it asked of AWS. `ordermill cost` adds these up.
fn report(meter: &Meter) {
    let usage = meter.take();
    if let Ok(usage) = serde_json::to_string(&usage) {
        tracing::info!(usage, "used");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use domain::notification::Name;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written_at(level: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter(level).expect("a filter"))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let name = Name::at("O-1", "confirmation#1").expect("a name");
            mail::log(&name, "a subject", "a text");
            tracing::info!("something else");
            tracing::error!("something bad");
        });
        let lines = lines.0.lock().expect("a lock").clone();
        String::from_utf8(lines).expect("a text")
    }

    #[test]
    fn what_is_told_by_the_log_is_written_at_every_level() {
        for level in ["error", "warn", "info", "off", ""] {
            let lines = written_at(level);
            let told = "\"subject\":\"a subject\",\"text\":\"a text\"";
            assert!(lines.contains(told), "{level}: {lines}");
            assert_eq!(lines.contains("something else"), level == "info", "{level}");
            assert_eq!(lines.contains("something bad"), level != "off", "{level}");
        }
    }
}
