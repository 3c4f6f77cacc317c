//! What is asked of one product, by whoever asks for it alone: once under a key, beside catalog files and orders.

use std::sync::{Arc, Mutex};

use domain::catalog::Policy;
use domain::limits::UNITS_IN_STOCK;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use store::memory::{Faults, MemoryEngine};
use store::ops::{Item, Value};
use store::product_requests::{Requested, Wish};
use store::products::{Listed, Listing, ProductRecord};
use store::schema::Table;
use store::{Engine, Store};

use crate::support::{approving, batch, catalog_file, drift, now, order, saga, tally_and_verify};

fn wish(sku: &str, price_cents: i64, stock: Option<u64>) -> Wish {
    Wish {
        sku: sku.to_owned(),
        name: format!("Product {sku}"),
        price: Decimal::new(price_cents, 2),
        currency: "USD".parse().expect("a currency"),
        stock,
    }
}

fn listing(sku: &str, price_cents: i64, stock: u64) -> Listing {
    Listing {
        sku: sku.to_owned(),
        name: format!("Product {sku}"),
        price: Decimal::new(price_cents, 2),
        currency: "USD".parse().expect("a currency"),
        stock,
    }
}

/// So many seconds after the catalog files of second 0.
fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// The price in cents; stocked, available, reserved, sold.
fn figures(product: &ProductRecord) -> (i64, [u64; 4]) {
    let ProductRecord {
        price,
        stocked,
        available,
        reserved,
        sold,
        ..
    } = product;
    let cents = price * Decimal::ONE_HUNDRED;
    let cents = i64::try_from(cents).expect("whole cents");
    (cents, [*stocked, *available, *reserved, *sold])
}

/// A name of the outcome, and the product as it is then.
fn outcome(requested: Requested) -> (&'static str, (i64, [u64; 4])) {
    match requested {
        Requested::Created(product) => ("created", figures(&product)),
        Requested::Changed(product) => ("changed", figures(&product)),
        Requested::Unchanged(product) => ("unchanged", figures(&product)),
        other => panic!("{other:?}"),
    }
}

/// The cases on any engine: `run` starts every key and SKU.
pub async fn once_under_a_key<E: Engine>(store: &Store<E>, run: &str) {
    let (one, key) = (format!("{run}-1"), |number| format!("{run}-key-{number}"));
    let put = async |wish: &Wish, number: u32, seconds| {
        store
            .put_product(wish, &key(number), at(seconds))
            .await
            .expect("an answer")
    };
    let restock = async |sku: &str, units, number: u32, seconds| {
        let key = key(number);
        store
            .restock_product(sku, units, &key, at(seconds))
            .await
            .expect("an answer")
    };
    assert_eq!(restock(&one, 5, 0, 0).await, Requested::NoSuchProduct);
    let with_stock = wish(&one, 999, Some(10));
    assert_eq!(
        outcome(put(&with_stock, 1, 0).await),
        ("created", (999, [10, 10, 0, 0]))
    );
    assert_eq!(
        outcome(put(&with_stock, 1, 9).await),
        ("unchanged", (999, [10, 10, 0, 0]))
    );
    assert_eq!(
        outcome(put(&with_stock, 2, 0).await),
        ("unchanged", (999, [10, 10, 0, 0]))
    );
    // In the same millisecond, and by a clock that is behind.
    let cheaper = wish(&one, 899, None);
    assert_eq!(
        outcome(put(&cheaper, 3, 0).await),
        ("changed", (899, [10, 10, 0, 0]))
    );
    assert_eq!(
        outcome(restock(&one, 5, 4, -9).await),
        ("changed", (899, [15, 15, 0, 0]))
    );
    assert_eq!(
        outcome(restock(&one, 5, 4, 0).await),
        ("unchanged", (899, [15, 15, 0, 0]))
    );
    let counted = wish(&one, 799, Some(7));
    assert_eq!(
        outcome(put(&counted, 5, -19).await),
        ("changed", (799, [7, 7, 0, 0]))
    );
    // Repetitions that come long after something else was said.
    for number in [1, 2] {
        assert_eq!(outcome(put(&with_stock, number, 99).await).0, "unchanged");
    }
    assert_eq!(outcome(put(&cheaper, 3, 99).await).0, "unchanged");
    assert_eq!(
        outcome(restock(&one, 5, 4, 99).await),
        ("unchanged", (799, [7, 7, 0, 0]))
    );
    // Something else under a key that is known.
    assert_eq!(put(&counted, 3, 99).await, Requested::KeyReused);
    assert_eq!(
        put(&wish(&format!("{run}-2"), 899, None), 3, 99).await,
        Requested::KeyReused
    );
    assert_eq!(
        put(&wish(&one, 799, Some(8)), 5, 99).await,
        Requested::KeyReused
    );
    assert_eq!(restock(&one, 6, 4, 99).await, Requested::KeyReused);
    assert_eq!(restock(&one, 5, 5, 99).await, Requested::KeyReused);
    // A new product that nobody has counted has none to sell.
    let bare = wish(&format!("{run}-3"), 100, None);
    assert_eq!(outcome(put(&bare, 6, 0).await), ("created", (100, [0; 4])));
    assert_eq!(
        outcome(put(&bare, 6, 0).await),
        ("unchanged", (100, [0; 4]))
    );
    let in_yen = Wish {
        price: Decimal::from(15_000),
        currency: "JPY".parse().expect("a currency"),
        ..bare
    };
    assert_eq!(
        outcome(put(&in_yen, 7, 0).await),
        ("changed", (1_500_000, [0; 4]))
    );
    let found = store.product(&in_yen.sku).await.expect("an answer");
    assert_eq!(found.expect("a product").currency.code(), "JPY");
}

