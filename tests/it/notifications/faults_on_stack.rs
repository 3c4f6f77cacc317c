//! A mail service that throttles, refuses an address, says nothing and is away, on the local stack: nothing is lost, nothing
//! waits for it but mails, and nobody storms it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_lambda::types::Environment;
use domain::notification::Standing;
use domain::preferences::Channel;
use ordermill::cloud::Stack;
use store::Store;
use store::dynamo::DynamoEngine;
use store::notifications::NotificationRecord;

use super::support::{deployed_to_mail, expected, records};
use super::weather::{Proxy, Weather};
use crate::support::policies;
use crate::support::stack::{ended, upload};
use crate::support::wait::seen;
use crate::support::{stock, verify};

const SENDER: &str = "orders@weather.example";

/// Every fifth customer has no address.
const CUSTOMERS: usize = 20;

const BAD: &str = "c7@customers.example";

type Told = BTreeMap<String, NotificationRecord>;

#[tokio::test]
async fn a_mail_service_that_fails_loses_nothing_and_holds_up_nothing_but_mails() {
    let rate = ("MailRate", "100".to_owned());
    let deployed = deployed_to_mail("weather", SENDER, [rate]).await;
    let stack = &deployed.stack;
    let behind = stack.cloud.endpoint.as_deref().expect("an emulator");
    let proxy = Proxy::start(behind, BAD, Weather::Throttling).await;
    redirect(stack, &proxy.url).await;
    let store = stack.store().expect("a store");
    stock(&store, &[("W-1", 10_000)]).await;

    let throttled = import(stack, &store, "throttled", 200).await;
    let told = settled(&store).await;
    // One more tells of the import, and is for the log.
    assert_eq!(told.len(), 201);
    {
        let seen = proxy.seen();
        println!(
            "throttled: settled after {throttled:.1?}; {} requests for 160 mails, {} throttled, {} refused",
            seen.requests,
            seen.throttled,
            seen.rejected.len()
        );
        assert!(seen.throttled >= 75, "{}", seen.throttled);
        // Each request that was answered was one that had to be made.
        let answered = seen.accepted.len() + seen.rejected.len();
        assert_eq!(seen.requests as usize, answered + seen.throttled as usize);
    }
    all_right(&proxy, &told);

    proxy.turn(Weather::Silent);
    let before = proxy.seen().requests;
    let away = Instant::now();
    let down = import(stack, &store, "down", 300).await;
    // It is away still: all figures are there, and who is told by the log was told.
    let report = verify(&store).await;
    assert!(report.balanced, "{report:#?}");
    let pending = until(&store, |told| told.len() == 502).await;
    let logged = pending.values().filter(|one| one.channel == Channel::Log);
    assert_eq!(
        logged.filter(|one| one.status == Standing::Sent).count(),
        102
    );
    let waiting = |told: &Told| {
        let waiting = told.values();
        waiting
            .filter(|one| one.status == Standing::Pending)
            .count()
    };
    assert_eq!(waiting(&pending), 240, "no mail went out");
    println!(
        "silent: settled after {down:.1?}, figures and log complete after {:.1?}",
        away.elapsed()
    );
    // Somebody waited for an answer in vain.
    let unanswered = |told: &Told| told.values().any(|one| one.unanswered > 0);
    until(&store, unanswered).await;
    proxy.turn(Weather::Down);
    let pending = until(&store, |told| {
        let mut waiting = told.values();
        waiting.all(|one| one.status != Standing::Pending || one.attempts > 0)
    });
    assert_eq!(waiting(&pending.await), 240);
    let meanwhile = proxy.seen().requests - before;
    println!(
        "away for {:.1?}: {meanwhile} requests for 240 mails",
        away.elapsed()
    );
    // Each was tried, and its message came back more and more slowly.
    assert!(meanwhile <= 4 * 240, "a storm: {meanwhile}");
    proxy.turn(Weather::Fair);
    let back = Instant::now();
    let told = settled(&store).await;
    let attempts = told.values().map(|one| one.attempts).max();
    println!(
        "all mails are out {:.1?} after it came back; {attempts:?} attempts for one at most",
        back.elapsed()
    );
    all_right(&proxy, &told);
    let report = verify(&store).await;
    assert!(report.balanced, "{report:#?}");
    policies::check(stack).await;
}

/// Has `send` ask the proxy, rather than the emulator, for what concerns mails.
async fn redirect(stack: &Stack, url: &str) {
    let lambda = aws_sdk_lambda::Client::new(&stack.cloud.aws);
    let function = format!("{}-send", stack.name);
    let known = lambda.get_function_configuration().function_name(&function);
    let known = known.send().await.expect("a function");
    let variables = known
        .environment
        .and_then(|environment| environment.variables);
    let mut variables = variables.expect("variables");
    variables.insert("AWS_ENDPOINT_URL_SES".to_owned(), url.to_owned());
    let environment = Environment::builder()
        .set_variables(Some(variables))
        .build();
    let update = lambda
        .update_function_configuration()
        .function_name(&function);
    let updated = update.environment(environment).send().await;
    updated.expect("updated");
}

/// Imports so many orders, and says how long it took to settle them.
async fn import(stack: &Stack, store: &Store<DynamoEngine>, name: &str, orders: usize) -> Duration {
    let mut file =
        "order_id,customer_id,customer_email,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..orders {
        let customer = row % CUSTOMERS;
        let email = match customer % 5 {
            0 => String::new(),
            _ => format!("c{customer}@customers.example"),
        };
        file.push_str(&format!("{name}-{row},C-{customer},{email},W-1,1,9.99\n"));
    }
    let started = Instant::now();
    let import_id = upload(stack, &format!("{name}.csv"), file.as_bytes()).await;
    let import = ended(store, &import_id).await;
    let progress = import.progress;
    assert_eq!(progress.completed + progress.failed, orders as u64);
    started.elapsed()
}

/// One end for each, and one mail that the service took for each that says so.
fn all_right(proxy: &Proxy, told: &Told) {
    let seen = proxy.seen();
    let bad = BAD.trim_start_matches('c').split('@').next();
    for (id, record) in told {
        let count = |of: &BTreeMap<String, u32>| of.get(id).copied().unwrap_or_default();
        let customer = record.customer_id().unwrap_or_default();
        let customer = customer.trim_start_matches("C-");
        let (standing, expected) = match record.channel {
            Channel::Log => (Standing::Sent, (0, 0)),
            Channel::Email if Some(customer) == bad => (Standing::Failed, (0, 1)),
            Channel::Email => (Standing::Sent, (1, 0)),
        };
        assert_eq!(record.status, standing, "{record:?}");
        assert_eq!(
            (count(&seen.accepted), count(&seen.rejected)),
            expected,
            "{record:?}"
        );
        if standing == Standing::Failed {
            let why = record.failure.as_deref();
            assert_eq!(why, Some("MessageRejected: Address is blacklisted."));
        }
    }
}

/// All that is told, when it is so.
async fn until(store: &Store<DynamoEngine>, is_so: impl Fn(&Told) -> bool) -> Told {
    seen("notifications", async || records(store).await, is_so).await
}

async fn settled(store: &Store<DynamoEngine>) -> Told {
    let expected = expected(store).await;
    until(store, |told| {
        let over = told.values().all(|one| one.status != Standing::Pending);
        over && told.keys().eq(&expected)
    })
    .await
}
