//! Every text as customers read it. The files in `texts` are what is expected: `WRITE_TEXTS=1 cargo test -p notices` writes
//! them anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::journal::{Change, Deed, Kind};
use domain::notification::{self, ImportTold, Told};
use domain::preferences::{Channel, Preferences};
use domain::progress::{ImportStatus, Progress};
use domain::{Reason, Status};
use notices::{Choice, Facts, Notice, Notices};
use rust_decimal::Decimal;

fn change() -> Change {
    Change {
        order_id: "A-2001".to_owned(),
        customer_id: "C-1".to_owned(),
        failure: None,
        refund_id: None,
        deed: None,
        currency: "USD".parse().expect("a currency"),
        total: Decimal::new(2325, 1),
        lines: vec![
            ("PINE-SHELF".to_owned(), 2, Decimal::new(11613, 2)),
            ("HOOK".to_owned(), 4, Decimal::ZERO),
        ],
    }
}

fn done(kind: Kind) -> Change {
    let deed = Deed {
        kind,
        requested_by: "tests".to_owned(),
        reason: Some("a word among ourselves".to_owned()),
    };
    Change {
        deed: Some(deed),
        ..change()
    }
}

fn written(change: &Change, status: Status, customer: Option<&str>) -> Notice {
    let facts = Facts {
        change,
        status,
        total: Decimal::new(2325, 1),
        customer,
        optout: Some("https://shop.example/unsubscribe/AbC-_9"),
    };
    let notices = Notices::new().expect("texts");
    notices.write("en", &facts).expect("a notice")
}

fn check_file(name: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/texts");
    let path = folder.join(name);
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
    check("confirmation", &written(&change(), Status::Completed, ada));
    let refund = Change {
        refund_id: Some("re_1".to_owned()),
        total: Decimal::new(5, 0),
        ..change()
    };
    check("refund", &written(&refund, Status::Shipped, ada));
    check(
        "shipping",
        &written(&done(Kind::Shipped), Status::Shipped, ada),
    );
    check(
        "delivery",
        &written(&done(Kind::Delivered), Status::Delivered, ada),
    );
    let cancelled = done(Kind::Cancelled);
    check("cancellation", &written(&cancelled, Status::Cancelled, ada));
    let owed_nothing = Change {
        total: Decimal::ZERO,
        ..cancelled
    };
    let notice = written(&owed_nothing, Status::Cancelled, ada);
    check("cancellation-without-refund", &notice);
    for reason in Reason::ALL {
        let failed = Change {
            failure: Some(reason),
            ..change()
        };
        let notice = written(&failed, Status::Failed, ada);
        assert!(
            !notice.text.contains("it could not be completed"),
            "{reason}"
        );
        check(&format!("failed-{reason}"), &notice);
    }
}

#[test]
fn what_has_no_price_is_not_told_to_cost_nothing() {
    let unpriced = Change {
        failure: Some(Reason::NoPrice),
        total: Decimal::ZERO,
        lines: vec![("DESK".to_owned(), 2, Decimal::ZERO)],
        ..change()
    };
    let facts = Facts {
        change: &unpriced,
        status: Status::Failed,
        total: Decimal::ZERO,
        customer: None,
        optout: None,
    };
    let notices = Notices::new().expect("texts");
    let notice = notices.write("en", &facts).expect("a notice");
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
            duplicates: 3,
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
    let with = written(&change(), Status::Completed, None);
    let change = change();
    let facts = Facts {
        change: &change,
        status: Status::Completed,
        total: Decimal::new(2325, 1),
        customer: None,
        optout: None,
    };
    let notices = Notices::new().expect("texts");
    let without = notices.write("en", &facts).expect("a notice");
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
    let nasty = Change {
        order_id: "<b>&\"'</b>".to_owned(),
        lines: vec![("</table><script>".to_owned(), 1, Decimal::ONE)],
        ..change()
    };
    let notice = written(&nasty, Status::Completed, Some("<img src=x> {{ 7 * 7 }}"));
    for markup in ["<b>", "<script>", "<img", "49"] {
        assert!(!notice.html.contains(markup), "{markup}");
    }
    assert!(notice.text.contains("Hello <img src=x> {{ 7 * 7 }},"));
    assert!(notice.subject.contains("<b>&\"'</b>"));
}

#[test]
fn amounts_have_the_decimals_of_their_currency_and_a_name_may_be_unknown() {
    let yen = Change {
        currency: "JPY".parse().expect("a currency"),
        total: Decimal::from(1200),
        lines: Vec::new(),
        ..change()
    };
    let facts = Facts {
        change: &yen,
        status: Status::Completed,
        total: yen.total,
        customer: None,
        optout: None,
    };
    let notices = Notices::new().expect("texts");
    let notice = notices.write("de-AT", &facts).expect("a notice");
    assert!(notice.text.starts_with("Hello,\n"), "{}", notice.text);
    assert!(notice.text.contains("Total: 1200 JPY\n"), "{}", notice.text);
    assert_eq!(Ok(notice), notices.write("en", &facts));
}
