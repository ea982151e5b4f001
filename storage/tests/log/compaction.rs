//! A compacted log while it is written, read, cleaned and cut off from power: the newest value of every key can always be
//! read, what is read is what was sent at that offset, in order, nothing comes back, and a tombstone is seen by everybody
//! who began to read before its time was up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::records::{Attributes, BatchBuilder, BatchHeader, Batches, Compression, CompressionType, NewRecord};
use storage::producer_state::{FirstBatch, Verification};
use storage::runtime::Runtime;
use storage::runtime::random::Random;
use storage::runtime::simulated::{CrashPolicy, Outcome, Simulation};
use storage::{AppendOptions, CleanerConfig, Engine, Log, LogSpec, Offset, ReadLimit, ReadOptions};

use crate::harness::{append, append_options, open, read_at, spec};
use crate::transactions::end;

/// How long tombstones stay.
const RETENTION_MS: i64 = 60_000;
const KEYS: u64 = 12;

/// What was sent: key, value, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    key: u8,
    value: Option<Vec<u8>>,
    time_ms: i64,
}

/// What the clients know.
#[derive(Default)]
struct Model {
    sent: Vec<Sent>,
    acknowledged: usize,
    /// Sequence numbers of the three producers.
    sequences: [i32; 3],
    /// Offsets that were once read without their record: they must stay so.
    gone: std::collections::BTreeSet<i64>,
}

type Shared = Rc<RefCell<Model>>;

fn compacted(create: bool) -> LogSpec {
    let mut spec = spec(1, create);
    spec.config.segment_bytes = 4_000;
    spec.config.index_interval_bytes = 300;
    spec.config.cleanup_delete = false;
    spec.config.cleanup_compact = true;
    spec.config.compaction.min_dirty_ratio = 0.3;
    spec.config.compaction.delete_retention_ms = RETENTION_MS;
    spec
}

fn cleaner(random: &mut Random) -> CleanerConfig {
    CleanerConfig {
        backoff: Duration::from_millis(random.between(100, 3_000)),
        // At times fewer keys fit than there are.
        dedupe_buffer_bytes: if random.chance(30) { 0 } else { 1 << 20 },
        load_factor: if random.chance(50) { 0.1 } else { 0.9 },
        segment_bytes_max: if random.chance(30) { 900 } else { i32::MAX as u64 },
        ..CleanerConfig::default()
    }
}

async fn start(runtime: &Runtime, create: bool, random: &mut Random) -> (Engine, Rc<Log>) {
    let engine = open(runtime).await.unwrap();
    let log = engine.open_log(compacted(create)).await.unwrap();
    engine.set_cleaner(cleaner(random));
    assert!(engine.finish_recovery().await.unwrap().quarantined.is_empty());
    (engine, log)
}

/// One batch of random records, of a producer or of none, under some codec.
fn random_batch(model: &mut Model, random: &mut Random, now_ms: i64) -> Bytes {
    let mut header = BatchHeader::default();
    let producer = random.below(6) as usize;
    let count = random.between(1, 6) as i32;
    if let Some(sequence) = model.sequences.get_mut(producer) {
        let (producer_id, base_sequence) = (producer as i64, *sequence);
        header = BatchHeader { producer_id, producer_epoch: 0, base_sequence, ..header };
        *sequence += count;
    }
    let codec = CompressionType::ALL[random.below(5) as usize];
    let mut batch = BatchBuilder::new(header, Compression::with_default_level(codec));
    for _ in 0..count {
        // Some keys are written once and never again.
        let key = if random.chance(3) { random.between(100, 255) } else { random.below(KEYS) } as u8;
        let value = (!random.chance(20)).then(|| {
            let bytes = random.between(1, 300) as usize;
            (0..bytes).map(|at| (at as u64 * 7 + random.below(3)) as u8).collect::<Vec<u8>>()
        });
        let record = NewRecord { timestamp_ms: now_ms, key: Some(&[key]), value: value.as_deref(), headers: &[] };
        batch.append(record).unwrap();
        model.sent.push(Sent { key, value, time_ms: now_ms });
    }
    batch.build().unwrap()
}

async fn send(runtime: &Runtime, engine: &Engine, log: &Rc<Log>, model: &Shared, random: &mut Random) {
    let first = model.borrow().sent.len() as i64;
    let batch = random_batch(&mut model.borrow_mut(), random, runtime.wall_clock_ms());
    assert_eq!(append(engine, log, batch).await.unwrap(), first);
    let sent = model.borrow().sent.len();
    model.borrow_mut().acknowledged = sent;
}

