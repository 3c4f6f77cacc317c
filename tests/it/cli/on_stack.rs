//! The command against the local stack: what it says of imports, figures and files.

use domain::catalog::Policy;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::commands::catalog;
use store::tallies::Scope;

use super::{Ended, User, ended, until};
use crate::support::file;
use crate::support::stack::{Deployed, deployed};

async fn run(user: &User, deployed: &Deployed, line: &str) -> Ended {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let mut command = user.command(&arguments);
    let endpoint = deployed.stack.cloud.endpoint.clone();
    command.env("AWS_ENDPOINT_URL", endpoint.expect("an emulator"));
    command.env("ORDERMILL_STACK", &deployed.stack.name);
    ended(command.spawn().expect("a command")).await
}

/// The id of the import that a command waited for.
fn import_id(ended: &Ended) -> &str {
    let id = ended.stderr.split("(import ").nth(1);
    id.and_then(|rest| rest.split(')').next()).expect("an id")
}

#[tokio::test]
async fn command_tells_what_became_of_files() {
    let (deployed, user) = (deployed("cli").await, User::new().await);
    let stack = &deployed.stack;
    let loaded = catalog::load(stack, &file("events/demo-catalog.csv"), Policy::Set).await;
    assert_eq!(loaded.expect("a catalog").rejected, 0);

    // The first row ends as Unix ends lines, among others that end as Windows does; the last one has no end.
    let header = "order_id,customer_id,sku,quantity,unit_price\r\n";
    let rejected = "R-1,C-1,NONE,x,1\nR-2,\"C\r\n1\",NONE,1,1\r\nR-3,C-1,NONE,0,1";
    let rows = format!("F-1,C-1,NONE,1,1\r\n{rejected}");
    user.write("lines.csv", format!("{header}{rows}"));
    let done = run(&user, &deployed, "import lines.csv --wait").await;
    assert_eq!(done.code, Some(1), "{done:?}");
    for (outcome, why) in [("failed", "unknown_product"), ("rejected", "bad_quantity")] {
        let line = done
            .stdout
            .lines()
            .find(|line| line.contains(why) && line.contains(outcome));
        assert!(line.is_some(), "{why} is not in {}", done.stdout);
    }
    let fix = format!("imports rejects {} --fix fix.csv", import_id(&done));
    assert_eq!(run(&user, &deployed, &fix).await.code, Some(0));
    let fixed = std::fs::read(user.path("fix.csv")).expect("a file");
    // A row may be added behind the last one.
    let expected = format!("{header}{rejected}\r\n");
    assert_eq!(String::from_utf8(fixed), Ok(expected));

    let done = run(&user, &deployed, "import lines.csv --wait --json").await;
    let document: serde_json::Value = serde_json::from_str(&done.stdout).expect("a document");
    assert_eq!(
        (done.code, &document["rejects"]["bad_quantity"]),
        (Some(1), &2.into()),
        "{document}"
    );

    user.write(
        "one.csv",
        "order_id,customer_id,sku,quantity,unit_price\nD-1,C-1,NONE,1,1\n",
    );
    let done = run(&user, &deployed, "import one.csv --wait --json").await;
    let document: serde_json::Value = serde_json::from_str(&done.stdout).expect("a document");
    assert_eq!(
        document["failed_by_reason"]["unknown_product"], 1,
        "{document}"
    );
    assert_eq!(done.code, Some(1));
    // Nothing but duplicates: what was asked for is there.
    let done = run(&user, &deployed, "import one.csv --wait").await;
    assert_eq!(done.code, Some(0), "{done:?}");

    user.write("catalog.csv", "sku,price\nA,1\n");
    let done = run(&user, &deployed, "catalog load catalog.csv").await;
    let said = ": FAILED: missing_column: a catalog, but missing: product_name, stock; found: sku, price\n";
    assert!(
        done.code == Some(1) && done.stdout.ends_with(said),
        "{done:?}"
    );

    until("the agreement of all figures", async || {
        run(&user, &deployed, "verify --json").await.code == Some(0)
    })
    .await;
    let done = run(&user, &deployed, "verify").await;
    let header = done.stdout.lines().next().unwrap_or_default();
    let header: Vec<&str> = header.split_whitespace().collect();
    assert_eq!(header, ["check", "looked", "at", "differences"], "{done:?}");
    assert!(
        done.stdout.ends_with("Everything agrees.\n") && done.code == Some(0),
        "{done:?}"
    );

    // The figures are counted in another zone than the one that the stack has by now.
    let (store, zone) = (stack.store().expect("a store"), TimeZone::get("Asia/Tokyo"));
    let zone = zone.expect("a bundled zone");
    let rebuilt = store
        .rebuild(Scope::Everything, &zone, Timestamp::now, |_| {})
        .await;
    assert!(rebuilt.expect("figures").wrong.is_empty());
    let done = run(&user, &deployed, "kpis").await;
    assert!(
        done.stdout
            .lines()
            .next()
            .is_some_and(|title| title.ends_with(", Asia/Tokyo")),
        "{done:?}"
    );
    let done = run(&user, &deployed, "kpis --json").await;
    assert!(
        done.stdout.contains("\"time_zone\":\"Asia/Tokyo\""),
        "{done:?}"
    );
}
