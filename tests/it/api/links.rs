//! Links lead to where the caller asked: behind a stage, under a domain name, and on an emulator.

use serde_json::{Value, json};

use super::bench::{Bench, Call, call};
use super::mill::settled;
use crate::support::{stock, tally};

/// The host that a caller names, what the gateway has before the path, and what links begin with.
const WAYS: [(&str, &str, &str); 5] = [
    (
        "a1b2.execute-api.eu-central-1.amazonaws.com",
        "/api",
        "/api",
    ),
    (
        "a1b2-vpce-1.execute-api.eu-central-1.amazonaws.com",
        "/api",
        "/api",
    ),
    ("orders.shop.example", "", ""),
    (
        "127.0.0.1:4566",
        "/api",
        "/restapis/a1b2/api/_user_request_",
    ),
    ("a1b2.execute-api.localhost:4566", "/api", "/api"),
];

fn order(id: &str) -> Call {
    let item = json!({"sku": "S", "quantity": 1, "unit_price": "9.99"});
    call("POST", "/orders").json(json!({"order_id": id, "customer_id": "C-1", "items": [item]}))
}

fn link(value: &Value) -> &str {
    value.as_str().expect("a link")
}

#[tokio::test]
async fn links_and_location_begin_with_the_stage_only_where_the_caller_has_it() {
    for (host, prefix, base) in WAYS {
        let bench = Bench::new();
        stock(&bench.store, &[("S", 100)]).await;
        let ask = async |call: Call| bench.ask(call.through(host, prefix)).await;
        let accepted = ask(order("O 1/x")).await;
        let url = format!("{base}/orders/O%201%2Fx");
        assert_eq!(accepted.header("location"), Some(url.as_str()), "{host}");
        assert_eq!(link(&accepted.data()["url"]), url);
        let import_id = link(&accepted.data()["import_id"]);
        let import = format!("/imports/{import_id}");
        assert_eq!(
            link(&accepted.data()["import_url"]),
            format!("{base}{import}")
        );
        let files = bench
            .done
            .files
            .lock()
            .expect("a lock")
            .keys()
            .next()
            .cloned();
        settled(&bench, &files.expect("a file")).await;
        tally(&bench.store).await;

        let found = ask(call("GET", &import)).await;
        assert_eq!(link(&found.data()["url"]), format!("{base}{import}"));
        let listed = ask(call("GET", "/orders?customer_id=C-1")).await;
        assert_eq!(link(&listed.data()[0]["url"]), url);
        let refund = json!({"full": true, "reason": "x"});
        let refund = call("POST", "/orders/O 1%2Fx/refunds")
            .json(refund)
            .key("k");
        let refund = ask(refund).await;
        let location = refund.header("location").expect("a location");
        let refund_id = link(&refund.data()["refund_id"]);
        assert_eq!(location, format!("{base}/refunds/{refund_id}"));
        assert_eq!(link(&refund.data()["url"]), location);
        let product = ask(call("GET", "/products/S")).await;
        assert_eq!(link(&product.data()["url"]), format!("{base}/products/S"));
        let upload = ask(call("POST", "/orders/import")).await;
        let imports = link(&upload.data()["imports_url"]);
        assert!(
            imports.starts_with(&format!("{base}/imports?file=")),
            "{imports}"
        );
    }
}

/// A path that begins like the stage is a path all the same.
#[tokio::test]
async fn path_that_begins_like_the_stage_is_no_stage() {
    let bench = Bench::new();
    stock(&bench.store, &[("api", 1)]).await;
    let named = call("GET", "/products/api").through("orders.shop.example", "");
    let product = bench.ask(named).await;
    assert_eq!(link(&product.data()["url"]), "/products/api");
    let other = call("GET", "/products/api").through("orders.shop.example", "/apis");
    let product = bench.ask(other).await;
    assert_eq!(link(&product.data()["url"]), "/products/api");
}