#[tokio::test]
async fn a_product_is_changed_once_under_a_key() {
    once_under_a_key(&Store::new(MemoryEngine::new(), 1), "m").await;
}

#[tokio::test]
async fn what_no_catalog_file_may_say_is_refused() {
    let store = Store::new(MemoryEngine::new(), 1);
    let good = wish("A", 999, Some(1));
    let field = async |wish: Wish, key: &str| match store.put_product(&wish, key, now()).await {
        Ok(Requested::Invalid(wrong)) => wrong.field(),
        other => panic!("{wish:?}: {other:?}"),
    };
    let named = |name: String| Wish {
        name,
        ..good.clone()
    };
    let stocked = |stock| Wish {
        stock: Some(stock),
        ..good.clone()
    };
    let priced = |price| Wish {
        price,
        ..good.clone()
    };
    assert_eq!(field(named(String::new()), "k").await, "name");
    assert_eq!(field(named("x".repeat(513)), "k").await, "name");
    assert_eq!(field(named("a\u{7}b".to_owned()), "k").await, "name");
    assert_eq!(field(wish("", 1, None), "k").await, "sku");
    assert_eq!(field(wish(&"x".repeat(129), 1, None), "k").await, "sku");
    assert_eq!(field(stocked(UNITS_IN_STOCK + 1), "k").await, "stock");
    assert_eq!(field(priced(Decimal::new(9_999, 3)), "k").await, "price");
    assert_eq!(field(priced(Decimal::new(-1, 2)), "k").await, "price");
    assert_eq!(field(priced(Decimal::MAX), "k").await, "price");
    assert_eq!(field(good.clone(), "").await, "key");
    assert_eq!(field(good.clone(), &"k".repeat(257)).await, "key");
    for (sku, units, key, field) in [
        ("A", 0, "k", "units"),
        ("A", UNITS_IN_STOCK + 1, "k", "units"),
        ("", 1, "k", "sku"),
        ("A", 1, "", "key"),
    ] {
        match store.restock_product(sku, units, key, now()).await {
            Ok(Requested::Invalid(wrong)) => assert_eq!(wrong.field(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(store.product("A").await, Ok(None));
    let largest = store
        .put_product(&stocked(UNITS_IN_STOCK), "k", now())
        .await;
    assert!(matches!(largest, Ok(Requested::Created(_))), "{largest:?}");
}

/// A file speaks for the instant of its upload, in whatever sequence it is read.
#[tokio::test]
async fn files_that_are_older_and_newer_say_what_they_may() {
    let store = Store::new(MemoryEngine::new(), 1);
    let file = async |name: &str, policy, seconds, cents, units| {
        let file = catalog_file(name, seconds, policy);
        store
            .list_product(&listing("A", cents, units), &file)
            .await
            .expect("listed")
    };
    let found = async || figures(&store.product("A").await.expect("an answer").expect("A"));
    let put = async |key: &str, seconds, cents, stock| {
        let requested = store
            .put_product(&wish("A", cents, stock), key, at(seconds))
            .await;
        outcome(requested.expect("an answer"))
    };
    // A name and a price, before anybody counted. The older file says what was there, and not what it costs.
    assert_eq!(put("k1", 10, 500, None).await, ("created", (500, [0; 4])));
    assert_eq!(file("cl_1", Policy::Set, 5, 999, 20).await, Listed::Loaded);
    assert_eq!(found().await, (500, [20, 20, 0, 0]));
    assert_eq!(file("cl_1", Policy::Set, 5, 999, 20).await, Listed::Loaded);
    // The newer one says both, and a repetition of what was asked before takes nothing of it back.
    assert_eq!(file("cl_2", Policy::Set, 15, 888, 30).await, Listed::Loaded);
    assert_eq!(found().await, (888, [30, 30, 0, 0]));
    assert_eq!(put("k1", 20, 500, None).await.0, "unchanged");
    assert_eq!(found().await, (888, [30, 30, 0, 0]));
    // So it is with what is known already: the price was confirmed at 25, and the file is of 22.
    assert_eq!(put("k2", 25, 888, None).await.0, "unchanged");
    assert_eq!(file("cl_3", Policy::Set, 22, 777, 40).await, Listed::Loaded);
    assert_eq!(found().await, (888, [40, 40, 0, 0]));
    // A count by request: older files are outdated, deliveries before it were counted with it, those after it were not.
    assert_eq!(put("k3", 30, 666, Some(50)).await.0, "changed");
    assert_eq!(file("cl_4", Policy::Set, 29, 1, 1).await, Listed::Outdated);
    assert_eq!(file("cl_5", Policy::Add, 29, 1, 1).await, Listed::Outdated);
    assert_eq!(file("cl_6", Policy::Add, 35, 1, 3).await, Listed::Loaded);
    assert_eq!(found().await, (666, [53, 53, 0, 0]));
    let restocked = store.restock_product("A", 4, "k4", at(36)).await;
    assert_eq!(
        outcome(restocked.expect("an answer")),
        ("changed", (666, [57, 57, 0, 0]))
    );
    // A count of 33 that comes late has counted neither of them.
    assert_eq!(file("cl_7", Policy::Set, 33, 555, 10).await, Listed::Loaded);
    assert_eq!(found().await, (555, [17, 17, 0, 0]));
    assert_eq!(file("cl_8", Policy::Skip, 60, 1, 1).await, Listed::Skipped);
    assert_eq!(put("k3", 99, 666, Some(50)).await.0, "unchanged");
    assert_eq!(found().await, (555, [17, 17, 0, 0]));
}

/// Fails where a write leaves stock that does not add up.
fn watched(engine: &MemoryEngine) -> Arc<Mutex<Vec<String>>> {
    let wrong = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&wrong);
    engine.watch(move |key, _, after| {
        let units = |name: &str| match after.get(name) {
            Some(Value::N(units)) => units.parse::<u64>().ok(),
            _ => None,
        };
        let adds_up = |_: &Item| {
            let parts = units("available")? + units("reserved")? + units("sold")?;
            (units("stocked")? == parts).then_some(())
        };
        if key.table == Table::Products && adds_up(after).is_none() {
            found.lock().expect("a lock").push(format!("{after:?}"));
        }
    });
    wrong
}

#[tokio::test(start_paused = true)]
async fn requests_and_reservations_lose_nothing_of_each_other_whatever_goes_wrong() {
    for seed in 0..40 {
        let engine = MemoryEngine::new();
        let wrong = watched(&engine);
        let store = Store::new(engine.clone(), seed);
        let calm = Store::new(engine.clone(), seed + 1_000);
        let first = calm
            .put_product(&wish("A", 999, Some(100)), "first", now())
            .await;
        assert!(matches!(first, Ok(Requested::Created(_))), "{first:?}");
        engine.set_faults(Faults {
            conflict: 100,
            throttle: 100,
            lost_answer: 100,
            stale: 100,
        });
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
        // Each is asked for twice, by somebody who saw no answer.
        let restocks = async {
            for number in (0..10).flat_map(|number| [number, number]) {
                let key = format!("restock-{number}");
                while store.restock_product("A", 3, &key, now()).await.is_err() {}
            }
        };
        let prices = async {
            for number in 0..10 {
                let (wish, key) = (wish("A", 900 + number, None), format!("price-{number}"));
                while store.put_product(&wish, &key, now()).await.is_err() {}
            }
        };
        tokio::join!(orders, restocks, prices);
        let check = async |stocked| {
            let product = calm.product("A").await.expect("an answer").expect("A");
            let (cents, figures) = figures(&product);
            let [_, available, reserved, sold] = figures;
            assert_eq!(
                (reserved, available + sold),
                (0, stocked),
                "seed {seed}: {figures:?}"
            );
            (cents, sold)
        };
        engine.set_faults(Faults::default());
        // What was sold is still of the first hundred, and what came in came in once.
        let (cents, sold) = check(130).await;
        assert_eq!(cents, 909, "seed {seed}: the last price");
        // Counts in between: what is reserved stays so, and the rest is what was counted.
        engine.set_faults(Faults {
            conflict: 100,
            throttle: 100,
            lost_answer: 100,
            stale: 100,
        });
        let orders = async {
            let rows = (21..=28).map(|row| order(row, &format!("O-{row}"), &[("A", 1)]));
            let batch = batch("im_a", 5, rows.collect());
            while saga(&store, &approving("0"), &batch).await.is_err() {}
        };
        let counts = async {
            for number in 0..5 {
                let (wish, key) = (wish("A", 999, Some(50)), format!("count-{number}"));
                while store.put_product(&wish, &key, now()).await.is_err() {}
            }
        };
        tokio::join!(orders, counts);
        engine.set_faults(Faults::default());
        check(50 + sold).await;
        assert_eq!(
            *wrong.lock().expect("a lock"),
            Vec::<String>::new(),
            "seed {seed}"
        );
        let report = tally_and_verify(&calm).await;
        assert!(drift(&report).is_empty(), "seed {seed}: {report:#?}");
    }
}
