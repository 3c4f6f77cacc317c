//! Contact data of customers: it comes from rows that become orders, and newer uploads win.

use std::sync::{Arc, Mutex};

use domain::{Batch, Contact, RowsContact};
use jiff::{SignedDuration, Timestamp};
use store::Store;
use store::memory::MemoryEngine;
use store::ops::{Item, text};
use store::schema::Table;

use crate::support::{approving, batch, now, order, saga, stock};

/// A batch of one order, whose row states this address.
fn with_email(
    import_id: &str,
    order_id: &str,
    sku: &str,
    uploaded_at: Timestamp,
    email: &str,
) -> Batch {
    let mut batch = batch(import_id, 0, vec![order(1, order_id, &[(sku, 1)])]);
    batch.uploaded_at = Some(uploaded_at);
    let contact = Contact {
        customer_id: batch.orders[0].customer_id.clone(),
        email: Some(email.to_owned()),
        ..Contact::default()
    };
    batch.contacts = vec![RowsContact {
        contact,
        rows: vec![1],
    }];
    batch
}

async fn email(store: &Store<MemoryEngine>) -> Option<String> {
    let customer = store.customer("C-1").await.expect("an answer");
    customer.and_then(|customer| customer.email)
}

async fn settle(store: &Store<MemoryEngine>, batches: &[&Batch]) {
    for batch in batches {
        let settled = saga(store, &approving("1"), batch).await;
        settled.expect("settled");
    }
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

#[tokio::test]
async fn a_duplicate_or_conflicting_row_changes_no_contact_data() {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 10), ("B", 10)]).await;
    let first = with_email("im_a", "O-1", "A", now(), "ada@example.com");
    let duplicate = with_email("im_b", "O-1", "A", later(60), "mallory@example.com");
    let conflict = with_email("im_c", "O-1", "B", later(120), "eve@example.com");
    settle(&store, &[&first, &duplicate, &conflict, &duplicate]).await;
    assert_eq!(email(&store).await.as_deref(), Some("ada@example.com"));
}

#[tokio::test]
async fn contact_data_of_an_older_upload_never_replaces_newer_data() {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 10)]).await;
    let older = with_email("im_a", "O-1", "A", now(), "old@example.com");
    let newer = with_email("im_b", "O-2", "A", later(60), "new@example.com");
    let newest = with_email("im_c", "O-3", "A", later(120), "newest@example.com");
    settle(&store, &[&newer, &older]).await;
    assert_eq!(email(&store).await.as_deref(), Some("new@example.com"));
    settle(&store, &[&newest, &newer, &older]).await;
    assert_eq!(email(&store).await.as_deref(), Some("newest@example.com"));
    // What an older upload states of another field is kept.
    let mut phone = with_email("im_d", "O-4", "A", now(), "old@example.com");
    phone.contacts[0].contact.phone = Some("555-1".to_owned());
    settle(&store, &[&phone]).await;
    let customer = store.customer("C-1").await.expect("an answer");
    let customer = customer.expect("a customer");
    assert_eq!(customer.phone.as_deref(), Some("555-1"));
    assert_eq!(customer.email.as_deref(), Some("newest@example.com"));
}

#[tokio::test]
async fn later_rows_of_one_file_replace_earlier_ones_in_any_sequence() {
    for turned in [false, true] {
        let store = Store::new(MemoryEngine::new(), 1);
        stock(&store, &[("A", 10)]).await;
        let first = with_email("im_a", "O-1", "A", now(), "first@example.com");
        let mut second = with_email("im_a", "O-8", "A", now(), "second@example.com");
        second.batch_id = "im_a-000001".to_owned();
        // Customers of these tests follow from the row.
        second.orders[0].row = 8;
        second.contacts[0].rows = vec![8];
        match turned {
            false => settle(&store, &[&first, &second]).await,
            true => settle(&store, &[&second, &first]).await,
        }
        assert_eq!(email(&store).await.as_deref(), Some("second@example.com"));
    }
}

#[tokio::test]
async fn contact_data_is_stored_before_the_first_entry_also_of_an_order_that_fails() {
    for (sku, approval) in [("A", "1"), ("A", "0"), ("NOPE", "1")] {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), 1);
        stock(&store, &[("A", 10)]).await;
        let seen: Arc<Mutex<Vec<(Table, Item)>>> = Arc::default();
        let watched = seen.clone();
        engine.watch(move |key, _, after| {
            watched
                .lock()
                .expect("a lock")
                .push((key.table, after.clone()));
        });
        let batch = with_email("im_a", "O-1", sku, now(), "ada@example.com");
        let settled = saga(&store, &approving(approval), &batch).await;
        settled.expect("settled");
        let seen = seen.lock().expect("a lock");
        let place = |table, holds: &dyn Fn(&Item) -> bool| {
            seen.iter()
                .position(|(at, item)| *at == table && holds(item))
        };
        let address = text("ada@example.com");
        let contact = place(Table::Customers, &|item| {
            item.get("email") == Some(&address)
        });
        let entry = place(Table::Journal, &|_| true);
        assert!(
            contact.expect("contact data") < entry.expect("an entry"),
            "{sku}"
        );
    }
}

#[tokio::test]
async fn batches_of_releases_that_name_no_rows_keep_their_contact_data() {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 10)]).await;
    let mut batch = with_email("im_a", "O-1", "A", now(), "ada@example.com");
    batch.contacts[0].rows.clear();
    batch.uploaded_at = None;
    settle(&store, &[&batch]).await;
    assert_eq!(email(&store).await.as_deref(), Some("ada@example.com"));
    let dated = with_email("im_b", "O-2", "A", now(), "new@example.com");
    settle(&store, &[&dated, &batch]).await;
    assert_eq!(email(&store).await.as_deref(), Some("new@example.com"));
}
