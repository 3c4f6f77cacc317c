//! `up`: the local stack that stays.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::cli::{Global, Local};
use crate::cloud::{Cloud, Stack};
use crate::exit::{Exit, Signals};
use crate::local::{self, Emulator, Life, Running, Workspace};
use crate::output;

const DEFAULT_PORT: u16 = 4566;

pub async fn up(global: &Global, options: &Local) -> Result<bool> {
    let raised = raise(global, options, Life::UntilStopped);
    let (stack, emulator) = Signals::listen()?.cut(raised, interrupted).await?;
    let endpoint = stack.cloud.endpoint.clone().unwrap_or_default();
    let started = emulator.is_some();
    if let Some(emulator) = emulator {
        emulator.keep();
    }
    if global.json {
        output::json(&json!({
            "stack": stack.name, "endpoint": endpoint, "api": stack.api_url()?,
            "started": started,
        }))?;
    } else {
        outln!(
            "The stack {} is up at {endpoint}. Payments: {}. `ordermill down` stops it.",
            stack.name,
            stack.find_output("PaymentGateway").unwrap_or("unknown")
        );
        outln!("Its API is at {}.", stack.api_url()?);
    }
    Ok(true)
}

pub fn interrupted() -> String {
    "interrupted: what was started is ended".to_owned()
}

/// The endpoint that is there already: that of the environment, or the emulator of this checkout.
fn given(global: &Global, options: &Local, workspace: &Workspace) -> Result<Option<String>> {
    if global.aws {
        let why = "this starts a local stack: `sam deploy` deploys to AWS";
        return Err(Exit::new(Exit::USAGE, why).into());
    }
    if let Some(endpoint) = edge::aws::endpoint() {
        if options.port.is_some() {
            let why = format!(
                "--port is for an emulator that is started here, and AWS_ENDPOINT_URL names {endpoint}"
            );
            return Err(Exit::new(Exit::USAGE, why).into());
        }
        return Ok(Some(endpoint));
    }
    let Some(running) = Running::of(&workspace.root).filter(Running::is_alive) else {
        return Ok(None);
    };
    let Running { endpoint, port, .. } = &running;
    match options.port {
        Some(wanted) if wanted != *port => bail!(
            "the local stack of this checkout runs on port {port}, not on {wanted}: `ordermill down` stops it first"
        ),
        _ if !running.answers() => bail!(
            "the emulator at {endpoint} starts or hangs: wait for it, or `ordermill down` ends it"
        ),
        _ => Ok(Some(endpoint.clone())),
    }
}

/// Builds the functions and deploys the template: to the endpoint that is set, to the emulator that is up, or to one
/// that is started here. Says on stderr what it is doing, and how long each step took.
pub async fn raise(
    global: &Global,
    options: &Local,
    life: Life,
) -> Result<(Stack, Option<Emulator>)> {
    let workspace = Workspace::find()?;
    let given = given(global, options, &workspace)?;
    if let Some(endpoint) = &given {
        errln!("(on {endpoint})");
    }
    let quiet = !output::watched();
    let steps = Steps;
    let emulator = match given {
        Some(_) => {
            steps
                .run("building the functions", workspace.build(quiet))
                .await?;
            None
        }
        None => {
            // Side by side: the one waits for the processor, the other for the network.
            let (built, installed) = tokio::join!(
                steps.run("building the functions", workspace.build(quiet)),
                steps.run("installing the emulator", workspace.install_emulator())
            );
            built.and(installed)?;
            let port = options.port.unwrap_or(DEFAULT_PORT);
            Some(
                steps
                    .run(
                        "starting the emulator",
                        workspace.start_emulator(port, life),
                    )
                    .await?,
            )
        }
    };
    let endpoint = given
        .or_else(|| emulator.as_ref().map(Emulator::endpoint))
        .unwrap_or_default();
    let cloud = Cloud::at(&endpoint).await;
    let parameters = parameters(options);
    let stack = steps
        .run(
            "deploying template.yaml",
            workspace.deploy(&cloud, &global.stack, &parameters),
        )
        .await?;
    if let Some(sender) = stack.find_output("MailSender") {
        // On AWS somebody has to answer a mail for that.
        let ses = aws_sdk_ses::Client::new(&stack.cloud.aws);
        let verified = ses.verify_email_identity().email_address(sender).send();
        verified.await.context("verifying the sender of mails")?;
    }
    Ok((stack, emulator))
}

/// What is not given stays as the template has it.
fn parameters(options: &Local) -> Vec<(&'static str, String)> {
    let given = [
        ("PaymentGateway", &options.payment_gateway),
        ("PaymentTimeLimit", &options.payment_time_limit),
        ("MailSender", &options.mail_sender),
        ("OperatorMail", &options.operator_mail),
    ];
    let given = given
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.clone()?)));
    local::parameters(options.concurrency)
        .into_iter()
        .chain(given)
        .collect()
}

/// Steps that somebody waits for.
pub struct Steps;

impl Steps {
    pub async fn run<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let started = Instant::now();
        errln!("  \u{2026} {what}");
        let done = work.await;
        let mark = if done.is_ok() { '\u{2713}' } else { '\u{2717}' };
        errln!("  {mark} {what}: {:.1} s", started.elapsed().as_secs_f64());
        done
    }
}
