//! `catalog` over memory: what a file of products changes, once, while orders go on.

use std::time::Duration;

use domain::catalog::Policy;
use edge::Invocation;
use store::catalogs::CatalogRecord;
use store::memory::{Faults, MemoryEngine};
use store::products::{Catalog, Listed, Listing, ProductRecord};
use store::{Engine, Store};

use crate::support::memory::{MemoryFiles, MemoryInbox, delivered};
use crate::support::{
    approving, batch, catalog_file, drift, now, order, read, saga, tally_and_verify,
};

fn listing(sku: &str, price_cents: i64, stock: u64) -> Listing {
    Listing {
        sku: sku.to_owned(),
        name: format!("Product {sku}"),
        price: rust_decimal::Decimal::new(price_cents, 2),
        currency: "USD".parse().expect("a currency"),
        stock,
    }
}

async fn product<E: Engine>(store: &Store<E>, sku: &str) -> ProductRecord {
    let product = store.product(sku).await.expect("an answer");
    product.expect("a product")
}

/// Stocked, available, reserved, sold.
async fn figures<E: Engine>(store: &Store<E>, sku: &str) -> [u64; 4] {
    let ProductRecord {
        stocked,
        available,
        reserved,
        sold,
        ..
    } = product(store, sku).await;
    [stocked, available, reserved, sold]
}

