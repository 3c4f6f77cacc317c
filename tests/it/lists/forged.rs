//! Positions that nobody was given, or that were given for another list: they lead to a refusal, or to a page of what was
//! asked for.

use domain::refund::RefundStatus;
use fastrand::Rng;
use serde_json::{Value, json};
use store::Store;
use store::failures::State;
use store::lists::failures::FailureFilter;
use store::lists::imports::{ImportFilter, Source};
use store::lists::refunds::RefundFilter;
use store::memory::MemoryEngine;
use store::page::{ListError, Listed, Position};

use super::refunds::with_refunds;
use super::{failures, imports, sometime};
use crate::support::now;

/// Every beginning with every place, and what is no position at all.
pub fn forgeries(genuine: &[Position]) -> Vec<Value> {
    let genuine: Vec<Value> = genuine.iter().map(|position| json!(position)).collect();
    let long = "x".repeat(3_000);
    let odd = ["", "x", "\u{7}", "\u{0}", "é", &long, "#", "*"];
    let mut beginnings: Vec<Value> = odd.iter().map(|text| json!(text)).collect();
    let known = [
        "C-1",
        "O-8",
        "2026-02-20",
        "2026-02-30",
        "1900-01-01",
        "9999-12-31",
        "20260220",
        "file",
        "order",
        "batches",
        "yes",
        "00",
    ];
    beginnings.extend(known.iter().map(|text| json!(text)));
    beginnings.extend(genuine.iter().map(|position| position["of"].clone()));
    let mut instants: Vec<Value> = odd.iter().map(|text| json!(text)).collect();
    let known = [
        "2026-02-20",
        "2026-02-20T12:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-30T00:00:00.000000000Z",
        "-009999-01-02T01:59:59Z",
        "2026-02-20T12:00:00+02:00",
    ];
    instants.extend(known.iter().map(|text| json!(text)));
    let mut names: Vec<Value> = odd.iter().map(|text| json!(text)).collect();
    for position in genuine
        .iter()
        .filter(|position| position["after"].is_object())
    {
        instants.push(position["after"]["at"].clone());
        names.push(position["after"]["id"].clone());
    }
    let mut forged = vec![
        json!({}),
        json!(null),
        json!({"of": "x", "table": "orders"}),
        json!({"of": 1}),
    ];
    for of in &beginnings {
        forged.push(json!({"of": of}));
        forged.push(json!({"of": of, "after": {}}));
        for at in &instants {
            for id in &names {
                forged.push(json!({"of": of, "after": {"at": at, "id": id}}));
            }
        }
    }
    forged
}

/// How many positions were refused, and how many led to a page.
pub struct Tried {
    pub refused: usize,
    pub pages: usize,
}

/// Whatever is forged is refused, or its page is of what was asked for.
pub async fn tried<T>(
    forged: &[Value],
    list: impl AsyncFn(Option<&Position>) -> Result<Listed<T>, ListError>,
    is_like: impl Fn(&T) -> bool,
) -> Tried {
    let (mut refused, mut pages) = (0, 0);
    for value in forged {
        let Ok(position) = serde_json::from_value::<Position>(value.clone()) else {
            refused += 1;
            continue;
        };
        match list(Some(&position)).await {
            Ok(page) => {
                assert!(page.items.iter().all(&is_like), "{value}");
                pages += 1;
            }
            Err(ListError::BadPosition) => refused += 1,
            Err(other) => panic!("{value}: {other:?}"),
        }
    }
    Tried { refused, pages }
}

async fn filled() -> Store<MemoryEngine> {
    let mut random = Rng::with_seed(1);
    let (_, store) = with_refunds(100, &mut random).await;
    for _ in 0..40 {
        imports::add(&store, &mut random).await;
        let at = sometime(&mut random);
        failures::add(&store, &mut random, at).await;
    }
    store
}

