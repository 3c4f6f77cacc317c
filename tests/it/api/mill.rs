//! What becomes of the files that were put: `chunk` reads them, and each batch goes through the saga.

use std::time::Duration;

use domain::Batch;
use domain::order::TotalPolicy;
use edge::Invocation;
use intake::Settings;
use serde_json::json;

use super::bench::Bench;
use crate::support::memory::{MemoryBatches, MemoryFiles, MemoryInbox, delivered};
use crate::support::{approving, now, saga};

/// Has `chunk` read a file that is in the bucket. What it cannot take is in the bench then.
pub async fn read_in(bench: &Bench, key: &str) -> Vec<Batch> {
    let (content, version) = bench.done.files.lock().expect("a lock")[key].clone();
    let files = MemoryFiles {
        content,
        piece: 4_096,
        ..MemoryFiles::default()
    };
    let (batches, inbox) = (MemoryBatches::default(), MemoryInbox::default());
    let ports = chunk::Ports {
        store: &bench.store,
        files: &files,
        batches: &batches,
        arrivals: &inbox,
        lane: chunk::Lane::Bulk,
    };
    let settings = Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
    };
    let mut event = delivered("chunk", 1);
    let object = json!({
        "key": key, "size": files.content.len(), "eTag": "e", "versionId": version.to_string(), "sequencer": "1",
    });
    let announced = json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": now().to_string(), "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "x"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "imports",
            "bucket": {"name": "files", "ownerIdentity": {"principalId": "x"}, "arn": "arn:aws:s3:::files"},
            "object": object,
        },
    }]});
    event.records[0].body = Some(announced.to_string());
    let invocation = Invocation {
        now: now(),
        remaining: Duration::from_secs(900),
        draw: 1,
    };
    let answer = chunk::handle(&ports, &settings, event, invocation).await;
    assert!(answer.expect("an answer").batch_item_failures.is_empty());
    assert_eq!(*inbox.buried.lock().expect("a lock"), []);
    let uploads = files.uploads.into_inner().expect("a lock");
    let rejects = uploads.into_values().next().unwrap_or_default();
    *bench.done.rejects.lock().expect("a lock") = rejects;
    batches.batches.into_inner().expect("a lock")
}

/// The same, and settles what is in it.
pub async fn settled(bench: &Bench, key: &str) {
    settle(bench, read_in(bench, key).await).await;
}

pub async fn settle(bench: &Bench, batches: Vec<Batch>) {
    for batch in batches {
        let settled = saga(&bench.store, &approving("1"), &batch).await;
        settled.expect("settled");
    }
}
