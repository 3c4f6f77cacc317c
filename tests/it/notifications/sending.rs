//! `send`: each mail once, and what becomes of those that are refused.

use std::time::Duration;

use domain::Fault;
use domain::notification::{Kind, Name, Standing};
use domain::preferences::{Channel, Preferences};
use edge::mail;
use jiff::SignedDuration;
use send::{Pace, Posted};
use store::Store;
use store::lists::notifications::NotificationFilter;
use store::memory::{Faults, MemoryEngine};
use store::notifications::Resent;

use super::support::{
    Lines, Office, Outbox, has_address, mailed, mailed_at, mortal, records, stream, told,
};
use super::telling::story;
use crate::support::now;

pub async fn told_all(engine: &MemoryEngine) -> (Store<MemoryEngine>, Outbox) {
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let outbox = Outbox::default();
    told(&store, &outbox, stream(engine)).await.expect("told");
    (store, outbox)
}

pub fn confirmation() -> Name {
    Name::at("O-1", "confirmation#1").expect("a name")
}

#[tokio::test]
async fn a_mail_is_sent_once_however_often_its_message_comes() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    let (office, event) = (Office::default(), outbox.mail_event());
    for _ in 0..3 {
        let answer = mailed(&store, &office, event.clone(), now()).await;
        assert_eq!(answer, Ok((0, Vec::new())));
    }
    assert_eq!(office.count(), 7);
    for (id, record) in records(&store).await {
        assert_eq!(record.status, Standing::Sent, "{record:?}");
        assert_eq!(record.attempts, 1);
        if record.channel == Channel::Email {
            assert_eq!(record.message_id, Some(format!("ses-{id}")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_dies_while_it_sends_is_followed_by_one_who_sends_the_rest() {
    let (mut deaths, mut twice) = (0, 0);
    for steps in 0.. {
        let (store, outbox) = told_all(&MemoryEngine::new()).await;
        let (office, event) = (Office::default(), outbox.mail_event());
        let sent = mailed(&store, &office, event.clone(), now());
        let ended = mortal(sent, steps).await;
        // At once, what the dead one had in hand is left alone; when it must be over, it is sent.
        mailed(&store, &office, event.clone(), now())
            .await
            .expect("sent");
        let later = now() + SignedDuration::from_secs(62);
        let answer = mailed(&store, &office, event, later).await;
        assert_eq!(answer, Ok((0, Vec::new())), "after {steps} steps");
        let sent = office.sent.lock().expect("a lock").clone();
        for (id, record) in records(&store).await {
            assert_eq!(record.status, Standing::Sent, "after {steps} steps");
            if record.channel == Channel::Email {
                let mails = sent[&id].len();
                // Never more than it says, and the second only where the first one's end was not put on record.
                assert!(
                    (1..=record.attempts as usize).contains(&mails),
                    "{record:?}"
                );
                twice += mails - 1;
            }
        }
        if ended.is_some() {
            assert_eq!(office.count(), 7);
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 10, "it died {deaths} times only");
    assert!(twice > 0, "the window is there, and was not met");
    println!("{deaths} deaths, {twice} mails sent twice");
}

#[tokio::test]
async fn two_at_once_send_one_mail() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    let (office, event) = (Office::default(), outbox.mail_event());
    let one = mailed(&store, &office, event.clone(), now());
    let other = mailed(&store, &office, event, now());
    let (one, other) = futures::join!(one, other);
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(office.count(), 7);
}

/// What is read for the whole batch is what was there before the last write, each time.
#[tokio::test]
async fn reads_that_are_behind_send_nothing_twice_and_leave_nothing_unsent() {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let stale = Faults {
        stale: 1000,
        ..Faults::default()
    };
    engine.set_faults(stale);
    let (office, event) = (Office::default(), outbox.mail_event());
    for _ in 0..2 {
        let answer = mailed(&store, &office, event.clone(), now()).await;
        assert_eq!(answer, Ok((0, Vec::new())));
    }
    assert_eq!(office.count(), 7);
    // A message comes while the record still reads as sent.
    let again = mail::resend(&store, &outbox, &confirmation(), true, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    let event = outbox.mail_event();
    for _ in 0..2 {
        let answer = mailed(&store, &office, event.clone(), now()).await;
        assert_eq!(answer, Ok((0, Vec::new())));
    }
    assert_eq!(office.count(), 8);
    // And while the customer still reads as one who wants no mails.
    for channel in [Channel::Log, Channel::Email] {
        let wanted = Preferences {
            channel,
            ..Preferences::default()
        };
        let said = store.set_preferences("C-1", &wanted, "tests", now()).await;
        assert_eq!(said, Ok(true));
    }
    let again = mail::resend(&store, &outbox, &confirmation(), true, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    let answer = mailed(&store, &office, outbox.mail_event(), now()).await;
    assert_eq!((answer, office.count()), (Ok((0, Vec::new())), 9));
    assert!(engine.injected().stale_reads > 10);
    let record = &records(&store).await[&confirmation().id()];
    assert_eq!((record.status, record.attempts), (Standing::Sent, 3));
}

#[tokio::test]
async fn a_refusal_is_kept_in_its_words_and_not_asked_for_again() {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let why = "MessageRejected: Email address is not verified.".to_owned();
    let refused = || Ok(Posted::Refused { why: why.clone() });
    let office = Office::saying((0..7).map(|_| refused()));
    let event = outbox.mail_event();
    let answer = mailed(&store, &office, event.clone(), now()).await;
    assert_eq!(answer, Ok((0, Vec::new())), "no message comes back");
    assert_eq!(
        mailed(&store, &office, event, now()).await,
        Ok((0, Vec::new()))
    );
    assert_eq!(office.count(), 0);
    let failed = NotificationFilter {
        status: Some(Standing::Failed),
        ..NotificationFilter::default()
    };
    let list = store.list_notifications(&failed, now(), 100, None).await;
    let list = list.expect("a page").items;
    assert_eq!(list.len(), 7);
    assert!(list.iter().all(|one| one.failure.as_ref() == Some(&why)));

    // What was wrong is mended, and one is sent again: an update of the same record.
    let name = confirmation();
    let again = mail::resend(&store, &outbox, &name, false, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    let event = outbox.mail_event();
    assert_eq!(
        mailed(&store, &office, event, now()).await,
        Ok((0, Vec::new()))
    );
    let record = &records(&store).await[&name.id()];
    assert_eq!((record.status, record.attempts), (Standing::Sent, 2));
    assert_eq!(
        (&record.failure, record.resent_by.as_deref()),
        (&None, Some("ada"))
    );
    let again = mail::resend(&store, &outbox, &name, false, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Refused(_))), "{again:?}");
    let forced = mail::resend(&store, &outbox, &name, true, "ada", now()).await;
    assert!(matches!(forced, Ok(Resent::Done(_))), "{forced:?}");
    mailed(&store, &office, outbox.mail_event(), now())
        .await
        .expect("sent");
    assert_eq!(office.count(), 2);
    assert_eq!(records(&store).await.len(), 8);
    let nothing = Name::at("O-9", "refund#re_9").expect("a name");
    let unknown = mail::resend(&store, &outbox, &nothing, true, "ada", now()).await;
    assert_eq!(unknown, Ok(Resent::Unknown));

    let day = "2026-03-01".parse().expect("a day");
    let stats = store.notification_stats(Some(day), Some(day), now()).await;
    let stats = stats.expect("stats").counts;
    assert_eq!(stats.values().sum::<u64>(), 8);
    assert_eq!(
        stats[&(Channel::Email, Kind::Confirmation, Standing::Sent)],
        1
    );
    assert_eq!(
        stats[&(Channel::Email, Kind::Confirmation, Standing::Failed)],
        1
    );
    assert_eq!(stats[&(Channel::Email, Kind::Refund, Standing::Failed)], 2);
    assert_eq!(stats[&(Channel::Log, Kind::Failed, Standing::Sent)], 1);
}

#[tokio::test]
async fn what_may_pass_comes_back_and_is_sent_then() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    let throttled = || Err(Fault::Transient("Throttling".to_owned()));
    let office = Office::saying((0..3).map(|_| throttled()));
    let event = outbox.mail_event();
    let answer = mailed(&store, &office, event.clone(), now()).await;
    assert_eq!(answer, Ok((3, Vec::new())));
    let waiting = records(&store).await;
    let mut waiting = waiting
        .values()
        .filter(|one| one.status == Standing::Pending);
    assert!(waiting.all(|one| one.failure.as_deref() == Some("Throttling")));
    assert_eq!(
        mailed(&store, &office, event, now()).await,
        Ok((0, Vec::new()))
    );
    assert_eq!(office.count(), 7);
    for record in records(&store).await.values() {
        assert_eq!((record.status, &record.failure), (Standing::Sent, &None));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_too_much_at_once_is_asked_for_again_at_once_and_not_for_ever() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    let why = "Throttling: Maximum sending rate exceeded.".to_owned();
    let throttled = || Ok(Posted::Throttled { why: why.clone() });
    // All seven are refused four times; then all but one are lucky.
    let office = Office::saying((0..29).map(|_| throttled()));
    let (event, begun) = (outbox.mail_event(), tokio::time::Instant::now());
    let answer = mailed(&store, &office, event.clone(), now()).await;
    assert_eq!(answer, Ok((1, Vec::new())));
    assert_eq!(office.count(), 6);
    assert!((3_750..4_000).contains(&begun.elapsed().as_millis()));
    let kept = records(&store).await;
    let (mut pending, mut attempts) = (0, 0);
    for record in kept.values() {
        attempts += record.attempts;
        if record.status == Standing::Pending {
            assert_eq!(record.failure.as_ref(), Some(&why));
            pending += 1;
        }
    }
    assert_eq!((pending, attempts), (1, 8), "each attempt is one");
    let answer = mailed(&store, &office, event, now()).await;
    assert_eq!((answer, office.count()), (Ok((0, Vec::new())), 7));
}

#[tokio::test]
async fn what_a_customer_says_holds_until_the_mail_goes_out() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    let by_log = Preferences {
        channel: Channel::Log,
        ..Preferences::default()
    };
    let said = store.set_preferences("C-1", &by_log, "tests", now()).await;
    assert_eq!(said, Ok(true));
    let office = Office::default();
    let answer = mailed(&store, &office, outbox.mail_event(), now()).await;
    assert_eq!((answer, office.count()), (Ok((0, Vec::new())), 0));
    let record = &records(&store).await[&confirmation().id()];
    assert_eq!(record.status, Standing::Suppressed);
    // He changes his mind, and his address.
    let by_mail = Preferences::default();
    let said = store.set_preferences("C-1", &by_mail, "tests", now()).await;
    assert_eq!(said, Ok(true));
    has_address(&store, "C-1", "new@customers.example").await;
    let name = confirmation();
    let again = mail::resend(&store, &outbox, &name, false, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    mailed(&store, &office, outbox.mail_event(), now())
        .await
        .expect("sent");
    let sent = office.sent.lock().expect("a lock").clone();
    assert_eq!(sent[&name.id()], ["new@customers.example"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_customer_says_holds_for_mails_that_wait_for_their_turn() {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let office = Office::default();
    let pace = Pace::shared(1, 5);
    let sending = mailed_at(&pace, &store, &office, outbox.mail_event(), now());
    let saying = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        let by_log = Preferences {
            channel: Channel::Log,
            ..Preferences::default()
        };
        let said = store.set_preferences("C-1", &by_log, "tests", now()).await;
        assert_eq!(said, Ok(true));
    };
    let (answer, ()) = tokio::join!(sending, saying);
    let (back, _) = answer.expect("an answer");
    // One at once, and one after five seconds. The others were in the same batch, and had not been begun.
    let all = records(&store).await;
    let of = |standing| {
        all.values()
            .filter(|one| one.status == standing && one.channel == Channel::Email)
            .count()
    };
    assert_eq!((office.count(), of(Standing::Sent)), (2, 2));
    assert!(of(Standing::Suppressed) > 0);
    assert_eq!(of(Standing::Pending), back);
}

#[tokio::test]
async fn what_was_for_the_log_is_written_there_once_more() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    outbox.mails.lock().expect("a lock").clear();
    let name = Name::at("O-3", "failed#1").expect("a name");
    let again = mail::resend(&store, &outbox, &name, false, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Refused(_))), "{again:?}");
    let again = mail::resend(&store, &outbox, &name, true, "ada", now()).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    let (office, event) = (Office::default(), outbox.mail_event());
    let later = now() + SignedDuration::from_secs(1);
    // Its message comes twice, as any may.
    for lines_written in [1, 0] {
        let (lines, subscriber) = Lines::kept();
        let answer = mailed(&store, &office, event.clone(), later).await;
        drop(subscriber);
        assert_eq!((answer, office.count()), (Ok((0, Vec::new())), 0));
        let told = lines.of(mail::LOG);
        assert_eq!(told.len(), lines_written, "{told:?}");
        for line in told {
            assert_eq!(line["fields"]["notification.id"], name.id());
            let text = line["fields"]["text"].as_str().expect("a text");
            assert!(text.contains("something you ordered is sold out"), "{text}");
        }
    }
    let record = &records(&store).await[&name.id()];
    assert_eq!((record.status, record.attempts), (Standing::Sent, 2));
    assert_eq!((&record.message_id, &record.failure), (&None, &None));
    assert!(record.sent_at >= Some(later), "{record:?}");
}

#[tokio::test]
async fn lists_go_through_all_notifications_once() {
    let (store, _) = told_all(&MemoryEngine::new().page_size(3)).await;
    let all = NotificationFilter::default();
    let (mut found, mut position) = (Vec::new(), None);
    loop {
        let page = store.list_notifications(&all, now(), 3, position.as_ref());
        let page = page.await.expect("a page");
        found.extend(page.items.iter().map(|one| one.name().id()));
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    found.sort();
    let ids: Vec<String> = records(&store).await.into_keys().collect();
    assert_eq!(found, ids);
    let of = NotificationFilter {
        kind: Some(Kind::Refund),
        customer_id: Some("C-1"),
        channel: Some(Channel::Email),
        ..all
    };
    let page = store.list_notifications(&of, now(), 100, None).await;
    assert_eq!(page.expect("a page").items.len(), 2);
    let of_order = store.notifications_of("O-1").await.expect("an order");
    assert_eq!(of_order.len(), 5);
}
