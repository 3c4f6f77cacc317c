//! What customers were told, as the API lists, counts and resends it.

use std::collections::BTreeMap;

use domain::notification::Standing;
use domain::preferences::Channel;
use send::Posted;
use serde_json::{Value, json};
use store::notifications::NotificationRecord;

use super::bench::{Bench, call};
use crate::notifications::support::{Office, Outbox, mailed, records, stream, told};
use crate::notifications::telling::story;
use crate::support::now;

/// Eight of them: seven by mail, of which the first one is refused, and the others are sent.
pub async fn told_all(bench: &Bench) -> BTreeMap<String, NotificationRecord> {
    story(&bench.store).await;
    let outbox = Outbox::default();
    let event = stream(&bench.engine);
    told(&bench.store, &outbox, event).await.expect("told");
    let why = "MessageRejected: no".to_owned();
    let office = Office::saying([Ok(Posted::Refused { why })]);
    let sent = mailed(&bench.store, &office, outbox.mail_event(), now());
    assert_eq!(sent.await, Ok((0, Vec::new())));
    records(&bench.store).await
}

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| row["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn what_was_told_is_shown_as_it_is() {
    let bench = Bench::new();
    let all = told_all(&bench).await;
    let (id, record) = all.iter().next().expect("one");
    let shown = bench.get(&format!("/notifications/{id}")).await;
    let (name, order) = (record.name(), record.order().expect("an order's"));
    let expected = json!({
        "id": id, "url": format!("/notifications/{id}"), "order_reference": record.order_id,
        "notification_type": name.kind, "channel": record.channel, "customer_id": order.change.customer_id,
        "order_status": order.status, "total_amount": format!("{:.2}", order.total), "currency": "USD",
        "message": record.message, "status": record.status, "attempts": 1, "failure": record.failure, "complaint": null,
        "message_id": record.message_id, "resent_by": null, "created_at": "2026-03-01T12:00:00Z",
        "tried_at": record.tried_at, "sent_at": record.sent_at,
    });
    assert_eq!(shown.data(), &expected);
    for nobody in [
        "x",
        "nt_",
        "nt_Ty0xCnJlZnVuZCNyZV8x",
        "%FF",
        &"x".repeat(3_000),
    ] {
        let answer = bench.get(&format!("/notifications/{nobody}")).await;
        assert_eq!(answer.problem(), (404, "not_found"), "{nobody}");
    }
    let of_order = bench.get("/notifications/order/O-1").await;
    let wanted = all.values().filter(|record| record.order_id == "O-1");
    let (mut found, mut wanted): (Vec<_>, Vec<String>) = (
        ids(of_order.data()),
        wanted.map(|record| record.name().id()).collect(),
    );
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(
        (found.len(), &found),
        (5, &wanted.iter().map(String::as_str).collect())
    );
    let story = bench.get("/orders/O-1").await;
    let events = story.data()["timeline"].as_array().expect("events").iter();
    let told = events.filter_map(|event| {
        let id = event["details"]["notification"].as_str()?;
        let status = all[id].status;
        let what = match status {
            Standing::Sent => "notified",
            _ => "notification_failed",
        };
        assert_eq!(
            (&event["what"], &event["at"]),
            (&json!(what), &json!(all[id].sent_at.or(all[id].tried_at)))
        );
        Some(id)
    });
    assert_eq!(told.count(), 5);
    // The first one first, on pages of any length.
    let rows = of_order.data().as_array().expect("rows").iter();
    let instants: Vec<&str> = rows.filter_map(|row| row["created_at"].as_str()).collect();
    assert!(instants.is_sorted());
    let (mut turned, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/notifications/order/O-1?limit=2{cursor}");
        let page = bench.get(&path).await;
        turned.extend(ids(page.data()).into_iter().map(str::to_owned));
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        let path = format!("/notifications/order/O-2?limit=2{cursor}");
        let elsewhere = bench.get(&path).await;
        assert_eq!(elsewhere.problem(), (422, "invalid_cursor"));
        assert!(turned.len() < 9, "{turned:?}");
    }
    assert_eq!(turned, ids(of_order.data()));
    let unknown = bench.get("/notifications/order/O-99").await;
    assert_eq!(unknown.problem(), (404, "not_found"));
}