#[tokio::test]
async fn a_forged_position_leads_nowhere_else() {
    let store = filled().await;
    let refunds_of = |order_id, customer_id, from: Option<&str>| RefundFilter {
        order_id,
        customer_id,
        from: from.map(|day| day.parse().expect("a day")),
        ..RefundFilter::default()
    };
    let by_order = refunds_of(Some("O-8"), None, None);
    let by_customer = refunds_of(None, Some("C-1"), Some("2026-02-10"));
    let by_day = RefundFilter {
        status: Some(RefundStatus::Pending),
        ..refunds_of(None, None, Some("2026-02-10"))
    };
    let singles = ImportFilter {
        source: Source::Order,
        ..ImportFilter::default()
    };
    let open = FailureFilter {
        queues: &["batches"],
        states: &[State::Open],
        ..FailureFilter::default()
    };
    let refunds = async |filter: &RefundFilter<'_>, position: Option<&Position>| {
        store.list_refunds(filter, now(), 1, position).await
    };
    let mut genuine = Vec::new();
    for filter in [&by_order, &by_customer, &by_day] {
        genuine.extend(refunds(filter, None).await.expect("a page").next);
    }
    genuine.extend(
        store
            .list_imports(&singles, 1, None)
            .await
            .expect("a page")
            .next,
    );
    genuine.extend(
        store
            .list_failures(&open, 1, None)
            .await
            .expect("a page")
            .next,
    );
    genuine.extend(store.orders_of("C-1", 1, None).await.expect("a page").next);
    assert_eq!(genuine.len(), 6, "{genuine:?}");
    let forged = forgeries(&genuine);
    assert!(forged.len() > 5_000, "{}", forged.len());

    let is_fine = |tried: Tried| {
        assert!(tried.refused > tried.pages, "{} pages", tried.pages);
        // Its own position among them.
        assert!(tried.pages > 0);
    };
    let list = async |position: Option<&Position>| refunds(&by_order, position).await;
    is_fine(tried(&forged, list, |refund| refund.order_id == "O-8").await);
    let first = "2026-02-10".parse().expect("a day");
    let list = async |position: Option<&Position>| refunds(&by_customer, position).await;
    let is_like =
        |refund: &store::refunds::RefundRecord| refund.customer_id == "C-1" && refund.day >= first;
    is_fine(tried(&forged, list, is_like).await);
    let list = async |position: Option<&Position>| refunds(&by_day, position).await;
    let is_like = |refund: &store::refunds::RefundRecord| {
        refund.status == RefundStatus::Pending && refund.day >= first
    };
    is_fine(tried(&forged, list, is_like).await);
    let list = async |position: Option<&Position>| store.list_imports(&singles, 1, position).await;
    is_fine(
        tried(&forged, list, |import| {
            import.record.key.starts_with("imports/api/")
        })
        .await,
    );
    let list = async |position: Option<&Position>| store.list_failures(&open, 1, position).await;
    is_fine(
        tried(&forged, list, |failure| {
            failure.queue == "batches" && failure.state == State::Open
        })
        .await,
    );
    let list = async |position: Option<&Position>| store.orders_of("C-1", 1, position).await;
    is_fine(tried(&forged, list, |order| order.customer_id == "C-1").await);
    let list = async |position: Option<&Position>| store.list_products(2, position).await;
    is_fine(tried(&forged, list, |_| true).await);
}

/// The same list, under another filter: a page of what is asked for now.
#[tokio::test]
async fn a_position_of_another_filter_is_harmless_or_refused() {
    let store = filled().await;
    let filter = RefundFilter {
        customer_id: Some("C-1"),
        ..RefundFilter::default()
    };
    let page = store.list_refunds(&filter, now(), 2, None).await;
    let position = page.expect("a page").next.expect("a position");
    let cancelled = RefundFilter {
        status: Some(RefundStatus::Cancelled),
        ..filter
    };
    let page = store
        .list_refunds(&cancelled, now(), 100, Some(&position))
        .await;
    let items = page.expect("a page").items;
    assert!(!items.is_empty());
    assert!(
        items
            .iter()
            .all(|refund| refund.status == RefundStatus::Cancelled)
    );
    let other = RefundFilter {
        customer_id: Some("C-2"),
        ..filter
    };
    let refused = store.list_refunds(&other, now(), 2, Some(&position)).await;
    assert_eq!(refused, Err(ListError::BadPosition));
    let since = RefundFilter {
        to: Some("2026-01-25".parse().expect("a day")),
        ..filter
    };
    let refused = store.list_refunds(&since, now(), 2, Some(&position)).await;
    assert_eq!(refused, Err(ListError::BadPosition));
    let files = store.list_imports(&ImportFilter::default(), 2, None).await;
    let position = files.expect("a page").next.expect("a position");
    let orders = ImportFilter {
        source: Source::Order,
        ..ImportFilter::default()
    };
    let refused = store.list_imports(&orders, 2, Some(&position)).await;
    assert_eq!(refused, Err(ListError::BadPosition));
}
