//! Compressed files that hold far more than they seem to: taken where they are orders, and refused early where they are not.

use std::io::Write;

use domain::limits::EXPANSION_FREE_BYTES;
use domain::progress::ImportStatus;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::bench::{Bench, call};
use super::mill::read_in;

const HEADER: &str = "order_id,customer_id,sku,quantity,unit_price\n";

fn zipped(text: &[u8]) -> Vec<u8> {
    zipped_as(text, Compression::best())
}

fn zipped_as(text: &[u8], level: Compression) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), level);
    zip.write_all(text).expect("memory");
    zip.finish().expect("memory")
}

/// A file that expands to so many times four megabytes of this. A compressed file may have any number of parts.
fn bomb(head: &str, piece: &str, times: usize) -> Vec<u8> {
    let part = zipped(piece.repeat(4 * 1024 * 1024 / piece.len()).as_bytes());
    [zipped(head.as_bytes()), part.repeat(times)].concat()
}

/// Rows that end, a row that never ends, a quote that never closes, and no row at all: 300 MB of each in 75 parts.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let times = 75;
    vec![
        ("rows", bomb(HEADER, "O-1,C-1,S,1,9.99\n", times)),
        ("one row", bomb(HEADER, "a", times)),
        ("one quote", bomb(&format!("{HEADER}\"O-1"), "a,\n", times)),
        ("blank lines", bomb(HEADER, "\n", times)),
    ]
}

/// Rows that differ as those of orders do.
fn orders(bytes: usize) -> String {
    let mut file = HEADER.to_owned();
    for row in 0.. {
        if file.len() >= bytes {
            break;
        }
        file.push_str(&format!(
            "ORD-{row:08},CUST-{:05},SKU-001,1,19.99\n",
            row % 977
        ));
    }
    file
}

#[tokio::test]
async fn bomb_in_a_request_is_rejected_early() {
    let bench = Bench::new();
    for (what, file) in bombs() {
        assert!(file.len() < 2 * 1024 * 1024, "{what}: {}", file.len());
        let call = call("POST", "/orders/import").header("content-type", "application/gzip");
        let answer = bench.ask(call.bytes(&file)).await;
        assert_eq!(answer.problem(), (413, "body_too_large"), "{what}");
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("200 times"), "{detail}");
    }
    assert!(bench.done.files.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn orders_that_compress_well_are_taken() {
    let bench = Bench::new();
    let text = orders(9 * 1024 * 1024);
    let file = zipped_as(text.as_bytes(), Compression::fast());
    assert!(file.len() * 5 < text.len(), "{}", file.len());
    let call = call("POST", "/orders/import").header("content-type", "application/gzip");
    let answer = bench.ask(call.bytes(&file)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn bomb_in_the_bucket_ends_as_failed_early() {
    // The others take their time, in millions of rows.
    let quick = ["one row", "blank lines"];
    let bombs = bombs().into_iter();
    for (what, file) in bombs.filter(|(what, _)| quick.contains(what)) {
        let bench = Bench::new();
        let key = "imports/bomb.csv.gz".to_owned();
        let import_id = domain::ids::import_id("files", &key, "1");
        let put = (key.clone(), (file, 1));
        bench.done.files.lock().expect("a lock").extend([put]);
        read_in(&bench, &key).await;
        let import = bench.store.import(&import_id).await.expect("an answer");
        let import = import.expect("an import");
        assert_eq!(import.status(), ImportStatus::Failed, "{what}");
        let reason = import.record.reason.unwrap_or_default();
        assert!(reason.starts_with("expands_too_much: "), "{what}: {reason}");
        // One piece of the compressed file more, at most.
        let most = EXPANSION_FREE_BYTES + 5 * 1024 * 1024;
        assert!(import.record.read.offset <= most, "{what}");
    }
}