#[tokio::test]
async fn lists_have_what_is_wanted_and_go_on() {
    let bench = Bench::new();
    let all = told_all(&bench).await;
    let count = |wanted: &dyn Fn(&NotificationRecord) -> bool| {
        all.values().filter(|record| wanted(record)).count()
    };
    type Wanted<'a> = &'a dyn Fn(&NotificationRecord) -> bool;
    let cases: [(&str, usize, Wanted<'_>); 9] = [
        ("", 8, &|_| true),
        ("type=refund&", 2, &|one| one.name().kind.name() == "refund"),
        ("channel=email&", 7, &|one| one.channel == Channel::Email),
        ("channel=log&status=sent&", 1, &|one| {
            one.channel == Channel::Log
        }),
        ("status=failed&", 1, &|one| one.status == Standing::Failed),
        ("status=pending&", 0, &|_| false),
        ("customer_id=C-1&", 7, &|one| {
            one.customer_id() == Some("C-1")
        }),
        ("customer_id=nobody&", 0, &|_| false),
        ("from_date=2026-02-01&to_date=2026-02-28&", 0, &|_| false),
    ];
    for (filter, expected, wanted) in cases {
        assert_eq!(count(wanted), expected, "{filter}");
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = bench
                .get(&format!("/notifications?{filter}limit=3{cursor}"))
                .await;
            found.extend(ids(page.data()).into_iter().map(str::to_owned));
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!((found.len(), once.len()), (expected, expected), "{filter}");
        assert!(once.iter().all(|id| wanted(&all[id])), "{filter}");
    }
    let recent = bench.get("/notifications/recent").await;
    let newest = bench.get("/notifications").await;
    assert_eq!(recent.data(), newest.data());
    assert_eq!(ids(recent.data()).len(), 8);
    let two = bench.get("/notifications/recent?limit=2").await;
    assert_eq!(ids(two.data()), ids(newest.data())[..2]);
    let next = two.body["next"].as_str().expect("a cursor");
    let more = format!("/notifications/recent?cursor={next}");
    assert_eq!(ids(bench.get(&more).await.data()), ids(newest.data())[2..]);
    for (query, code) in [
        ("?type=advert", "invalid_parameter"),
        ("?type=Refund", "invalid_parameter"),
        ("?channel=sms", "invalid_parameter"),
        ("?status=", "invalid_parameter"),
        ("?from_date=2020-01-01", "unprocessable"),
        ("?cursor=x", "invalid_cursor"),
        ("/recent?limit=0", "invalid_parameter"),
        ("/recent?status=sent", "unknown_parameter"),
        ("/stats?from_date=2026-01-01", "unprocessable"),
    ] {
        let answer = bench.get(&format!("/notifications{query}")).await;
        assert_eq!(answer.body["code"], code, "{query}");
    }
}

#[tokio::test]
async fn each_is_counted_once_and_failures_with_what_was_not_wanted() {
    let bench = Bench::new();
    let nothing = json!({"total": 0, "success": 0, "failed": 0});
    let empty = bench.get("/notifications/stats").await;
    let expected = json!({
        "from_date": "2026-01-31", "to_date": "2026-03-01", "total_notifications": 0, "success_notifications": 0,
        "failed_notifications": 0, "sent_notifications": 0, "pending_notifications": 0, "failed_sends": 0,
        "by_channel": {}, "today": nothing,
    });
    assert_eq!(empty.data(), &expected);
    let all = told_all(&bench).await;
    // One is opened again, and the customer wants no mails by then; another one is opened, and waits.
    let mut mailed_ones = all.values().filter(|one| one.channel == Channel::Email);
    let (first, second) = (mailed_ones.next(), mailed_ones.next());
    let again = async |record: Option<&NotificationRecord>| {
        let id = record.expect("a mail").name().id();
        let path = format!("/notifications/{id}/resend");
        let answer = bench
            .ask(call("POST", &path).json(json!({"force": true})))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let failed = all.values().filter(|one| one.status == Standing::Failed);
    assert_eq!(failed.count(), 1);
    again(first).await;
    let mut quiet = call("PUT", "/customers/C-1/preferences");
    quiet = quiet.json(json!({"channel": "log"}));
    assert_eq!(bench.ask(quiet).await.status, 200);
    let outbox = Outbox {
        mails: std::mem::take(&mut *bench.done.mails.lock().expect("a lock")).into(),
        ..Outbox::default()
    };
    let (office, event) = (Office::default(), outbox.mail_event());
    let sent = mailed(&bench.store, &office, event, now()).await;
    assert_eq!((sent, office.count()), (Ok((0, Vec::new())), 0));
    again(second).await;
    let mut standings: BTreeMap<Standing, u64> = BTreeMap::new();
    for record in records(&bench.store).await.values() {
        *standings.entry(record.status).or_default() += 1;
    }
    let of = |standing| standings.get(&standing).copied().unwrap_or_default();
    assert_eq!((of(Standing::Suppressed), of(Standing::Pending)), (1, 1));
    let unhappy = of(Standing::Failed) + of(Standing::Suppressed);
    let today = json!({"total": 8, "success": of(Standing::Sent), "failed": unhappy});
    let of_mail = json!({"total": 7, "success": of(Standing::Sent) - 1, "failed": unhappy});
    for (query, from) in [("", "2026-01-31"), ("?from_date=2026-03-01", "2026-03-01")] {
        let stats = bench.get(&format!("/notifications/stats{query}")).await;
        let expected = json!({
            "from_date": from, "to_date": "2026-03-01", "total_notifications": 8,
            "success_notifications": of(Standing::Sent), "failed_notifications": unhappy,
            "sent_notifications": of(Standing::Sent), "pending_notifications": 1,
            "failed_sends": of(Standing::Failed),
            "by_channel": {"email": of_mail, "log": {"total": 1, "success": 1, "failed": 0}}, "today": today,
        });
        assert_eq!(stats.data(), &expected);
    }
    let before = bench.get("/notifications/stats?to_date=2026-02-28").await;
    assert_eq!(before.data()["total_notifications"], 0);
    assert_eq!(before.data()["today"], today);
}

#[tokio::test]
async fn one_is_sent_again_where_it_failed_or_is_forced() {
    let bench = Bench::new();
    let all = told_all(&bench).await;
    let of = |wanted: &dyn Fn(&NotificationRecord) -> bool| {
        let found = all.values().find(|record| wanted(record));
        found.expect("a notification").name().id()
    };
    let failed = of(&|one| one.status == Standing::Failed);
    let sent = of(&|one| one.status == Standing::Sent && one.channel == Channel::Email);
    let logged = of(&|one| one.channel == Channel::Log);
    let resend = |id: &str| call("POST", &format!("/notifications/{id}/resend")).caller("ada");
    let mails = || bench.done.mails.lock().expect("a lock").len();

    let again = bench.ask(resend(&failed)).await;
    assert_eq!(
        (again.status, &again.data()["status"]),
        (200, &json!("pending"))
    );
    assert_eq!((&again.data()["resent_by"], mails()), (&json!("ada"), 1));
    // Its message may be lost: another one is sent.
    let waits = bench.ask(resend(&failed)).await;
    assert_eq!((waits.status, mails()), (200, 2));
    for body in [json!({}), json!({"force": false}), json!(null)] {
        let refused = bench.ask(resend(&sent).json(body)).await;
        assert_eq!((refused.problem(), mails()), ((409, "wrong_state"), 2));
    }
    let forced = bench.ask(resend(&sent).json(json!({"force": true}))).await;
    assert_eq!(
        (forced.data()["status"].clone(), mails()),
        (json!("pending"), 3)
    );
    let forced = bench
        .ask(resend(&logged).json(json!({"force": true})))
        .await;
    assert_eq!(
        (forced.data()["status"].clone(), mails()),
        (json!("pending"), 4)
    );
    assert_eq!(records(&bench.store).await.len(), 8, "no second record");
    for (body, code) in [
        (json!({"force": "yes"}), "invalid_field"),
        (json!({"forced": true}), "unknown_field"),
    ] {
        let wrong = bench.ask(resend(&sent).json(body)).await;
        assert_eq!(wrong.problem(), (400, code));
    }
    for nobody in ["x", "nt_Ty0xCnJlZnVuZCNyZV8x"] {
        let unknown = bench.ask(resend(nobody).json(json!({"force": true}))).await;
        assert_eq!(unknown.problem(), (404, "not_found"));
    }
}
