//! `feedback`: addresses that bounced or complained get no more mail, and what did not arrive says so.

use aws_lambda_events::sqs::SqsEvent;
use domain::Fault;
use domain::notification::{Name, Standing};
use domain::suppression::{Address, Cause};
use edge::mail;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::memory::{Faults, MemoryEngine};
use store::notifications::Resent;
use store::suppressions::SuppressionRecord;
use store::{Engine, Store};

use super::sending::{confirmation, told_all};
use super::support::{Office, at, has_address, mailed, mortal, records};
use crate::support::failed::message;
use crate::support::memory::MemoryInbox;
use crate::support::{now, read};

const ADDRESS: &str = "one@customers.example";

/// One run of `feedback`: how many messages come back, and what it put aside.
async fn heard<E: Engine>(
    store: &Store<E>,
    event: SqsEvent,
    now: Timestamp,
) -> Result<(usize, Vec<Fault>), Fault> {
    let queue = MemoryInbox::default();
    let ports = feedback::Ports {
        store,
        queue: &queue,
    };
    let response = feedback::handle(&ports, event, at(now)).await?;
    let buried = queue.buried.into_inner().expect("a lock");
    Ok((response.batch_item_failures.len(), buried))
}

fn nothing_left() -> Result<(usize, Vec<Fault>), Fault> {
    Ok((0, Vec::new()))
}

fn delivered(bodies: &[Value]) -> SqsEvent {
    let mut event = SqsEvent::default();
    for (number, body) in bodies.iter().enumerate() {
        let message = message(&number.to_string(), &body.to_string(), []);
        event.records.push(message);
    }
    event
}

fn mail_of(name: &Name) -> Value {
    let id = name.id();
    json!({
        "timestamp": now().to_string(), "messageId": format!("ses-{id}"), "destination": [ADDRESS],
        "tags": {"notification": [id]},
    })
}

/// As the service tells of an address that is not there, of a mailbox that is full, and of who is not in the office.
const GONE: (&str, &str) = ("Permanent", "General");
const FULL: (&str, &str) = ("Transient", "MailboxFull");
const NOTE: (&str, &str) = ("Transient", "General");

/// What the office's mail of this notification came to, a second after it was sent.
fn bounced(name: &Name, (kind, more): (&str, &str)) -> Value {
    json!({"eventType": "Bounce", "mail": mail_of(name), "bounce": {
        "bounceType": kind, "bounceSubType": more, "timestamp": later(1).to_string(),
        "bouncedRecipients": [{"emailAddress": "One@Customers.Example", "diagnosticCode": "550 unknown"}],
    }})
}

