//! The same lists, of the service that the local stack has.

use domain::refund::RefundStatus;
use fastrand::Rng;
use store::lists::failures::FailureFilter;
use store::lists::imports::{ImportFilter, Source};
use store::lists::refunds::RefundFilter;
use store::page::Position;

use super::forged::{forgeries, tried};
use super::{failures, imports, refunds, sometime, turned};
use crate::support::now;
use crate::support::stack::deployed;

/// One of so many forged positions is tried: each is a request.
const TRIED: usize = 29;

#[tokio::test]
async fn the_service_lists_what_looking_at_all_finds() {
    let deployed = deployed("lists").await;
    let store = deployed.stack.store().expect("a store");
    let mut random = Rng::with_seed(1);
    refunds::fill(&store, 80, &mut random).await;
    for _ in 0..40 {
        imports::add(&store, &mut random).await;
        let at = sometime(&mut random);
        failures::add(&store, &mut random, at).await;
    }

    let mut genuine = Vec::new();
    let day = |text: &str| Some(text.parse().expect("a day"));
    let customer = RefundFilter {
        customer_id: Some("C-1"),
        to: day("2026-02-25"),
        ..RefundFilter::default()
    };
    let days = RefundFilter {
        full: Some(false),
        from: day("2025-12-01"),
        ..RefundFilter::default()
    };
    let order = RefundFilter {
        order_id: Some("O-8"),
        ..RefundFilter::default()
    };
    let all = refunds::all(&store).await;
    for filter in [customer, days, order] {
        let list = async |limit, position: Option<&Position>| {
            store.list_refunds(&filter, now(), limit, position).await
        };
        let found = turned(&mut random, &list, async |_| {}).await;
        let found: Vec<String> = found.into_iter().map(|refund| refund.refund_id).collect();
        assert_eq!(found, refunds::ids(&all, &filter), "{filter:?}");
        assert!(found.len() > 2);
        genuine.extend(list(1, None).await.expect("a page").next);
    }
    let sums = store.refund_stats(
        "2026-01-01".parse().expect("a day"),
        day("2026-03-31").expect("a day"),
    );
    let sums = sums.await.expect("sums");
    assert_eq!(
        sums.iter().map(|sum| sum.refunds).sum::<u64>(),
        all.len() as u64
    );
    assert!(sums.iter().any(|sum| sum.status == RefundStatus::Cancelled));

    let singles = ImportFilter {
        source: Source::Order,
        ..ImportFilter::default()
    };
    let list = async |limit, position: Option<&Position>| {
        store.list_imports(&singles, limit, position).await
    };
    let found = turned(&mut random, &list, async |_| {}).await;
    let mut expected = imports::all(&store).await;
    expected.retain(|import| import.record.key.starts_with("imports/api/"));
    assert!(expected.len() > 2);
    assert_eq!(found, expected);
    genuine.extend(list(1, None).await.expect("a page").next);

    let queues = FailureFilter {
        queues: &["imports", "batches"],
        ..FailureFilter::default()
    };
    let list = async |limit, position: Option<&Position>| {
        store.list_failures(&queues, limit, position).await
    };
    let found = turned(&mut random, &list, async |_| {}).await;
    let mut expected = Vec::new();
    for queue in queues.queues {
        let failures = store.failures_of(queue).await.expect("failures");
        expected.extend(failures.into_iter().rev());
    }
    assert!(expected.len() > 2);
    assert_eq!(found, expected);
    genuine.extend(list(1, None).await.expect("a page").next);

    let forged: Vec<_> = forgeries(&genuine).into_iter().step_by(TRIED).collect();
    for filter in [customer, days, order] {
        let list = async |position: Option<&Position>| {
            store.list_refunds(&filter, now(), 1, position).await
        };
        let is_like = |refund: &store::refunds::RefundRecord| {
            !refunds::ids(std::slice::from_ref(refund), &filter).is_empty()
        };
        tried(&forged, list, is_like).await;
    }
    let list = async |position: Option<&Position>| store.list_products(1, position).await;
    tried(&forged, list, |_| true).await;
    let list = async |position: Option<&Position>| store.orders_of("C-1", 1, position).await;
    tried(&forged, list, |order| order.customer_id == "C-1").await;
}
