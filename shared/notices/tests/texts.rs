//! Every text as customers read it. The files in `texts` are what is expected: `WRITE_TEXTS=1 cargo test -p notices` writes
//! them anew, once `WRITE_TEXTS=1 cargo test -p it texts_are_made_of` has written what is told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::Reason;
use domain::notification::{self, ImportTold, OrderTold, Told};
use domain::preferences::{Channel, Preferences};
use domain::progress::{ImportStatus, Progress};
use notices::{Choice, Notice, Notices};
use rust_decimal::Decimal;

const OPTOUT: &str = "https://shop.example/unsubscribe/AbC-_9";

/// What there is to tell, as it was put on record: `tests/it` holds these against what `notify` does.
fn told(text: &str) -> Told {
    let path = folder().join("told").join(format!("{text}.json"));
    let json = std::fs::read_to_string(&path).expect("a file");
    serde_json::from_str(&json).expect("what is told")
}

fn order(text: &str) -> OrderTold {
    match told(text) {
        Told::Order(order) => order,
        Told::Import(_) => panic!("{text} is of an order"),
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn written(told: &OrderTold, customer: Option<&str>) -> Notice {
    let told = Told::Order(told.clone());
    let notices = Notices::new().expect("texts");
    let notice = notices.told("en", &told, customer, Some(OPTOUT));
    notice.expect("a notice")
}

fn check_file(name: &str, text: &str) {
    let path = folder().join("texts").join(name);
    if std::env::var_os("WRITE_TEXTS").is_some() {
        std::fs::write(&path, text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} differs:\n{text}", path.display());
}

fn check(name: &str, notice: &Notice) {
    check_file(&format!("{name}.subject"), &format!("{}\n", notice.subject));
    check_file(&format!("{name}.txt"), &notice.text);
    check_file(&format!("{name}.html"), &notice.html);
    assert!(!notice.subject.contains('\n'), "{}", notice.subject);
}

#[test]
fn what_customers_read() {
    let ada = Some("Ada Byron");
    for text in [
        "confirmation",
        "shipping",
        "delivery",
        "refund",
        "refund-by-amount",
        "refund-by-lines",
        "refund-of-cancelled",
        "cancellation",
        "cancellation-after-refund",
        "cancellation-without-refund",
        "failed-out_of_stock",
    ] {
        let (order, notice) = (order(text), written(&order(text), ada));
        check(text, &notice);
        for (sku, quantity, price) in &order.change.lines {
            let line = format!("  {quantity} x {sku}, {price} USD each\n");
            assert!(notice.text.contains(&line), "{text}: {line}");
        }
        if let Some(why) = order.change.why() {
            let why = format!("Reason: {why}");
            let both = [&notice.text, &notice.html];
            assert!(both.iter().all(|one| one.contains(&why)), "{text}");
        }
    }
    for reason in Reason::ALL {
        let mut failed = order("failed-out_of_stock");
        failed.change.failure = Some(reason);
        let notice = written(&failed, ada);
        assert!(
            !notice.text.contains("it could not be completed"),
            "{reason}"
        );
        check(&format!("failed-{reason}"), &notice);
    }
}

#[test]
fn what_came_back_stands_apart_from_what_was_ordered() {
    let notice = written(&order("refund-by-lines"), None);
    let (before, after) = notice.text.split_once("Order A-4").expect("an order");
    assert!(before.contains("We sent 9.99 USD back to you"), "{before}");
    assert!(before.contains("  1 x PINE-SHELF, 9.99 USD each\n"));
    assert!(after.contains("  2 x PINE-SHELF, 9.99 USD each\n"));
    assert!(after.contains("Total: 29.97 USD\n"), "{after}");
    let by_amount = written(&order("refund-by-amount"), None);
    assert!(by_amount.text.contains("We sent 5.00 USD back to you"));
    assert!(!by_amount.text.contains("came back"), "{}", by_amount.text);
}

#[test]
fn what_has_no_price_is_not_told_to_cost_nothing() {
    let mut unpriced = order("failed-out_of_stock");
    unpriced.change.failure = Some(Reason::NoPrice);
    unpriced.change.lines = vec![("DESK".to_owned(), 2, Decimal::ZERO)];
    unpriced.total = Decimal::ZERO;
    let notices = Notices::new().expect("texts");
    let notice = notices.told("en", &Told::Order(unpriced), None, None);
    let notice = notice.expect("a notice");
    check("failed-unpriced", &notice);
    assert!(!notice.text.contains("0.00") && !notice.html.contains("0.00"));
    assert!(notice.text.contains("  2 x DESK\n"), "{}", notice.text);
}

#[test]
fn what_whoever_runs_the_mill_reads() {
    let at = |text: &str| text.parse().expect("an instant");
    let completed = ImportTold {
        import_id: "im_8c1f3e0a7b2d4c69".to_owned(),
        file: "imports/2026/march/orders-of-the-week.csv".to_owned(),
        status: ImportStatus::Completed,
        reason: None,
        progress: Progress {
            rows: 12_000,
            rejected: 17,
            continued: 400,
            duplicates: 1,
            conflicts: 2,
            completed: 10_880,
            failed: 700,
        },
        created_at: at("2026-03-01T11:58:03.123Z"),
        ended_at: at("2026-03-01T12:00:00Z"),
    };
    let notices = Notices::new().expect("texts");
    let check = |name: &str, import: &ImportTold| {
        let told = Told::Import(import.clone());
        let notice = notices.told("en", &told, None, None).expect("a notice");
        assert!(notice.text.contains(&told.name().id()), "{}", notice.text);
        check(name, &notice);
    };
    check("import", &completed);
    let nothing_wrong = Progress {
        rows: 12,
        completed: 12,
        ..Progress::default()
    };
    let plain = ImportTold {
        progress: nothing_wrong,
        ..completed.clone()
    };
    check("import-without-rejects", &plain);
    let failed = ImportTold {
        status: ImportStatus::Failed,
        reason: Some(
            "there is no column for <quantity> (2 rows before that were taken)".to_owned(),
        ),
        ..completed
    };
    check("import-failed", &failed);
}

#[test]
fn what_is_for_the_log_has_no_link() {
    let told = told("confirmation");
    let notices = Notices::new().expect("texts");
    let written = |optout| {
        let notice = notices.told("en", &told, None, optout);
        notice.expect("a notice")
    };
    let (with, without) = (written(Some(OPTOUT)), written(None));
    for (with, without) in [(with.text, without.text), (with.html, without.html)] {
        assert!(with.contains("Fewer of these mails"), "{with}");
        assert!(with.contains("/AbC-_9") || with.contains("&#x2f;AbC-_9"));
        assert!(!without.contains("Fewer") && !without.contains("http"));
    }
}

#[test]
fn the_page_says_what_holds_and_offers_the_rest() {
    let notices = Notices::new().expect("texts");
    let page = |choice| notices.page("de-AT", choice).expect("a page");
    let by_mail = Preferences::default();
    let no_refunds = Preferences {
        off: BTreeSet::from([notification::Kind::Refund]),
        ..Preferences::default()
    };
    let by_log = Preferences {
        channel: Channel::Log,
        ..no_refunds.clone()
    };
    for (preferences, changed, name, offers) in [
        (&by_mail, false, "by-mail", vec!["kind_off", "all_off"]),
        (&no_refunds, true, "not-this", vec!["kind_on", "all_off"]),
        (&by_log, true, "no-mails", vec!["all_on"]),
    ] {
        let page = page(Choice::Holds {
            kind: notification::Kind::Refund,
            preferences,
            changed,
        });
        let values = page.split(r#"value=""#).skip(1);
        let values = values.filter_map(|rest| rest.split('"').next());
        assert_eq!(values.collect::<Vec<_>>(), offers, "{name}");
        check_file(&format!("optout-{name}.html"), &page);
    }
    check_file("optout-wrong-link.html", &page(Choice::WrongLink));
    check_file("optout-nobody.html", &page(Choice::Nobody));
    for kind in notification::Kind::FOR_CUSTOMERS {
        let preferences = &by_mail;
        let page = page(Choice::Holds {
            kind,
            preferences,
            changed: false,
        });
        assert!(!page.contains("of this kind</strong>"), "{kind}");
    }
}

#[test]
fn what_others_wrote_is_text_and_never_markup() {
    let mut nasty = order("refund-by-lines");
    nasty.change.order_id = "<b>&\"'</b>".to_owned();
    nasty.change.reason = Some("<i>why</i>".to_owned());
    nasty.change.lines = vec![("</table><script>".to_owned(), 1, Decimal::ONE)];
    nasty.back = vec![("</td><script>".to_owned(), 1, Decimal::ONE)];
    let notice = written(&nasty, Some("<img src=x> {{ 7 * 7 }}"));
    for markup in ["<b>", "<script>", "<img", "<i>", "49"] {
        assert!(!notice.html.contains(markup), "{markup}");
    }
    assert!(notice.text.contains("Hello <img src=x> {{ 7 * 7 }},"));
    assert!(notice.subject.contains("<b>&\"'</b>"));
}

#[test]
fn amounts_have_the_decimals_of_their_currency_and_a_name_may_be_unknown() {
    let mut yen = order("confirmation");
    yen.change.currency = "JPY".parse().expect("a currency");
    yen.change.lines.clear();
    yen.total = Decimal::from(1200);
    let (notices, yen) = (Notices::new().expect("texts"), Told::Order(yen));
    let notice = notices.told("de-AT", &yen, None, None).expect("a notice");
    assert!(notice.text.starts_with("Hello,\n"), "{}", notice.text);
    assert!(notice.text.contains("Total: 1200 JPY\n"), "{}", notice.text);
    assert_eq!(Ok(notice), notices.told("en", &yen, None, None));
}
