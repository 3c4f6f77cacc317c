//! What there is to tell, as `notify` puts it on record: the texts are made of these very facts.

use std::collections::BTreeMap;

use domain::journal::Kind as Deed;
use domain::notification::{Kind, Name, Told};
use domain::refund::Wanted;
use ordermill::commands::notifications::letters::told as preview;
use store::memory::MemoryEngine;
use store::{Engine, Store};

use super::support::{Outbox, records, stream, told};
use crate::lifecycle::support::{done, its_refund};
use crate::refunds::support::{cents, completed, lines, opened, sold};
use crate::support::{approving, batch, file, order, saga};

const LINES: [(&str, u32); 2] = [("PINE-SHELF", 2), ("HOOK", 1)];

async fn refunded<E: Engine>(store: &Store<E>, order_id: &str, wanted: &Wanted) -> Name {
    let refund_id = opened(store, &format!("of-{order_id}"), order_id, wanted).await;
    completed(store, &refund_id).await;
    name(order_id, &format!("refund#{refund_id}"))
}

fn name(order_id: &str, part: &str) -> Name {
    Name::at(order_id, part).expect("a name")
}

/// Something of each kind, by the name of its text.
async fn happened<E: Engine>(store: &Store<E>) -> BTreeMap<&'static str, Name> {
    for number in 1..=5 {
        sold(store, &format!("A-{number}"), &LINES).await;
    }
    let shelf = lines(&[("PINE-SHELF", 1, true)]);
    let mut texts = BTreeMap::from([
        ("confirmation", name("A-1", "confirmation#1")),
        ("shipping", name("A-1", "shipping#1")),
        ("delivery", name("A-1", "delivery#1")),
        ("cancellation", name("A-3", "cancellation#1")),
        ("cancellation-after-refund", name("A-4", "cancellation#1")),
        ("cancellation-without-refund", name("A-5", "cancellation#1")),
        ("failed-out_of_stock", name("A-6", "failed#1")),
    ]);
    let five = Wanted::Amount(cents(500));
    texts.insert("refund-by-amount", refunded(store, "A-1", &five).await);
    done(store, Deed::Shipped, "A-1").await;
    done(store, Deed::Delivered, "A-1").await;
    texts.insert("refund-by-lines", refunded(store, "A-4", &shelf).await);
    texts.insert("refund", refunded(store, "A-2", &Wanted::Full).await);
    done(store, Deed::Cancelled, "A-3").await;
    done(store, Deed::Cancelled, "A-4").await;
    let refund = its_refund(store, "A-3").await.refund_id;
    completed(store, &refund).await;
    let of_cancelled = name("A-3", &format!("refund#{refund}"));
    texts.insert("refund-of-cancelled", of_cancelled);
    refunded(store, "A-5", &Wanted::Full).await;
    done(store, Deed::Cancelled, "A-5").await;
    let failed = batch("im_6", 0, vec![order(1, "A-6", &[("PINE-SHELF", 999_999)])]);
    let settled = saga(store, &approving("1"), &failed).await;
    settled.expect("settled");
    texts
}

