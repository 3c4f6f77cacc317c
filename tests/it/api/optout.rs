//! Links in mails: the page that they lead to, its buttons, and the button that mail programs have.

use domain::Contact;
use domain::notification::Kind;
use edge::optout::{LinkKey, Subject};
use serde_json::{Value, json};
use store::schema::Table;

use super::bench::{Answer, Bench, Call, call};
use crate::support::undated;

/// Of a link as `send` writes it.
pub fn token(customer_id: &str, kind: Kind) -> String {
    let customer_id = customer_id.to_owned();
    LinkKey::new("ours").token(&Subject { customer_id, kind })
}

async fn bench() -> Bench {
    let bench = Bench::new();
    let contact = Contact {
        customer_id: "C-1".to_owned(),
        email: Some("ada@customers.example".to_owned()),
        ..Contact::default()
    };
    bench
        .store
        .save_contacts(&[undated(contact)])
        .await
        .expect("saved");
    bench
}

/// Nobody has a token there.
fn ask(method: &'static str, token: &str) -> Call {
    call(method, &format!("/unsubscribe/{token}")).with(None)
}

fn press(token: &str, body: &str) -> Call {
    let kind = "application/x-www-form-urlencoded";
    ask("POST", token).header("Content-Type", kind).body(body)
}

/// What the buttons of a page say.
fn offers(answer: &Answer) -> Vec<&str> {
    let values = answer.text.split(r#"name="choice" value=""#).skip(1);
    values.filter_map(|rest| rest.split('"').next()).collect()
}

/// What is on record: the channel, and the kinds that are not wanted.
async fn holds(bench: &Bench) -> (String, Vec<String>) {
    let answer = bench.get("/customers/C-1/preferences").await;
    let kinds = answer.data()["notifications"].as_object().expect("kinds");
    let off = kinds.iter().filter(|(_, wanted)| **wanted == json!(false));
    (
        answer.data()["channel"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        off.map(|(kind, _)| kind.clone()).collect(),
    )
}

fn written(bench: &Bench) -> String {
    format!("{:?}", bench.engine.items(Table::Customers))
}

#[tokio::test]
async fn whoever_looks_changes_nothing() {
    let (bench, token) = (bench().await, token("C-1", Kind::Refund));
    let before = written(&bench);
    for _ in 0..2 {
        let page = bench.ask(ask("GET", &token)).await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(policy.contains("form-action 'self'"), "{policy}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert!(
            page.text.contains("that we sent money back"),
            "{}",
            page.text
        );
        assert!(!page.text.contains("<script"));
        assert_eq!(offers(&page), ["kind_off", "all_off"]);
    }
    assert_eq!(written(&bench), before);
}

#[tokio::test]
async fn each_button_may_be_pressed_again_and_taken_back() {
    let (bench, token) = (bench().await, token("C-1", Kind::Refund));
    let refund = || vec!["refund".to_owned()];
    let steps: [(&str, &str, Vec<String>, &[&str]); 6] = [
        ("kind_off", "email", refund(), &["kind_on", "all_off"]),
        ("all_off", "log", refund(), &["all_on"]),
        ("kind_on", "log", Vec::new(), &["all_on"]),
        ("all_on", "email", Vec::new(), &["kind_off", "all_off"]),
        ("kind_off", "email", refund(), &["kind_on", "all_off"]),
        ("kind_on", "email", Vec::new(), &["kind_off", "all_off"]),
    ];
    for (choice, channel, off, offered) in steps {
        let body = format!("choice={choice}");
        let first = bench.ask(press(&token, &body)).await;
        assert_eq!(
            (first.status, offers(&first)),
            (200, offered.to_vec()),
            "{choice}"
        );
        assert!(first.text.contains("Your choice is saved"));
        assert_eq!(holds(&bench).await, (channel.to_owned(), off), "{choice}");
        let once = written(&bench);
        let again = bench.ask(press(&token, &body)).await;
        assert_eq!(
            (&again.text, written(&bench)),
            (&first.text, once),
            "{choice}"
        );
    }
    let record = written(&bench);
    assert!(
        record.contains("the customer, by a link in a mail"),
        "{record}"
    );
}

#[tokio::test]
async fn one_click_ends_all_mails_however_it_is_sent() {
    let multipart = |value: &str| {
        format!(
            "--x--y\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n{value}\r\n--x--y--\r\n"
        )
    };
    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        (form, "List-Unsubscribe=One-Click".to_owned()),
        (
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            "List-Unsubscribe=One-Click".to_owned(),
        ),
        (form, "a=b&List%2DUnsubscribe=One-Click".to_owned()),
        ("multipart/form-data; boundary=x--y", multipart("One-Click")),
        (
            "multipart/form-data; charset=utf-8; boundary=\"x--y\"",
            multipart("One-Click"),
        ),
    ] {
        let (bench, token) = (bench().await, token("C-1", Kind::Shipping));
        for _ in 0..2 {
            let click = ask("POST", &token).header("Content-Type", kind).body(&body);
            let answer = bench.ask(click).await;
            assert_eq!(
                (answer.status, offers(&answer)),
                (200, vec!["all_on"]),
                "{kind}"
            );
            assert_eq!(holds(&bench).await, ("log".to_owned(), Vec::new()));
        }
    }
    let (bench, token) = (bench().await, token("C-1", Kind::Shipping));
    let before = written(&bench);
    for (kind, body, problem) in [
        (form, String::new(), (400, "missing_field")),
        (
            form,
            "List-Unsubscribe=Two-Clicks".to_owned(),
            (400, "missing_field"),
        ),
        (form, "choice=everything".to_owned(), (400, "invalid_field")),
        (
            "multipart/form-data",
            multipart("One-Click"),
            (400, "missing_field"),
        ),
        (
            "multipart/form-data; boundary=",
            multipart("One-Click"),
            (400, "missing_field"),
        ),
        (
            "multipart/form-data; boundary=z",
            multipart("One-Click"),
            (400, "missing_field"),
        ),
        (
            "multipart/form-data; boundary=x--y",
            multipart("no"),
            (400, "missing_field"),
        ),
        (
            "application/json",
            "{}".to_owned(),
            (415, "unsupported_media_type"),
        ),
        (
            "",
            "List-Unsubscribe=One-Click".to_owned(),
            (415, "unsupported_media_type"),
        ),
        (form, "x".repeat(5_000), (413, "body_too_large")),
    ] {
        let click = ask("POST", &token).header("Content-Type", kind).body(&body);
        assert_eq!(bench.ask(click).await.problem(), problem, "{kind} {body}");
    }
    assert_eq!(written(&bench), before);
}

#[tokio::test]
async fn a_link_that_is_none_of_ours_is_told_so_and_does_nothing() {
    let bench = bench().await;
    let (good, before) = (token("C-1", Kind::Refund), written(&bench));
    let subject = Subject {
        customer_id: "C-1".to_owned(),
        kind: Kind::Refund,
    };
    let cut = &good[..good.len() - 1];
    let others = LinkKey::new("theirs").token(&subject);
    let changed = good.replacen(&good[..1], if good.starts_with('A') { "B" } else { "A" }, 1);
    let long = "A".repeat(5_000);
    for wrong in [cut, &others, &changed, "x", "%FF", "%00", "..", &long] {
        let body = "List-Unsubscribe=One-Click";
        for call in [ask("GET", wrong), press(wrong, body)] {
            let answer = bench.ask(call).await;
            assert_eq!(answer.status, 404, "{wrong}");
            assert!(
                answer.text.contains("This link is not complete"),
                "{answer:?}"
            );
            assert_eq!(offers(&answer), [""; 0]);
        }
    }
    let nobody = token("C-2", Kind::Refund);
    for call in [ask("GET", &nobody), press(&nobody, "choice=all_off")] {
        let answer = bench.ask(call).await;
        assert_eq!(answer.status, 404);
        assert!(answer.text.contains("no such customer"), "{answer:?}");
    }
    assert_eq!(written(&bench), before);
    // Not even that it is no link of ours can be said then.
    *bench.done.is_down.lock().expect("a lock") = true;
    for call in [ask("GET", &good), press(&good, "choice=all_off")] {
        assert_eq!(bench.ask(call).await.problem(), (503, "unavailable"));
    }
    assert_eq!(written(&bench), before);
    let put = call("PUT", &format!("/unsubscribe/{good}")).json(Value::Null);
    let put = bench.ask(put).await;
    assert_eq!(
        (put.problem(), put.header("allow")),
        ((405, "method_not_allowed"), Some("GET, POST"))
    );
}
