//! What is on record of customers: what files say of them, and what they want to be told.

use std::collections::BTreeSet;

use domain::Contact;
use domain::notification::Kind;
use domain::preferences::{Channel, Preferences};
use store::memory::{Faults, MemoryEngine};
use store::{Engine, Store};

use crate::support::{now, undated};

/// The case on any engine: `run` starts every id.
pub async fn preferences_are_kept<E: Engine>(store: &Store<E>, run: &str) {
    let id = format!("{run}-C-1");
    let quiet = Preferences {
        channel: Channel::Log,
        off: BTreeSet::from([Kind::Shipping, Kind::Refund]),
    };
    let set = async |id: &str, wanted: &Preferences| {
        store.set_preferences(id, wanted, "token:tk_1", now()).await
    };
    // Nobody is made a customer by saying what he wants.
    for nobody in [id.as_str(), "", "a\nb", &"x".repeat(3_000)] {
        assert_eq!(set(nobody, &quiet).await, Ok(false));
        assert_eq!(store.preferences(nobody).await, Ok(None));
    }
    assert_eq!(store.customer(&id).await, Ok(None));
    let contact = |email: &str| Contact {
        customer_id: id.clone(),
        name: Some("Ada Byron".to_owned()),
        email: Some(email.to_owned()),
        ..Contact::default()
    };
    let first = contact("ada@example.com");
    store
        .save_contacts(&[undated(first.clone())])
        .await
        .expect("saved");
    assert_eq!(
        store.preferences(&id).await,
        Ok(Some(Preferences::default()))
    );
    for wanted in [&quiet, &quiet, &Preferences::default(), &quiet] {
        assert_eq!(set(&id, wanted).await, Ok(true));
        assert_eq!(store.preferences(&id).await, Ok(Some(wanted.clone())));
        assert_eq!(store.customer(&id).await, Ok(Some(first.clone())));
    }
    // A part of it is changed where it stands; what is so already is not said again.
    let change = async |id: &str, by: &str, kind: Kind| {
        let off = |preferences: &mut Preferences| preferences.off.extend([kind]);
        store.change_preferences(id, off, by, now()).await
    };
    assert_eq!(
        change(&id, "one", Kind::Refund).await,
        Ok(Some(quiet.clone()))
    );
    let quieter = Preferences {
        off: BTreeSet::from([Kind::Shipping, Kind::Refund, Kind::Delivery]),
        ..quiet.clone()
    };
    assert_eq!(
        change(&id, "two", Kind::Delivery).await,
        Ok(Some(quieter.clone()))
    );
    assert_eq!(store.preferences(&id).await, Ok(Some(quieter)));
    for nobody in ["nobody", "", "a\nb"] {
        assert_eq!(change(nobody, "one", Kind::Refund).await, Ok(None));
        assert_eq!(store.preferences(nobody).await, Ok(None));
    }
    assert_eq!(set(&id, &quiet).await, Ok(true));
    // A file that knows a newer address says nothing of this.
    let newer = contact("ada@example.org");
    store
        .save_contacts(&[undated(newer.clone())])
        .await
        .expect("saved");
    assert_eq!(store.customer(&id).await, Ok(Some(newer)));
    assert_eq!(store.preferences(&id).await, Ok(Some(quiet)));
}

#[tokio::test]
async fn preferences_stay_with_the_customer() {
    preferences_are_kept(&Store::new(MemoryEngine::new(), 1), "m").await;
}

#[tokio::test(start_paused = true)]
async fn preferences_and_contacts_leave_each_other_alone_whatever_is_lost() {
    for seed in 0..20 {
        let engine = MemoryEngine::new();
        engine.set_faults(Faults {
            conflict: 100,
            throttle: 200,
            lost_answer: 300,
            stale: 300,
        });
        let store = Store::new(engine.clone(), seed);
        let contact = |number: u32| Contact {
            customer_id: "C-1".to_owned(),
            phone: Some(format!("555-{number}")),
            ..Contact::default()
        };
        while store.save_contacts(&[undated(contact(0))]).await.is_err() {}
        let wanted = Preferences {
            channel: Channel::Email,
            off: BTreeSet::from([Kind::Delivery]),
        };
        let contacts = async {
            for number in 1..=5 {
                while store
                    .save_contacts(&[undated(contact(number))])
                    .await
                    .is_err()
                {}
            }
        };
        let preferences = async {
            for _ in 0..5 {
                while store.set_preferences("C-1", &wanted, "t", now()).await != Ok(true) {}
            }
        };
        tokio::join!(contacts, preferences);
        engine.set_faults(Faults::default());
        assert_eq!(
            store.customer("C-1").await,
            Ok(Some(contact(5))),
            "seed {seed}"
        );
        assert_eq!(
            store.preferences("C-1").await,
            Ok(Some(wanted)),
            "seed {seed}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn changes_that_meet_are_all_made_whatever_is_lost() {
    for seed in 0..20 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        let contact = Contact {
            customer_id: "C-1".to_owned(),
            ..Contact::default()
        };
        let named = Contact {
            name: Some("Ada".to_owned()),
            ..contact
        };
        store.save_contacts(&[undated(named)]).await.expect("saved");
        engine.set_faults(Faults {
            conflict: 100,
            throttle: 200,
            lost_answer: 300,
            stale: 300,
        });
        let off = |kind: Kind| {
            let store = &store;
            async move {
                let change = |preferences: &mut Preferences| preferences.off.extend([kind]);
                while store
                    .change_preferences("C-1", change, "t", now())
                    .await
                    .is_err()
                {}
            }
        };
        futures::future::join_all(Kind::FOR_CUSTOMERS.map(off)).await;
        engine.set_faults(Faults::default());
        let all = Preferences {
            off: BTreeSet::from(Kind::FOR_CUSTOMERS),
            ..Preferences::default()
        };
        assert_eq!(store.preferences("C-1").await, Ok(Some(all)), "seed {seed}");
    }
}