fn complained(name: &Name) -> Value {
    json!({"eventType": "Complaint", "mail": mail_of(name), "complaint": {
        "complainedRecipients": [{"emailAddress": ADDRESS}], "complaintFeedbackType": "abuse",
        "timestamp": later(1).to_string(),
    }})
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn address() -> Address {
    ADDRESS.parse().expect("an address")
}

/// Everything of the story is mailed.
async fn mailed_all() -> (MemoryEngine, Store<MemoryEngine>, Office) {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let office = Office::default();
    let answer = mailed(&store, &office, outbox.mail_event(), now()).await;
    assert_eq!((answer, office.count()), (nothing_left(), 7));
    (engine, store, office)
}

/// All that feedback may change.
async fn kept<E: Engine>(store: &Store<E>) -> (String, Option<SuppressionRecord>) {
    let suppression = store.suppression(&address()).await.expect("an answer");
    (format!("{:?}", records(store).await), suppression)
}

#[tokio::test]
async fn who_bounces_gets_no_more_until_somebody_says_so() {
    let (_, store, office) = mailed_all().await;
    let name = confirmation();
    let event = delivered(&[bounced(&name, GONE)]);
    for _ in 0..3 {
        assert_eq!(heard(&store, event.clone(), later(2)).await, nothing_left());
        let record = records(&store).await[&name.id()].clone();
        assert_eq!(record.status, Standing::Failed);
        let words = "bounced: Permanent, General, 550 unknown";
        assert_eq!(record.failure.as_deref(), Some(words));
        let listed = store.suppression(&address()).await.expect("an answer");
        let listed = listed.expect("a suppression");
        assert_eq!((listed.cause, listed.since), (Cause::Bounce, later(1)));
        assert_eq!(listed.reason.as_deref(), Some(words));
        assert_eq!(listed.notification_id, Some(name.id()));
        assert_eq!(listed.message_id, Some(format!("ses-{}", name.id())));
    }
    let others = records(&store).await;
    let others = others.values().filter(|one| one.name() != name);
    assert!(others.clone().all(|one| one.status == Standing::Sent));

    // However it is written, and however hard somebody asks: nothing is handed to the service.
    has_address(&store, "C-1", "One@CUSTOMERS.example").await;
    let outbox = super::support::Outbox::default();
    for _ in 0..2 {
        let again = mail::resend(&store, &outbox, &name, true, "ada", later(3)).await;
        assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
        let answer = mailed(&store, &office, outbox.mail_event(), later(3)).await;
        assert_eq!((answer, office.count()), (nothing_left(), 7));
        let record = records(&store).await[&name.id()].clone();
        assert_eq!(record.status, Standing::Suppressed);
        let why = record.failure.unwrap_or_default();
        assert!(why.starts_with("the address is on the suppression list since 2026-03-01T12:00:01Z (bounce: bounced: Perm"), "{why}");
    }

    // Taken off the list, it gets mail; and what happened before that does not put it there again.
    let lifted = store.lift_suppression(&address(), "ada", later(9)).await;
    assert_eq!(
        lifted.expect("an answer").map(|one| one.cause),
        Some(Cause::Bounce)
    );
    assert_eq!(
        store.lift_suppression(&address(), "bob", later(9)).await,
        Ok(None)
    );
    assert_eq!(heard(&store, event, later(10)).await, nothing_left());
    assert_eq!(store.suppression(&address()).await, Ok(None));
    let again = mail::resend(&store, &outbox, &name, false, "ada", later(11)).await;
    assert!(matches!(again, Ok(Resent::Done(_))), "{again:?}");
    let answer = mailed(&store, &office, outbox.mail_event(), later(11)).await;
    assert_eq!((answer, office.count()), (nothing_left(), 8));
    // What happens after does.
    let mut new = bounced(&name, GONE);
    new["bounce"]["timestamp"] = json!(later(12).to_string());
    assert_eq!(
        heard(&store, delivered(&[new]), later(13)).await,
        nothing_left()
    );
    let listed = store.suppression(&address()).await.expect("an answer");
    assert_eq!(listed.map(|one| one.since), Some(later(12)));
}

#[tokio::test]
async fn what_passes_fails_the_notification_and_costs_no_address() {
    let (_, store, _) = mailed_all().await;
    let transient = confirmation();
    let [rejected, replied] =
        ["shipping#1", "delivery#1"].map(|what| Name::at("O-1", what).expect("a name"));
    let reject = json!({"eventType": "Reject", "mail": mail_of(&rejected), "reject": {"reason": "Bad content"}});
    let event = delivered(&[bounced(&transient, FULL), reject, bounced(&replied, NOTE)]);
    for _ in 0..2 {
        assert_eq!(heard(&store, event.clone(), later(2)).await, nothing_left());
    }
    let kept = records(&store).await;
    let (full, note) = (
        "bounced: Transient, MailboxFull, 550 unknown",
        "bounced: Transient, General, 550 unknown",
    );
    for (name, stands, words) in [
        (&transient, Standing::Failed, full),
        (&rejected, Standing::Failed, "rejected: Bad content"),
        // Nobody knows whether it arrived.
        (&replied, Standing::Sent, note),
    ] {
        let record = &kept[&name.id()];
        assert_eq!(
            (record.status, record.failure.as_deref()),
            (stands, Some(words))
        );
    }
    assert_eq!(store.suppression(&address()).await, Ok(None));
}

#[tokio::test]
async fn who_complains_gets_no_more_and_what_arrived_stays_sent() {
    let (_, store, _) = mailed_all().await;
    let name = confirmation();
    let event = delivered(&[complained(&name)]);
    for _ in 0..2 {
        assert_eq!(heard(&store, event.clone(), later(2)).await, nothing_left());
    }
    let record = records(&store).await[&name.id()].clone();
    assert_eq!(record.status, Standing::Sent);
    assert_eq!(record.complaint.as_deref(), Some("complained: abuse"));
    let listed = store.suppression(&address()).await.expect("an answer");
    assert_eq!(listed.map(|one| one.cause), Some(Cause::Complaint));
    // Of a mail that is none of ours, or of one that only tries the service.
    let mut strange = complained(&name);
    strange["mail"]["tags"] = json!({"notification": ["of somebody else"]});
    strange["mail"]["destination"] = json!(["else@customers.example"]);
    let mut unknown = bounced(&name, GONE);
    let of_nothing = Name::at("O-9", "confirmation#1").expect("a name");
    unknown["mail"]["tags"] = json!({"notification": [of_nothing.id()]});
    assert_eq!(
        heard(&store, delivered(&[strange, unknown]), later(2)).await,
        nothing_left()
    );
    let page = store.list_suppressions(100, None).await.expect("a page");
    assert_eq!(page.items.len(), 2);
    assert_eq!(records(&store).await.len(), 8);
}

/// Wherever `send` is between counting an attempt and saying how it ended, the event waits, and then everything is the same.
#[tokio::test(start_paused = true)]
async fn an_event_that_overtakes_our_own_record_ends_the_same() {
    let name = confirmation();
    let mut early = 0;
    for steps in 0.. {
        let (store, outbox) = told_all(&MemoryEngine::new()).await;
        let (office, mails) = (Office::default(), outbox.mail_event());
        let ended = mortal(mailed(&store, &office, mails.clone(), now()), steps).await;
        let is_sent = office.sent.lock().expect("a lock").contains_key(&name.id());
        let event = delivered(&[bounced(&name, GONE)]);
        if is_sent {
            let (back, buried) = heard(&store, event.clone(), later(2)).await.expect("heard");
            assert_eq!(buried, []);
            early += back;
        }
        // Whoever died is followed by another one; by now the address is on the list.
        let answer = mailed(&store, &office, mails, later(62)).await;
        assert_eq!(answer, nothing_left(), "after {steps} steps");
        assert_eq!(heard(&store, event, later(63)).await, nothing_left());
        let record = records(&store).await[&name.id()].clone();
        let expected = match (is_sent, &record.message_id) {
            // It died before it could say so: the second attempt found the address on the list.
            (true, None) => Standing::Suppressed,
            _ => Standing::Failed,
        };
        assert_eq!(record.status, expected, "after {steps} steps: {record:?}");
        let mails = office.sent.lock().expect("a lock")[&name.id()].len();
        assert_eq!(mails, 1, "after {steps} steps");
        if ended.is_some() {
            break;
        }
    }
    assert!(early > 0, "no event was early");
}

/// It takes each event twice, and dies at each of its awaits.
#[tokio::test(start_paused = true)]
async fn who_dies_while_it_listens_is_followed_by_one_who_hears_the_same() {
    let names = [
        confirmation(),
        Name::at("O-1", "delivery#1").expect("a name"),
    ];
    let all = [
        bounced(&names[0], GONE),
        complained(&names[1]),
        bounced(&names[1], FULL),
    ];
    let expected = {
        let (_, store, _) = mailed_all().await;
        assert_eq!(
            heard(&store, delivered(&all), later(2)).await,
            nothing_left()
        );
        kept(&store).await
    };
    let mut deaths = 0;
    for steps in 0.. {
        let (_, store, _) = mailed_all().await;
        let ended = mortal(heard(&store, delivered(&all), later(2)), steps).await;
        let twice = [&all[..], &all[..]].concat();
        assert_eq!(
            heard(&store, delivered(&twice), later(3)).await,
            nothing_left()
        );
        assert_eq!(kept(&store).await, expected, "after {steps} steps");
        if ended.is_some() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 7, "it died {deaths} times only");
}

/// What both engines keep of the list.
pub async fn the_list_is_kept<E: Engine>(store: &Store<E>) {
    let address: Address = "kept@customers.example".parse().expect("an address");
    let of = |cause, seconds| SuppressionRecord {
        cause,
        reason: Some("550".to_owned()),
        requested_by: None,
        ..SuppressionRecord::manual(address.clone(), None, "", later(seconds))
    };
    let (bounce, complaint) = (of(Cause::Bounce, 1), of(Cause::Complaint, 5));
    assert_eq!(store.suppression(&address).await, Ok(None));
    for new in [&bounce, &bounce, &complaint] {
        assert_eq!(store.suppress(new).await, Ok(bounce.clone()));
    }
    let many = [
        address.clone(),
        "other@customers.example".parse().expect("one"),
    ];
    let found = store.suppressions(&many).await;
    assert_eq!(found, Ok(vec![Some(bounce.clone()), None]));
    let lifted = store.lift_suppression(&address, "ada", later(9)).await;
    let lifted = lifted.expect("an answer").expect("a suppression");
    assert_eq!(
        (lifted.cause, lifted.lifted_by.as_deref()),
        (Cause::Bounce, Some("ada"))
    );
    for older in [&bounce, &complaint, &of(Cause::Bounce, 9)] {
        assert_eq!(store.suppress(older).await, Ok(lifted.clone()));
    }
    assert_eq!(store.suppressions(&many).await, Ok(vec![None, None]));
    let newer = of(Cause::Complaint, 10);
    assert_eq!(store.suppress(&newer).await, Ok(newer.clone()));
    assert_eq!(store.suppression(&address).await, Ok(Some(newer)));
    // A person's word counts at any time.
    let lifted = store.lift_suppression(&address, "ada", later(11)).await;
    assert!(lifted.expect("an answer").is_some());
    let manual = SuppressionRecord::manual(address.clone(), Some("asked"), "bob", later(11));
    assert_eq!(store.suppress(&manual).await, Ok(manual));
}

#[tokio::test(start_paused = true)]
async fn the_list_is_kept_whatever_is_lost() {
    for seed in 0..50 {
        let faults = Faults {
            throttle: 200,
            lost_answer: 200,
            ..Faults::default()
        };
        let engine = MemoryEngine::with_faults(seed, faults);
        the_list_is_kept(&Store::new(engine.clone(), seed)).await;
    }
}

#[tokio::test]
async fn what_is_not_understood_is_put_aside_alone() {
    let (_, store, _) = mailed_all().await;
    let name = confirmation();
    let event = delivered(&[json!({"eventType": "Bounce"}), bounced(&name, GONE)]);
    let (back, buried) = heard(&store, event, later(2)).await.expect("heard");
    assert_eq!(back, 0);
    assert!(
        matches!(buried.as_slice(), [Fault::Malformed(_)]),
        "{buried:?}"
    );
    assert_eq!(records(&store).await[&name.id()].status, Standing::Failed);
}

#[tokio::test]
async fn the_sample_is_what_the_function_takes() {
    let store = Store::new(MemoryEngine::new(), 1);
    let event: SqsEvent = serde_json::from_slice(&read("events/feedback.json")).expect("an event");
    assert_eq!(heard(&store, event, later(2)).await, nothing_left());
    let mut listed = store
        .list_suppressions(100, None)
        .await
        .expect("a page")
        .items;
    listed.sort_by_key(|one| one.since);
    let found: Vec<_> = listed
        .iter()
        .map(|one| (one.address.as_str(), one.cause))
        .collect();
    let expected = [
        ("ada@example.com", Cause::Bounce),
        ("grace@example.com", Cause::Complaint),
    ];
    assert_eq!(found, expected);
}
