//! Imports: files and orders that came by themselves apart, each as `store.import` shows it.

use domain::order::TotalPolicy;
use domain::progress::{ImportStatus, Stage};
use fastrand::Rng;
use jiff::Timestamp;
use ordermill::commands::imports::newest;
use store::imports::{Import, ImportRecord, Lease, Read, Taken};
use store::lists::imports::{ImportFilter, Source};
use store::tallies::Underway;
use store::{Engine, Store};

use super::{none_lost, small_pages, sometime, turned};
use crate::support::now;

pub fn record(id: &str, key: &str, created_at: Timestamp) -> ImportRecord {
    ImportRecord {
        import_id: id.to_owned(),
        bucket: "b".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        etag: "e".to_owned(),
        size: 10,
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
        stage: Stage::Reading,
        content: None,
        read: Read::default(),
        checkpoint: None,
        lease_run: "run".to_owned(),
        lease_until_ms: 0,
        reason: None,
        created_at,
        read_at: None,
        completed_at: None,
        running: Some(Source::of(key)),
    }
}

/// One more import, that is being read, at work, completed or failed.
pub async fn add<E: Engine>(store: &Store<E>, random: &mut Rng) {
    let import_id = &format!("im_{:016x}", random.u64(..));
    let folder = random.choice(["imports/", "imports/api/", "imports/apis/"]);
    let key = format!("{}{}.csv", folder.expect("a folder"), random.u8(..5));
    let new = record(import_id, &key, sometime(random));
    let taken = store.take_import(&new, now()).await;
    assert!(matches!(taken, Ok(Taken::Mine(_))), "{taken:?}");
    let run = "run";
    let lease = Lease { import_id, run };
    let rows = random.u64(..2);
    let read = Read {
        rows,
        ..Read::default()
    };
    let announced = store.announce_rows(lease, read, None).await;
    announced.expect("announced");
    match random.u8(..3) {
        0 => {}
        1 => store.fail_import(lease, "no", now()).await.expect("failed"),
        _ => store.end_import(lease, now()).await.expect("ended"),
    }
}

pub async fn all<E: Engine>(store: &Store<E>) -> Vec<Import> {
    let mut records = Vec::new();
    let each = |record| records.push(record);
    store.each_import(each).await.expect("all imports");
    records.sort_by(|one, other| {
        let one = (one.created_at, &one.import_id);
        (other.created_at, &other.import_id).cmp(&one)
    });
    let mut all = Vec::new();
    for record in records {
        all.extend(store.import(&record.import_id).await.expect("an answer"));
    }
    all
}

pub fn ids<'a>(imports: impl IntoIterator<Item = &'a Import>) -> Vec<String> {
    let ids = imports.into_iter().map(|import| &import.record.import_id);
    ids.cloned().collect()
}

#[tokio::test]
async fn pages_of_imports_are_what_looking_at_all_finds() {
    let mut random = Rng::with_seed(1);
    let (_, store) = small_pages();
    for _ in 0..300 {
        add(&store, &mut random).await;
    }
    let mut listed = 0;
    for round in 0..60 {
        let file = format!("imports/{}.csv", random.u8(..5));
        let filter = ImportFilter {
            source: [Source::File, Source::Order][usize::from(random.u8(..3) == 0)],
            status: [
                None,
                Some(ImportStatus::Processing),
                Some(ImportStatus::Failed),
            ][random.usize(..3)],
            file: (random.u8(..4) == 0).then_some(&*file),
        };
        let is_like = |import: &Import| {
            let key = &import.record.key;
            key.starts_with("imports/api/") == (filter.source == Source::Order)
                && filter.status.is_none_or(|status| status == import.status())
                && filter.file.is_none_or(|file| file == key)
        };
        let mut before = all(&store).await;
        before.retain(is_like);
        let adds = round % 2 == 0;
        let found = turned(
            &mut random,
            async |limit, position| store.list_imports(&filter, limit, position).await,
            async |random| {
                if adds && random.u8(..4) == 0 {
                    add(&store, random).await;
                }
            },
        )
        .await;
        assert!(found.iter().all(is_like));
        none_lost(&ids(&found), &ids(&before));
        if !adds {
            assert_eq!(found, before, "{filter:?}");
        }
        listed += before.len();
    }
    assert!(listed > 2_000, "{listed}");
}

/// However many orders wait that came by themselves: their imports are counted, and not read.
#[tokio::test]
async fn what_is_underway_is_told_without_a_look_at_single_orders() {
    let mut random = Rng::with_seed(3);
    let (engine, store) = small_pages();
    for _ in 0..200 {
        add(&store, &mut random).await;
    }
    let mut running = all(&store).await;
    for import in &running {
        let ended = store.end_import_if_settled(&import.record.import_id, now());
        ended.await.expect("an answer");
    }
    running.retain(|import| !import.is_over());
    let (orders, files): (Vec<Import>, Vec<Import>) = running
        .into_iter()
        .partition(|import| Source::of(&import.record.key) == Source::Order);
    let pending = files.iter().map(|import| import.progress.pending());
    let rows: u64 = pending.map(|rows| rows.expect("a number")).sum();
    assert!(files.len() > 20 && orders.len() > 20 && rows > 0);
    let expected = Underway {
        files: files.len() as u64,
        orders: orders.len() as u64,
        rows: Some(rows + orders.len() as u64),
    };
    let reads = async || {
        let before: f64 = engine.read_units().values().sum();
        let underway = store.underway().await.expect("an answer");
        let reads = engine.read_units().values().sum::<f64>() - before;
        (underway, reads)
    };
    let (underway, cost) = reads().await;
    assert_eq!(underway, expected);
    for order in 0..100 {
        let key = format!("imports/api/more-{order}.csv");
        let new = record(&format!("im_more{order}"), &key, now());
        store.take_import(&new, now()).await.expect("taken");
    }
    let (underway, more) = reads().await;
    assert_eq!(underway.orders, expected.orders + 100);
    // A look at each takes two reads at the least.
    assert!(more - cost < 20.0, "{cost} read units, then {more}");
}

#[tokio::test]
async fn the_command_shows_as_many_as_are_asked_for() {
    let mut random = Rng::with_seed(2);
    let (_, store) = small_pages();
    for _ in 0..400 {
        add(&store, &mut random).await;
    }
    let mut files = all(&store).await;
    files.retain(|import| !import.record.key.starts_with("imports/api/"));
    assert!(files.len() > 201);
    for limit in [1, 50, 100, 201, files.len() - 1, files.len(), 1_000] {
        let (found, more) = newest(&store, limit).await.expect("imports");
        assert_eq!(found, files[..limit.min(files.len())]);
        assert_eq!(more, limit < files.len(), "{limit} of {}", files.len());
    }
}