/// `WRITE_TEXTS=1 cargo test -p it texts_are_made_of` writes them anew; then those of the texts.
#[tokio::test]
async fn texts_are_made_of_what_is_put_on_record() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let texts = happened(&store).await;
    told(&store, &Outbox::default(), stream(&engine))
        .await
        .expect("told");
    let kept = records(&store).await;
    for (text, name) in &texts {
        let told = &kept[&name.id()].told;
        let json = serde_json::to_string_pretty(told).expect("json") + "\n";
        let path = file(&format!("shared/notices/tests/told/{text}.json"));
        if std::env::var_os("WRITE_TEXTS").is_some() {
            std::fs::write(&path, &json).expect("written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(expected == json, "{} differs:\n{json}", path.display());
    }

    let of = |text: &str| match &kept[&texts[text].id()].told {
        Told::Order(order) => order.clone(),
        Told::Import(_) => panic!("{text} is of an order"),
    };
    let units = |lines: &[(String, u32, _)]| -> Vec<u32> {
        lines.iter().map(|(_, quantity, _)| *quantity).collect()
    };
    for (text, amount, back, why) in [
        ("confirmation", 2997, vec![], None),
        ("refund", 2997, vec![], Some("broken")),
        ("refund-by-amount", 500, vec![], Some("broken")),
        ("refund-by-lines", 999, vec![1], Some("broken")),
        (
            "cancellation",
            2997,
            vec![2, 1],
            Some("as the customer wished"),
        ),
        (
            "cancellation-after-refund",
            1998,
            vec![1, 1],
            Some("as the customer wished"),
        ),
        (
            "cancellation-without-refund",
            0,
            vec![2, 1],
            Some("as the customer wished"),
        ),
        ("shipping", 2997, vec![], Some("as the customer wished")),
    ] {
        let told = of(text);
        assert_eq!(units(&told.change.lines), [2, 1], "{text}");
        assert_eq!(told.total, cents(2997), "{text}");
        assert_eq!(told.change.why(), why, "{text}");
        assert_eq!(units(&told.back), back, "{text}");
        if text != "shipping" {
            assert_eq!(told.change.total, cents(amount), "{text}");
        }
    }
}

/// But for who asks for it and why, which nobody knows before.
fn impersonal(told: Told) -> Told {
    match told {
        Told::Order(mut order) => {
            let change = &mut order.change;
            change.refund_id = change.refund_id.as_ref().map(|_| "re".to_owned());
            change.reason = None;
            if let Some(deed) = &mut change.deed {
                (deed.requested_by, deed.reason) = ("somebody".to_owned(), None);
            }
            Told::Order(order)
        }
        told => told,
    }
}

#[tokio::test]
async fn a_preview_says_what_the_mail_says_then() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    for order_id in ["A-1", "A-2"] {
        sold(&store, order_id, &LINES).await;
    }
    let shelf = lines(&[("PINE-SHELF", 1, true)]);
    for (order_id, kind) in [
        ("A-1", Kind::Confirmation),
        ("A-1", Kind::Shipping),
        ("A-1", Kind::Delivery),
        ("A-1", Kind::Refund),
        ("A-2", Kind::Cancellation),
    ] {
        if kind == Kind::Cancellation {
            refunded(&store, order_id, &shelf).await;
        }
        let before = preview(&store, order_id, kind).await.expect("a preview");
        match kind {
            Kind::Shipping => drop(done(&store, Deed::Shipped, order_id).await),
            Kind::Delivery => drop(done(&store, Deed::Delivered, order_id).await),
            Kind::Cancellation => drop(done(&store, Deed::Cancelled, order_id).await),
            Kind::Refund => drop(refunded(&store, order_id, &Wanted::Full).await),
            _ => {}
        }
        let told = told(&store, &Outbox::default(), stream(&engine)).await;
        told.expect("told");
        let after = preview(&store, order_id, kind).await.expect("a preview");
        let kept = store.notifications_of(order_id).await.expect("records");
        let kept = kept.into_iter().filter(|one| one.name().kind == kind);
        assert_eq!(kept.map(|one| one.told).next_back(), Some(after.clone()));
        assert_eq!(impersonal(before), impersonal(after), "{kind}");
    }
    // What was refunded by lines is told as that, whatever is left.
    let Ok(Told::Order(refund)) = preview(&store, "A-2", Kind::Refund).await else {
        panic!("no preview");
    };
    assert_eq!(refund.change.total, cents(999));
    // Of what is all given back, nothing would go back.
    sold(&store, "A-3", &LINES).await;
    refunded(&store, "A-3", &Wanted::Full).await;
    let nothing = preview(&store, "A-3", Kind::Refund).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