/// Every record from `from` to `to`, with pauses in between.
async fn read(
    runtime: &Runtime,
    log: &Rc<Log>,
    from: i64,
    to: i64,
    bytes_max: usize,
    pause: Duration,
) -> Vec<(i64, Sent)> {
    let (mut records, mut offset) = (Vec::new(), from);
    while offset < to {
        let limit = ReadLimit::HighWatermark;
        let options = ReadOptions { offset: Offset(offset), bytes_max, at_least_one_batch: true, limit };
        let read = log.read(options).await.unwrap();
        let bytes = read.records.concat();
        assert!(!bytes.is_empty(), "nothing to read at {offset}, below the high watermark {}", log.high_watermark().0);
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            let body = batch.body(1 << 20).unwrap();
            for record in batch.records(&body).map(Result::unwrap).filter(|record| record.offset >= offset) {
                let value = record.value.map(<[u8]>::to_vec);
                records
                    .push((record.offset, Sent { key: record.key.unwrap()[0], value, time_ms: record.timestamp_ms }));
            }
            assert!(batch.header.last_offset() >= offset, "a batch came twice");
            offset = batch.header.last_offset() + 1;
        }
        runtime.sleep(pause).await;
    }
    records.retain(|(offset, _)| *offset < to);
    records
}

/// What a reader from the start has, given records up to `to`.
fn table(records: impl Iterator<Item = Sent>) -> BTreeMap<u8, Sent> {
    let mut table = BTreeMap::new();
    for sent in records {
        match sent.value {
            Some(_) => drop(table.insert(sent.key, sent)),
            None => drop(table.remove(&sent.key)),
        }
    }
    table
}

/// All that must hold, now.
async fn check(runtime: &Runtime, log: &Rc<Log>, model: &Shared, bytes_max: usize) {
    let (now_ms, end) = (runtime.wall_clock_ms(), log.high_watermark().0);
    let records = read(runtime, log, 0, end, bytes_max, Duration::ZERO).await;
    let mut model = model.borrow_mut();
    assert!(end as usize >= model.acknowledged && end as usize <= model.sent.len());
    assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0), "out of order");
    for (offset, found) in &records {
        assert_eq!(*found, model.sent[*offset as usize], "another record at {offset}");
        assert!(!model.gone.contains(offset), "the record at {offset} came back");
    }
    let read: BTreeMap<i64, &Sent> = records.iter().map(|(offset, sent)| (*offset, sent)).collect();
    let mut newest = BTreeMap::new();
    for (offset, sent) in model.sent.iter().enumerate().take(end as usize).rev() {
        let offset = offset as i64;
        let is_newest = !newest.contains_key(&sent.key);
        newest.entry(sent.key).or_insert(offset);
        // A tombstone's time begins when it takes effect, which is not before it was sent.
        let must_be_there = is_newest && (sent.value.is_some() || sent.time_ms + RETENTION_MS > now_ms);
        assert!(read.contains_key(&offset) || !must_be_there, "the newest of key {} is lost: {offset}", sent.key);
    }
    let gone: Vec<i64> = (0..end).filter(|offset| !read.contains_key(offset)).collect();
    model.gone.extend(gone);
    let expected = table(model.sent[..end as usize].iter().cloned());
    assert_eq!(table(records.into_iter().map(|(_, sent)| sent)), expected);
}

/// One life of the broker: writes, looks at what is there, and has somebody read from the start all the while.
async fn live(runtime: Runtime, model: Shared, seed: u64, create: bool) {
    let mut random = Random::new(seed);
    let (engine, log) = start(&runtime, create, &mut random).await;
    check(&runtime, &log, &model, 1).await;
    let reader = {
        let (runtime, log, model, bytes_max) = (runtime.clone(), log.clone(), model.clone(), random.between(1, 3_000));
        let pause = Duration::from_millis(random.between(10, 300));
        let spawner = runtime.clone();
        let reading = async move {
            for _ in 0..3 {
                let (begun, end) = (runtime.wall_clock_ms(), log.high_watermark().0);
                let records = read(&runtime, &log, 0, end, bytes_max as usize, pause).await;
                if runtime.wall_clock_ms() < begun + RETENTION_MS {
                    // What came while it was reading may have taken the place of what it was to see.
                    let later: Vec<u8> = model.borrow().sent[end as usize..].iter().map(|sent| sent.key).collect();
                    let mut expected = table(model.borrow().sent[..end as usize].iter().cloned());
                    let mut found = table(records.into_iter().map(|(_, sent)| sent));
                    expected.retain(|key, _| !later.contains(key));
                    found.retain(|key, _| !later.contains(key));
                    assert_eq!(found, expected, "what a reader from the start saw");
                }
            }
        };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        spawner.spawn(async move {
            reading.await;
            sender.send(()).unwrap();
        });
        receiver
    };
    for _ in 0..random.between(20, 60) {
        for _ in 0..random.between(1, 6) {
            send(&runtime, &engine, &log, &model, &mut random).await;
        }
        runtime.sleep(Duration::from_millis(random.between(1, 4_000))).await;
        if random.chance(10) {
            // Long enough for everything to reach its file, or for tombstones to go.
            runtime.sleep(Duration::from_secs(random.between(11, 80))).await;
        }
        if random.chance(20) {
            check(&runtime, &log, &model, random.between(1, 5_000) as usize).await;
        }
    }
    check(&runtime, &log, &model, 700).await;
    reader.await.unwrap();
    if random.chance(50) {
        engine.close().await.unwrap();
    }
}

