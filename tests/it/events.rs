//! The sample events are what the functions really take: each is run through its function, in the sequence of the saga.

use std::sync::Mutex;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use dispatch::ports::Saga;
use domain::{Batch, Charged, Fault, Status};
use edge::Invocation;
use serde::de::DeserializeOwned;
use store::Store;
use store::memory::MemoryEngine;

use crate::support::memory::MemoryInbox;
use crate::support::{
    approving, moment, now, read, saga, settled, stock, tally_and_verify, terms, undated,
};

fn event<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(&format!("events/{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn store() -> Store<MemoryEngine> {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("OM-001", 10), ("OM-002", 10), ("OM-003", 10)]).await;
    store
}

#[tokio::test]
async fn the_steps_take_their_events_one_after_the_other() {
    let store = store().await;
    let batch: Batch = event("reserve");
    assert_eq!(
        reserve::handle(&store, batch.clone(), &moment())
            .await
            .expect("reserved"),
        batch
    );
    assert_eq!(event::<Batch>("pay"), batch);
    let charged: Charged = event("finalize");
    let paid = Batch {
        orders: charged.paid.clone(),
        ..batch
    };
    assert_eq!(
        pay::handle(&store, &approving("1"), paid, terms())
            .await
            .expect("charged")
            .paid,
        charged.paid
    );
    finalize::handle(&store, charged, &moment())
        .await
        .expect("finalized");
    rollback::handle(&store, event("rollback"), &moment())
        .await
        .expect("rolled back");
    let statuses = ["EV-1001", "EV-1002", "EV-1003"].map(|order_id| async {
        store
            .order(order_id)
            .await
            .expect("an answer")
            .map(|order| order.status)
    });
    let expected = [Status::Completed, Status::Completed, Status::Failed];
    for (status, expected) in statuses.into_iter().zip(expected) {
        assert_eq!(status.await, Some(expected));
    }
    assert!(crate::support::drift(&tally_and_verify(&store).await).is_empty());
}

/// A saga over memory, that fails as often as it is told to.
struct Local<'a> {
    store: &'a Store<MemoryEngine>,
    faults: Mutex<Vec<Fault>>,
}

impl Saga for Local<'_> {
    async fn run(&self, batch: &Batch) -> Result<(), Fault> {
        let fault = self.faults.lock().expect("a lock").pop();
        match fault {
            Some(fault) => Err(fault),
            None => saga(self.store, &approving("1"), batch).await,
        }
    }
}

#[tokio::test]
async fn a_message_is_acknowledged_when_its_orders_are_settled_and_not_before() {
    let store = store().await;
    let event: SqsEvent = event("dispatch");
    let faults = vec![
        Fault::Malformed("wrong".to_owned()),
        Fault::Transient("no answer".to_owned()),
    ];
    let saga = Local {
        store: &store,
        faults: Mutex::new(faults),
    };
    let at = Invocation {
        now: now(),
        remaining: Duration::from_secs(43),
        draw: 1,
    };
    // The lease first, then what the fault deserves: growing time, or the dead-letter queue at once.
    for (failures, waits, buried) in [(1, vec![45, 2], 0), (0, vec![45], 1), (0, vec![45], 0)] {
        let queue = MemoryInbox::default();
        let response = dispatch::handle(&saga, &queue, event.clone(), at)
            .await
            .expect("an answer");
        assert_eq!(response.batch_item_failures.len(), failures);
        let holds = queue.holds.into_inner().expect("a lock");
        let seconds: Vec<u64> = holds.iter().map(|hold| hold.time.as_secs()).collect();
        assert_eq!(seconds, waits);
        assert_eq!(queue.buried.into_inner().expect("a lock").len(), buried);
    }
    assert_eq!(
        store
            .customer("C-0001")
            .await
            .expect("an answer")
            .and_then(|contact| contact.email)
            .as_deref(),
        Some("ada@example.com")
    );
    assert_eq!(settled(&store, "im_0000000000000000").await.completed, 3);
}

#[tokio::test]
async fn contact_data_is_written_only_when_it_says_something_new() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let batch: Batch = {
        let event: SqsEvent = event("dispatch");
        serde_json::from_str(event.records[0].body.as_deref().unwrap_or_default()).expect("a batch")
    };
    let contacts = batch.contacts.into_iter();
    let contacts: Vec<_> = contacts.map(|stated| undated(stated.contact)).collect();
    store.save_contacts(&contacts).await.expect("saved");
    let units = engine.write_units();
    store.save_contacts(&contacts).await.expect("saved");
    assert_eq!(engine.write_units(), units);
    let news = domain::Contact {
        customer_id: "C-0001".to_owned(),
        phone: Some("555".to_owned()),
        ..domain::Contact::default()
    };
    store.save_contacts(&[undated(news)]).await.expect("saved");
    let known = store
        .customer("C-0001")
        .await
        .expect("an answer")
        .expect("a customer");
    assert_eq!(
        (known.name.as_deref(), known.phone.as_deref()),
        (Some("Ada Byron"), Some("555"))
    );
}
