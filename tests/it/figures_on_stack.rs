//! Figures on the local stack: right to the cent when an import is over, whatever happens to the function that adds them up.

use std::time::{Duration, Instant};

use domain::journal::{Change, Entry};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::cloud::Stack;
use store::dynamo::DynamoEngine;
use store::failures::Listed;
use store::ops::{Write, text};
use store::{Engine, Store, journal};

use crate::support::policies;
use crate::support::stack::{deployed, ended, failed_of, functions, retry, upload};
use crate::support::wait::{self, seen};
use crate::support::{order, stock, verify};

const ORDERS: usize = 10_000;

/// How often tally is killed.
const KILLS: usize = 10;

#[tokio::test]
async fn figures_are_right_to_the_cent_though_tally_is_killed_ten_times() {
    let deployed = deployed("figures").await;
    let store = deployed.stack.store().expect("a store");
    let products: Vec<String> = (0..100).map(|sku| format!("F-{sku}")).collect();
    let stocked: Vec<(&str, u64)> = products.iter().map(|sku| (sku.as_str(), 150)).collect();
    stock(&store, &stocked).await;
    let mut file = "order_id,customer_id,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        let (customer, sku) = (row * 7 % 900, &products[row % 100]);
        let price = 100 + row * 31 % 9_000;
        file.push_str(&format!(
            "F-{row},C-{customer},{sku},{},{}.{:02}\n",
            1 + row % 2,
            price / 100,
            price % 100
        ));
    }
    let import_id = upload(&deployed.stack, "figures.csv", file.as_bytes()).await;
    let kills = tokio::spawn(kill_tally(deployed.stack.name.clone()));
    let import = ended(&store, &import_id).await;
    let killed = kills.await.expect("kills");
    assert_eq!(killed, KILLS, "too little was killed to prove anything");
    assert_eq!(
        import.progress.completed + import.progress.failed,
        ORDERS as u64
    );
    let report = verify(&store).await;
    assert!(report.balanced, "{report:#?}");

    // What says that the import is over is the last that is entered.
    let mut last = Timestamp::MIN;
    let each =
        |order: store::orders::OrderRecord| last = order.settled_at.unwrap_or(last).max(last);
    store.each_order(each).await.expect("the orders");
    let record = store
        .import(&import_id)
        .await
        .expect("an answer")
        .expect("an import")
        .record;
    let behind = record.completed_at.expect("an end").duration_since(last);
    println!(
        "{:?}; the figures were right {behind:#} after the last order was settled",
        import.progress
    );
    policies::check(&deployed.stack).await;
}

/// In the middle of its work, as far as one can tell from outside.
async fn kill_tally(stack: String) -> usize {
    let started = Instant::now();
    let mut killed = 0;
    while killed < KILLS && started.elapsed() < wait::LIMIT {
        tokio::time::sleep(Duration::from_millis(300 + 170 * killed as u64 % 700)).await;
        let tally = functions(&stack)
            .into_iter()
            .find(|(name, _)| name == "tally");
        if let Some((_, pid)) = tally {
            let kill = std::process::Command::new("kill")
                .arg("-9")
                .arg(pid.to_string())
                .status();
            killed += usize::from(kill.is_ok_and(|status| status.success()));
        }
    }
    killed
}

async fn put(store: &Store<DynamoEngine>, entry: &Entry, spoil: bool) {
    let mut write = journal::append(entry).expect("an entry");
    if let Write::Put {
        item, condition, ..
    } = &mut write
    {
        *condition = store::ops::Condition::Always;
        if spoil {
            item.insert("changes".to_owned(), text("not what it should be"));
        }
    }
    store.engine().write(&write).await.expect("written");
}

fn entries() -> Vec<Entry> {
    let entry = |number: u64| {
        let order = order(number, &format!("B-{number}"), &[("A", 2)]);
        let (batch, now) = (format!("im_bad-{number}"), Timestamp::now());
        let change = Change::new(&order, None);
        Entry::settled(
            "finalize",
            &batch,
            "im_bad",
            number,
            vec![change],
            now,
            &TimeZone::UTC,
        )
    };
    (1..=20).map(entry).collect()
}

#[tokio::test]
async fn a_bad_entry_is_put_aside_and_keeps_no_other_back() {
    let deployed = deployed("bad").await;
    let stack: &Stack = &deployed.stack;
    let store = stack.store().expect("a store");
    let entries = entries();
    for (number, entry) in entries.iter().enumerate() {
        put(&store, entry, number == 7).await;
    }
    settled(&store, 19).await;
    let open = |failed: &[Listed]| failed.len() == 1;
    let failure = failed_of(&store, "entries", open).await.remove(0);
    assert_eq!(failure.fault, "Corrupt");
    let kept = store.failure(&failure.failure_id).await.expect("an answer");
    let payload = kept.expect("a failure").payload;
    assert!(payload.contains(&entries[7].entry_id), "{payload}");

    // Somebody mends the entry, and sends it again: twice, to be sure.
    put(&store, &entries[7], false).await;
    retry(stack, &store, &failure.failure_id).await;
    settled(&store, 20).await;
    for again in [7, 3] {
        let entry = &entries[again..=again];
        let answers = store
            .enter(
                entry,
                &TimeZone::UTC,
                Timestamp::now(),
                Duration::from_secs(60),
            )
            .await;
        assert_eq!(answers.expect("answers"), [Ok(())]);
    }
    settled(&store, 20).await;
    policies::check(stack).await;
}

async fn settled(store: &Store<DynamoEngine>, completed: u64) {
    let read = async || store.settled("im_bad").await.expect("an answer");
    seen("the figures", read, |settled| {
        settled.completed == completed
    })
    .await;
}
