//! The figures of ARCHITECTURE.md. Not part of the suite, for they prove nothing:
//! `cargo test --release -p it measure -- --ignored --nocapture`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ordermill::commands::cost::report;
use ordermill::cost::Cost;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::lambda::{binaries, command, peak};
use crate::support::stack::{Deployed, deployed, ended, functions, upload};
use crate::support::{moment, stock, verify};

/// From the start of the process to its first request for work, and what it holds then.
#[tokio::test]
#[ignore = "a measurement"]
async fn measure_the_start_of_each_function() {
    const STARTS: usize = 30;
    for name in ordermill::local::FUNCTIONS {
        let binary = binaries().join(name);
        let size_mb = std::fs::metadata(&binary).expect("a binary").len() as f64 / 1e6;
        let (mut times_ms, mut peak_mb) = (Vec::new(), 0.0f64);
        for _ in 0..STARTS {
            let api = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let started = Instant::now();
            // Without an endpoint: as on AWS, with its certificates to be read.
            let port = api.local_addr().expect("an address").port();
            let mut process = command(name, port).spawn().expect("a function that starts");
            let accepted = tokio::time::timeout(Duration::from_secs(5), api.accept()).await;
            let accepted = accepted.expect("a function that asks for work");
            let (mut connection, _) = accepted.expect("a connection");
            let mut first = [0u8; 64];
            let read = connection.read(&mut first).await.expect("a request");
            times_ms.push(started.elapsed().as_micros() as f64 / 1000.0);
            assert!(String::from_utf8_lossy(&first[..read]).contains("/runtime/invocation/next"));
            peak_mb = peak_mb.max(peak(process.id()));
            process
                .kill()
                .and_then(|()| process.wait())
                .expect("killed");
        }
        times_ms.sort_by(f64::total_cmp);
        let (least, median, most) = (times_ms[0], times_ms[STARTS / 2], times_ms[STARTS - 1]);
        println!(
            "{name}: {size_mb:.1} MB, first poll after {median:.1} ms ({least:.1} to {most:.1}), {peak_mb:.1} MB at that time"
        );
    }
}

/// 10,000 orders of one line over 100 products: how fast, at what cost, and who was busy.
#[tokio::test]
#[ignore = "a measurement"]
async fn measure_ten_thousand_orders() {
    let deployed = deployed("measure").await;
    let store = deployed.stack.store().expect("a store");
    let products: Vec<String> = (0..100).map(|sku| format!("SKU-{sku:03}")).collect();
    stock(
        &store,
        &products
            .iter()
            .map(|sku| (sku.as_str(), 1_000_000))
            .collect::<Vec<_>>(),
    )
    .await;
    let mut random = fastrand::Rng::with_seed(10_000);
    let mut file = "order_id,customer_id,product_sku,quantity,unit_price,currency\n".to_owned();
    for row in 0..10_000 {
        let (customer, sku) = (random.u32(0..2_000), &products[random.usize(0..100)]);
        file.push_str(&format!(
            "ORD-2026-{row:06},CUST-{customer:05},{sku},{},19.99,USD\n",
            random.u32(1..4)
        ));
    }
    let before = processors(&deployed);
    let started = Instant::now();
    let import_id = upload(&deployed.stack, "ten-thousand.csv", file.as_bytes()).await;
    let import = ended(&store, &import_id).await;
    let wall = started.elapsed().as_secs_f64();
    let after = processors(&deployed);
    println!("{:?} on {}", import.progress, moment().now);
    println!("{:.0} orders a second ({wall:.1} s)", 10_000.0 / wall);
    for (name, (seconds, processes, peak_mb)) in after {
        let seconds = seconds - before.get(&name).map_or(0.0, |before| before.0);
        println!(
            "{name}: {seconds:.1} s of processor time in {processes} processes, {peak_mb:.1} MB at most in one"
        );
    }
    println!(
        "{}",
        report(
            &Cost::measure(&deployed.stack, &import_id)
                .await
                .expect("a cost")
        )
    );
    assert!(verify(&store).await.balanced);
}

/// Processor seconds, processes and peak memory by function, and of the emulator.
fn processors(deployed: &Deployed) -> BTreeMap<String, (f64, u32, f64)> {
    let mut sums: BTreeMap<String, (f64, u32, f64)> = BTreeMap::new();
    let emulator = ("the emulator".to_owned(), deployed.emulator_pid());
    for (name, pid) in functions(&deployed.stack.name)
        .into_iter()
        .chain([emulator])
    {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name in parentheses, fields 12 and 13 are user and system time, in ticks of 10 ms.
        let ticks: f64 = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum();
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + ticks / 100.0, sum.1 + 1, sum.2.max(peak(pid)));
    }
    sums
}