#[tokio::test]
async fn each_policy_does_what_it_says_once() {
    let store = Store::new(MemoryEngine::new(), 1);
    let (first, second, third, fourth) = (
        catalog_file("cl_1", 0, Policy::Set),
        catalog_file("cl_2", 1, Policy::Add),
        catalog_file("cl_3", 2, Policy::Skip),
        catalog_file("cl_4", 3, Policy::Set),
    );
    let loaded = |listing, file| {
        let store = &store;
        async move { store.list_product(&listing, file).await.expect("listed") }
    };
    for (listing, file, listed, expected) in [
        (
            listing("A", 999, 10),
            &first,
            Listed::Loaded,
            [10, 10, 0, 0],
        ),
        (
            listing("A", 999, 10),
            &first,
            Listed::Loaded,
            [10, 10, 0, 0],
        ),
        (
            listing("A", 500, 5),
            &second,
            Listed::Loaded,
            [15, 15, 0, 0],
        ),
        (
            listing("A", 500, 5),
            &second,
            Listed::Loaded,
            [15, 15, 0, 0],
        ),
        (listing("A", 1, 1), &third, Listed::Skipped, [15, 15, 0, 0]),
        (listing("A", 799, 7), &fourth, Listed::Loaded, [7, 7, 0, 0]),
        // Messages that come late, or again.
        (
            listing("A", 999, 10),
            &first,
            Listed::Outdated,
            [7, 7, 0, 0],
        ),
        (listing("A", 500, 5), &second, Listed::Loaded, [7, 7, 0, 0]),
        (listing("A", 799, 7), &fourth, Listed::Loaded, [7, 7, 0, 0]),
    ] {
        assert_eq!(loaded(listing, file).await, listed, "{file:?}");
        assert_eq!(figures(&store, "A").await, expected, "{file:?}");
    }
    assert_eq!(product(&store, "A").await.price.to_string(), "7.99");
    // What is new is new under any policy, and two deliveries of it are both counted, in either sequence.
    let (early, late) = (
        catalog_file("cl_5", 4, Policy::Add),
        catalog_file("cl_6", 5, Policy::Add),
    );
    for file in [&late, &early, &late, &early] {
        assert_eq!(loaded(listing("B", 100, 3), file).await, Listed::Loaded);
    }
    assert_eq!(figures(&store, "B").await, [6, 6, 0, 0]);
    assert_eq!(loaded(listing("C", 100, 3), &third).await, Listed::Loaded);
    assert_eq!(loaded(listing("C", 100, 3), &third).await, Listed::Loaded);
    // A count that comes late has not counted what came in after it, but what came in before.
    let (count, newer) = (
        catalog_file("cl_8", 6, Policy::Set),
        catalog_file("cl_9", 7, Policy::Add),
    );
    assert_eq!(loaded(listing("B", 100, 2), &newer).await, Listed::Loaded);
    assert_eq!(loaded(listing("B", 100, 20), &count).await, Listed::Loaded);
    assert_eq!(figures(&store, "B").await, [22, 22, 0, 0]);
    let recount = catalog_file("cl_10", 8, Policy::Set);
    assert_eq!(
        loaded(listing("B", 100, 21), &recount).await,
        Listed::Loaded
    );
    assert_eq!(figures(&store, "B").await, [21, 21, 0, 0]);
    // What was counted in the warehouse after a delivery had been counted with it.
    let delivery = catalog_file("cl_7", 1, Policy::Add);
    assert_eq!(
        loaded(listing("C", 100, 9), &delivery).await,
        Listed::Outdated
    );
    assert_eq!(figures(&store, "C").await, [3, 3, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn loading_loses_no_reservation_whatever_goes_wrong() {
    for seed in 0..40 {
        let faults = Faults {
            conflict: 100,
            throttle: 100,
            lost_answer: 100,
            stale: 100,
        };
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        let calm = Store::new(engine.clone(), seed + 1_000);
        let file = catalog_file("cl_0", 0, Policy::Set);
        calm.list_product(&listing("A", 999, 100), &file)
            .await
            .expect("listed");
        engine.set_faults(faults);
        let orders = async {
            for number in 0..5u32 {
                let rows = (1..=4u64).map(|row| {
                    let row = u64::from(number) * 4 + row;
                    order(row, &format!("O-{row}"), &[("A", 1)])
                });
                let batch = batch("im_a", number, rows.collect());
                while saga(&store, &approving("0.5"), &batch).await.is_err() {}
            }
        };
        let loads = async {
            for (at, policy) in [
                (1, Policy::Set),
                (2, Policy::Add),
                (3, Policy::Skip),
                (4, Policy::Set),
            ] {
                let file = catalog_file(&format!("cl_{at}"), at, policy);
                // A run that dies after it wrote, and the one that follows.
                for _ in 0..2 {
                    while store
                        .list_product(&listing("A", 999, 100), &file)
                        .await
                        .is_err()
                    {}
                }
            }
        };
        tokio::join!(orders, loads);
        engine.set_faults(Faults::default());
        let report = tally_and_verify(&calm).await;
        assert!(drift(&report).is_empty(), "seed {seed}: {report:#?}");
        let [stocked, available, reserved, sold] = figures(&calm, "A").await;
        assert_eq!(reserved, 0, "seed {seed}");
        assert_eq!(stocked, available + sold, "seed {seed}");
    }
}

/// Delivers the message of a catalog file, and returns what is on record of it.
async fn load(store: &Store<MemoryEngine>, files: &MemoryFiles) -> CatalogRecord {
    load_as(store, files, "catalog/spring catalog.csv").await
}

/// The same in the folder of files that add.
async fn load_added(store: &Store<MemoryEngine>, files: &MemoryFiles) -> CatalogRecord {
    load_as(store, files, "catalog/add/spring catalog.csv").await
}

async fn load_as(store: &Store<MemoryEngine>, files: &MemoryFiles, key: &str) -> CatalogRecord {
    let inbox = MemoryInbox::default();
    let ports = catalog::Ports {
        store,
        files,
        arrivals: &inbox,
    };
    let invocation = Invocation {
        now: now(),
        remaining: Duration::from_secs(60),
        draw: 1,
    };
    let currency = "USD".parse().expect("a currency");
    let mut event = delivered("catalog", 0);
    for message in &mut event.records {
        let body = message.body.as_deref().unwrap_or_default();
        let announced = key.replace(' ', "+");
        message.body = Some(body.replace("catalog/spring+catalog.csv", &announced));
    }
    let answer = catalog::handle(&ports, currency, event, invocation).await;
    assert!(answer.expect("an answer").batch_item_failures.is_empty());
    assert_eq!(inbox.holds.lock().expect("a lock").len(), 1);
    let catalog_id = domain::ids::catalog_id(
        "ordermill-files-000000000000-us-east-1",
        key,
        "EXAMPLE-VERSION",
    );
    let record = store.catalog(&catalog_id).await.expect("an answer");
    record.expect("a catalog")
}

#[tokio::test]
async fn a_catalog_file_is_loaded_once_with_its_rejects_beside_it() {
    let store = Store::new(MemoryEngine::new(), 1);
    let files = MemoryFiles {
        content: read("events/catalog-with-rejects.csv"),
        piece: 11,
        ..MemoryFiles::default()
    };
    let record = load(&store, &files).await;
    assert_eq!(
        (record.status(), record.rows, record.loaded, record.rejected),
        ("LOADED", 5, 2, 3)
    );
    assert_eq!(product(&store, "TEA-GREEN").await.price.to_string(), "8.40");
    assert_eq!(figures(&store, "TEA-BLACK").await, [80, 80, 0, 0]);
    let uploads = files.uploads.lock().expect("a lock").clone();
    let (key, rejects) = uploads.iter().next().expect("a file of rejects");
    assert_eq!(*key, files::rejects_key(&record.catalog_id));
    let codes: Vec<String> = intake::rejects::read(rejects.as_slice())
        .map(|reject| reject.expect("a row").code)
        .collect();
    assert_eq!(codes, ["ambiguous_amount", "duplicate_sku", "bad_stock"]);
    assert_eq!(load(&store, &files).await, record);

    let store = Store::new(MemoryEngine::new(), 1);
    let files = MemoryFiles {
        content: b"sku,price\nA,1\n".to_vec(),
        piece: 100,
        ..MemoryFiles::default()
    };
    let record = load(&store, &files).await;
    assert_eq!(record.status(), "FAILED");
    assert!(
        record
            .reason
            .unwrap_or_default()
            .contains("product_name, stock")
    );
}

/// What was sold between a delivery and an older count that comes after it, lies in the warehouse no more.
#[tokio::test]
async fn a_count_that_comes_late_brings_back_nothing_that_was_sold() {
    let store = Store::new(MemoryEngine::new(), 1);
    let (count, delivery) = (
        catalog_file("cl_1", 1, Policy::Set),
        catalog_file("cl_2", 2, Policy::Add),
    );
    let listed = async |units, file| {
        let listed = store.list_product(&listing("D", 999, units), file).await;
        assert_eq!(listed, Ok(Listed::Loaded));
    };
    listed(10, &delivery).await;
    let orders = vec![order(1, "O-1", &[("D", 4)])];
    let batch = batch("im_a", 0, orders);
    saga(&store, &approving("1"), &batch)
        .await
        .expect("settled");
    listed(5, &count).await;
    assert_eq!(figures(&store, "D").await, [15, 11, 0, 4]);
}

#[tokio::test]
async fn row_that_adds_over_the_limit_is_rejected_with_its_line() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let file = catalog_file("cl_0", 0, Policy::Set);
    let most = domain::limits::UNITS_IN_STOCK;
    for (sku, units) in [("A", most), ("B", 5)] {
        let listed = store.list_product(&listing(sku, 999, units), &file).await;
        assert_eq!(listed, Ok(Listed::Loaded));
    }
    let add = catalog_file("cl_1", 1, Policy::Add);
    let listed = async |sku, units| store.list_product(&listing(sku, 999, units), &add).await;
    assert_eq!(listed("A", 1).await, Ok(Listed::TooMany));
    assert_eq!(figures(&store, "A").await, [most, most, 0, 0]);
    // What was added by this file is known, however full the warehouse is by then.
    assert_eq!(listed("B", most - 5).await, Ok(Listed::Loaded));
    assert_eq!(listed("B", most - 5).await, Ok(Listed::Loaded));
    assert_eq!(figures(&store, "B").await, [most, most, 0, 0]);
    // A count that comes late would be added to what came in since.
    let late = catalog_file("cl_2", 2, Policy::Add);
    let listed = store.list_product(&listing("C", 999, 1), &late).await;
    assert_eq!(listed, Ok(Listed::Loaded));
    let listed = store.list_product(&listing("C", 999, most), &file).await;
    assert_eq!(listed, Ok(Listed::TooMany));
    assert_eq!(figures(&store, "C").await, [1, 1, 0, 0]);

    let store = Store::new(MemoryEngine::new(), 1);
    let earlier = Catalog {
        uploaded_at: "2020-01-01T00:00:00Z".parse().expect("an instant"),
        ..catalog_file("cl_0", 0, Policy::Add)
    };
    for sku in ["A", "C"] {
        let listed = store.list_product(&listing(sku, 999, 1), &earlier).await;
        assert_eq!(listed, Ok(Listed::Loaded));
    }
    let rows = format!("A,Desk,1,{most}\nB,Lamp,1,x\nC,Chair,1,4\n");
    let files = MemoryFiles {
        content: format!("sku,name,price,Stock\n{rows}").into_bytes(),
        piece: 1_000,
        ..MemoryFiles::default()
    };
    let record = load_added(&store, &files).await;
    assert_eq!(
        (record.status(), record.rows, record.loaded, record.rejected),
        ("LOADED", 3, 1, 2)
    );
    assert_eq!(figures(&store, "A").await, [1, 1, 0, 0]);
    assert_eq!(figures(&store, "C").await, [5, 5, 0, 0]);
    let uploads = files.uploads.lock().expect("a lock").clone();
    let rejects: Vec<_> = uploads
        .values()
        .flat_map(|file| intake::rejects::read(file.as_slice()))
        .map(|reject| reject.expect("a row"))
        .map(|reject| (reject.line, reject.row, reject.code, reject.column))
        .collect();
    let stock = || ("bad_stock".to_owned(), "Stock".to_owned());
    let rejected = |line| (line, line - 1, stock().0, stock().1);
    assert_eq!(rejects, [rejected(2), rejected(3)]);
}

#[tokio::test]
async fn bomb_of_a_catalog_ends_as_failed_early() {
    let zipped = |text: &str| {
        use std::io::Write;
        let level = flate2::Compression::fast();
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), level);
        zip.write_all(text.as_bytes()).expect("memory");
        zip.finish().expect("memory")
    };
    let part = zipped(&"\n".repeat(4 * 1024 * 1024));
    let store = Store::new(MemoryEngine::new(), 1);
    let files = MemoryFiles {
        content: [
            zipped("sku,name,price,stock\nA,Desk,1,1\n"),
            part.repeat(75),
        ]
        .concat(),
        piece: 4_096,
        ..MemoryFiles::default()
    };
    let record = load(&store, &files).await;
    assert_eq!(record.status(), "FAILED");
    let reason = record.reason.unwrap_or_default();
    assert!(reason.starts_with("expands_too_much: "), "{reason}");
    let read = files.read.load(std::sync::atomic::Ordering::Relaxed);
    assert!(read < 100_000, "{read}");
}
