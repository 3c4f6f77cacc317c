//! Orders of a customer, and products.

use fastrand::Rng;
use store::page::Position;

use super::refunds::with_refunds;
use super::{small_pages, turned};
use crate::support::{batch, moment, now, order, stock};

#[tokio::test]
async fn pages_of_orders_are_those_of_their_customer() {
    let mut random = Rng::with_seed(1);
    let (_, store) = small_pages();
    stock(&store, &[("S", 1_000_000)]).await;
    for number in 0..40 {
        let rows = (0..10).map(|row| row + u64::from(number) * 10);
        let orders = rows.map(|row| order(row, &format!("O-{row}"), &[("S", 1)]));
        let mut at = moment();
        at.now = now() - jiff::SignedDuration::from_mins(random.i64(0..20));
        let batch = batch("im_lists", number, orders.collect());
        reserve::handle(&store, batch, &at).await.expect("reserved");
    }
    let mut all = Vec::new();
    let each = |order| all.push(order);
    store.each_order(each).await.expect("all orders");
    all.sort_by(|one, other| {
        let one = (one.created_at, &one.order_id);
        (other.created_at, &other.order_id).cmp(&one)
    });
    assert_eq!(all.len(), 400);
    for at in 0..7 {
        let customer_id = format!("C-{at}");
        let list = async |limit, position: Option<&Position>| {
            store.orders_of(&customer_id, limit, position).await
        };
        let found = turned(&mut random, list, async |_| {}).await;
        let of_customer = all.iter().filter(|order| order.customer_id == customer_id);
        assert!(found.iter().eq(of_customer), "{customer_id}");
    }
    for nobody in ["nobody", "", "\u{7}", &"C".repeat(3_000)] {
        let page = store.orders_of(nobody, 10, None).await.expect("a page");
        assert_eq!((page.items, page.next), (Vec::new(), None));
    }
}

#[tokio::test]
async fn pages_of_products_are_all_of_them() {
    let mut random = Rng::with_seed(2);
    let (_, store) = with_refunds(0, &mut random).await;
    for at in 0..100 {
        stock(&store, &[(&format!("S-{at}"), at)]).await;
    }
    let mut all = Vec::new();
    let each = |product| all.push(product);
    store.each_product(each).await.expect("all products");
    for _ in 0..10 {
        let list =
            async |limit, position: Option<&Position>| store.list_products(limit, position).await;
        let found = turned(&mut random, list, async |_| {}).await;
        assert_eq!(found, all);
    }
}