#[test]
fn the_newest_of_every_key_stays_through_many_lives() {
    let mut cleaned = 0;
    for seed in 0..25 {
        let model = Shared::default();
        let mut simulation = Simulation::new(seed);
        for life in 0..4 {
            simulation.run(live(simulation.runtime(), model.clone(), seed * 100 + life, life == 0));
            simulation = simulation.crash(POLICIES[(seed + life) as usize % POLICIES.len()]);
            let runtime = simulation.runtime();
            simulation.run(async move {
                let findings = storage::check::check(&runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
                assert!(findings.is_empty(), "{findings:?}");
            });
        }
        cleaned += model.borrow().gone.len();
    }
    assert!(cleaned > 10_000, "only {cleaned} records were ever dropped: this tests nothing");
}

const POLICIES: [CrashPolicy; 4] =
    [CrashPolicy::Random, CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Killed];

/// Few enough changes to cut the power after each of them.
async fn short_life(runtime: Runtime, model: Shared, create: bool) {
    let mut random = Random::new(5);
    let engine = open(&runtime).await.unwrap();
    let log = engine.open_log(compacted(create)).await.unwrap();
    engine.set_cleaner(CleanerConfig { backoff: Duration::from_millis(700), ..CleanerConfig::default() });
    engine.finish_recovery().await.unwrap();
    for round in 0..16 {
        for _ in 0..5 {
            send(&runtime, &engine, &log, &model, &mut random).await;
        }
        runtime.sleep(Duration::from_secs(if round % 4 == 3 { 31 } else { 3 })).await;
    }
}

/// After a power cut: nothing is damaged, everything holds, and it goes on, compaction included.
async fn recover(runtime: Runtime, model: Shared) {
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    let findings = storage::check::check(&runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
    assert!(findings.is_empty(), "what a power cut leaves is no damage: {findings:?}");
    let engine = open(&runtime).await.unwrap();
    if runtime.disk().list("data/topic1-1".as_ref()).await.is_err() {
        return;
    }
    let Ok(log) = engine.open_log(compacted(false)).await else { return };
    engine.set_cleaner(CleanerConfig { backoff: Duration::from_millis(300), ..CleanerConfig::default() });
    engine.finish_recovery().await.unwrap();
    check(&runtime, &log, &model, 1_000).await;
    // What was on its way when the power went counts as never sent if it is not there.
    let end = log.log_end_offset().0 as usize;
    model.borrow_mut().sent.truncate(end);
    let mut random = Random::new(9);
    // The sequence numbers of what did not arrive are not known to be free.
    model.borrow_mut().sequences = [0; 3];
    for _ in 0..6 {
        let batch = {
            let mut model = model.borrow_mut();
            let now_ms = runtime.wall_clock_ms();
            let value = vec![random.below(200) as u8; 900];
            let mut batch = BatchBuilder::new(BatchHeader::default(), Compression::None);
            let record = NewRecord { timestamp_ms: now_ms, key: Some(&[3]), value: Some(&value), headers: &[] };
            batch.append(record).unwrap();
            model.sent.push(Sent { key: 3, value: Some(value), time_ms: now_ms });
            batch.build().unwrap()
        };
        append(&engine, &log, batch).await.unwrap();
        let sent = model.borrow().sent.len();
        model.borrow_mut().acknowledged = sent;
    }
    runtime.sleep(Duration::from_secs(12)).await;
    check(&runtime, &log, &model, 1).await;
}

#[test]
fn nothing_is_lost_and_nothing_returns_wherever_the_power_is_cut() {
    let mut swaps = 0;
    for changes in 1.. {
        let policy = POLICIES[changes as usize % POLICIES.len()];
        let model = Shared::default();
        let simulation = Simulation::new(changes);
        simulation.stop_after_changes(changes);
        let ended = simulation.run_until_stopped(short_life(simulation.runtime(), model.clone(), true));
        let done = matches!(ended, Outcome::Done(()));
        let simulation = simulation.crash(policy);
        let runtime = simulation.runtime();
        swaps += u64::from(simulation.run(async move {
            let names = runtime.disk().list("data/topic1-1".as_ref()).await.unwrap_or_default();
            names.iter().any(|name| name == "cleaned-segments")
        }));
        // A start must survive a power cut as well.
        simulation.stop_after_changes(changes % 60);
        let _ = simulation.run_until_stopped(recover(simulation.runtime(), model.clone()));
        let simulation = simulation.crash(policy);
        simulation.run(recover(simulation.runtime(), model));
        if done {
            assert!(changes > 300 && swaps > 5, "{changes} changes, {swaps} of them within a replacement");
            return;
        }
    }
}

fn keyed(key: u8, transaction_epoch: Option<i16>, bytes: usize) -> Bytes {
    let header = match transaction_epoch {
        Some(producer_epoch) => {
            let attributes = Attributes(Attributes::TRANSACTIONAL);
            BatchHeader { producer_id: 7, producer_epoch, base_sequence: 0, attributes, ..BatchHeader::default() }
        }
        None => BatchHeader::default(),
    };
    let mut batch = BatchBuilder::new(header, Compression::None);
    let value = vec![key; bytes];
    batch.append(NewRecord { timestamp_ms: 1_000, key: Some(&[key]), value: Some(&value), headers: &[] }).unwrap();
    batch.build().unwrap()
}

async fn in_transaction(engine: &Engine, log: &Rc<Log>, epoch: i16) {
    let first = FirstBatch { producer_id: 7, producer_epoch: epoch, base_sequence: 0, supports_epoch_bump: true };
    let verification = log.begin_verification(first).map_or(Verification::None, Verification::Confirmed);
    let options = AppendOptions { verification, ..append_options() };
    let batch = keyed(9, Some(epoch), 100);
    let reservation = engine.reserve(batch.len()).await.unwrap();
    log.append(reservation, batch, options).unwrap().durable.await.unwrap();
}

/// The base offset of what a reader gets at `offset`.
async fn found_at(log: &Rc<Log>, offset: i64) -> i64 {
    let bytes = read_at(log, offset).await.expect("a gap is no damage");
    BatchHeader::parse(&bytes).expect("a batch").base_offset
}

/// Five batches and one that is aborted fill a segment; what comes after goes to the next one.
async fn aborted_at_the_end(runtime: Runtime) {
    let engine = open(&runtime).await.unwrap();
    let log = engine.open_log(compacted(true)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    for _ in 0..5 {
        append(&engine, &log, keyed(1, None, 600)).await.unwrap();
    }
    in_transaction(&engine, &log, 0).await;
    append(&engine, &log, keyed(1, None, 600)).await.unwrap();
    end(&engine, &log, 7, 1, false).await;
    in_transaction(&engine, &log, 1).await;
    end(&engine, &log, 7, 2, true).await;
    runtime.sleep(Duration::from_secs(40)).await;
}

/// What was aborted at the end of the closed segments may go before anything of the segment being written is in its file:
/// the reader that stands there goes on in memory.
#[test]
fn a_gap_at_the_end_of_the_closed_segments_leads_into_the_newest_one() {
    let mut gaps = 0;
    for changes in 1.. {
        let simulation = Simulation::new(changes);
        simulation.stop_after_changes(changes);
        let ended = simulation.run_until_stopped(aborted_at_the_end(simulation.runtime()));
        let simulation = simulation.crash(POLICIES[changes as usize % POLICIES.len()]);
        let runtime = simulation.runtime();
        gaps += simulation.run(async move {
            let engine = open(&runtime).await.unwrap();
            let Ok(log) = engine.open_log(compacted(false)).await else { return 0 };
            let backoff = Duration::from_millis(1);
            engine.set_cleaner(CleanerConfig { backoff, ..CleanerConfig::default() });
            engine.finish_recovery().await.unwrap();
            let mut found = 5;
            for _ in 0..1_000 {
                if log.high_watermark().0 < 10 {
                    return 0;
                }
                found = found_at(&log, 5).await;
                runtime.sleep(Duration::from_millis(if found == 5 { 20 } else { 1 })).await;
            }
            found - 5
        });
        if matches!(ended, Outcome::Done(())) {
            assert!(gaps > 5, "{gaps} gaps: this tests nothing");
            return;
        }
    }
}
