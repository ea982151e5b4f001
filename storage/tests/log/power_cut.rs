//! The power is cut after every single change to the disk. Nothing acknowledged is lost, nothing is there twice, offsets
//! are dense, what was deleted stays deleted, and a log start never goes back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use storage::check::FoundBatch;
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Outcome, Simulation};
use storage::{Engine, Log, Offset};

use crate::harness::{append, batch, open, read_all, spec, value};

/// What the client of a partition knows.
#[derive(Default, Clone)]
struct Partition {
    /// Every record sent, in order: the record at offset `n` is number `n`.
    sent: Vec<Vec<u8>>,
    /// How many of them were acknowledged.
    acknowledged: usize,
    /// Log starts asked for and confirmed.
    start_asked: i64,
    start_confirmed: i64,
    created: bool,
    deletion_asked: bool,
    deletion_confirmed: bool,
}

type Model = Rc<RefCell<BTreeMap<u8, Partition>>>;

async fn create(engine: &Engine, model: &Model, number: u8) -> Rc<Log> {
    model.borrow_mut().entry(number).or_default();
    let log = engine.open_log(spec(number, true)).await.unwrap();
    model.borrow_mut().get_mut(&number).unwrap().created = true;
    log
}

async fn send(engine: &Engine, model: &Model, number: u8, log: &Rc<Log>, records: usize, bytes: usize) {
    let first = model.borrow()[&number].sent.len();
    let values: Vec<Vec<u8>> = (first..first + records).map(|index| value(index as u64 * 7, bytes)).collect();
    model.borrow_mut().get_mut(&number).unwrap().sent.extend(values.clone());
    assert_eq!(append(engine, log, batch(&values)).await.unwrap(), first as i64);
    model.borrow_mut().get_mut(&number).unwrap().acknowledged = first + records;
}

async fn delete_before(model: &Model, number: u8, log: &Rc<Log>, offset: i64) {
    model.borrow_mut().get_mut(&number).unwrap().start_asked = offset;
    assert_eq!(log.delete_records(Offset(offset)).await.unwrap(), Offset(offset));
    model.borrow_mut().get_mut(&number).unwrap().start_confirmed = offset;
}

/// The trace: three partitions that stay and one that is deleted; rolls, trims, several wraps of the ring, a pause
/// long enough to settle, a clean close and what follows it.
async fn trace(runtime: Runtime, model: Model) {
    let engine = open(&runtime).await.unwrap();
    let mut logs = Vec::new();
    for number in 0..4 {
        logs.push(create(&engine, &model, number).await);
    }
    engine.finish_recovery().await.unwrap();
    for round in 0..40usize {
        send(&engine, &model, 0, &logs[0], 1, 9_000).await;
        send(&engine, &model, 1, &logs[1], 2, 200 + 300 * (round % 7)).await;
        if round % 3 == 0 {
            send(&engine, &model, 2, &logs[2], 1, 100).await;
        }
        if round < 8 {
            send(&engine, &model, 3, &logs[3], 3, 1_000).await;
        }
        match round {
            6 => delete_before(&model, 0, &logs[0], 5).await,
            9 => {
                model.borrow_mut().get_mut(&3).unwrap().deletion_asked = true;
                engine.delete_log(logs[3].id()).await.unwrap();
                model.borrow_mut().get_mut(&3).unwrap().deletion_confirmed = true;
            }
            12 => send(&engine, &model, 1, &logs[1], 1, 100_000).await,
            14 => runtime.sleep(Duration::from_secs(45)).await,
            18 => delete_before(&model, 1, &logs[1], 20).await,
            _ => runtime.sleep(Duration::from_millis(150)).await,
        }
    }
    engine.close().await.unwrap();
    let engine = open(&runtime).await.unwrap();
    let mut logs = Vec::new();
    for number in 0..3 {
        logs.push(engine.open_log(spec(number, false)).await.unwrap());
    }
    let report = engine.finish_recovery().await.unwrap();
    assert_eq!(report.batches_replayed, 0, "a clean close leaves nothing to replay");
    for round in 0..4 {
        for (number, log) in (0..3).zip(&logs) {
            send(&engine, &model, number, log, 1, 3_000 * round + 50).await;
        }
        runtime.sleep(Duration::from_secs(4)).await;
    }
}

/// What must hold after a start, whatever happened before it.
async fn check(runtime: Runtime, model: Model) {
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    let mut seen = Seen::new();
    let findings = storage::check::check(&runtime, "data".as_ref(), &mut |found| see(&mut seen, found)).await.unwrap();
    assert!(findings.is_empty(), "what a power cut leaves is no damage: {findings:?}");
    let engine = open(&runtime).await.unwrap();
    let partitions = model.borrow().clone();
    let mut logs = BTreeMap::new();
    // The broker's metadata names what was created and not deleted.
    for (&number, _) in partitions.iter().filter(|(_, partition)| partition.created && !partition.deletion_asked) {
        logs.insert(number, engine.open_log(spec(number, false)).await.unwrap());
    }
    let report = engine.finish_recovery().await.unwrap();
    for id in &report.quarantined {
        let partition = &partitions[&(id.partition as u8)];
        assert!(!partition.deletion_confirmed, "a deleted partition came back");
        assert!(partition.deletion_asked, "partition {} was lost", id.partition);
    }
    for (number, log) in &logs {
        let partition = &partitions[number];
        check_log(*number, log, partition).await;
        let expected = (log.log_start_offset().0, log.high_watermark().0);
        let seen = seen.get(number).copied().unwrap_or((expected.1, expected.1));
        assert_eq!(seen, expected, "partition {number} as it was checked and as it was opened");
        // Life goes on, and where it should.
        let first = log.log_end_offset().0 as usize;
        model.borrow_mut().get_mut(number).unwrap().sent.truncate(first);
        send(&engine, &model, *number, log, 1, 5_000).await;
    }
}

/// First and next offset of each partition, as the check of the directory saw its batches.
type Seen = BTreeMap<u8, (i64, i64)>;

fn see(seen: &mut Seen, found: &FoundBatch<'_>) -> Vec<String> {
    let (first, header) = (found.log_start.0, found.batch.header);
    let range = seen.entry(found.log.partition as u8).or_insert((first, first));
    let gap = (header.base_offset > range.1).then(|| format!("{} follows {}", header.base_offset, range.1));
    range.1 = header.last_offset() + 1;
    gap.into_iter().collect()
}

async fn check_log(number: u8, log: &Rc<Log>, partition: &Partition) {
    let (start, end) = (log.log_start_offset().0, log.high_watermark().0);
    assert!(end as usize >= partition.acknowledged, "partition {number}: {end} of {} are left", partition.acknowledged);
    assert!(end as usize <= partition.sent.len(), "partition {number} has records nobody sent");
    assert!(
        (partition.start_confirmed..=partition.start_asked).contains(&start),
        "partition {number} starts at {start}"
    );
    for bytes_max in [2_000, 1 << 20] {
        let read = read_all(log, start, bytes_max).await;
        let expected: Vec<_> = (start..end).map(|offset| (offset, partition.sent[offset as usize].clone())).collect();
        assert!(read == expected, "partition {number} reads other records than were sent");
    }
}

/// Runs the trace until `changes` changes have been made to the disk, cuts the power, checks; then once more, because a
/// start must survive a power cut as well.
fn cut_after(changes: u64, policy: CrashPolicy) -> bool {
    let model = Model::default();
    let simulation = Simulation::new(changes);
    simulation.stop_after_changes(changes);
    let done = matches!(simulation.run_until_stopped(trace(simulation.runtime(), model.clone())), Outcome::Done(()));
    let simulation = simulation.crash(policy);
    simulation.stop_after_changes(changes % 40);
    let _ = simulation.run_until_stopped(check(simulation.runtime(), model.clone()));
    let simulation = simulation.crash(policy);
    simulation.run(check(simulation.runtime(), model));
    done
}

const POLICIES: [CrashPolicy; 4] =
    [CrashPolicy::Random, CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Killed];

#[test]
fn the_whole_trace_runs() {
    let model = Model::default();
    let simulation = Simulation::new(1);
    simulation.run(trace(simulation.runtime(), model.clone()));
    println!("{} changes", simulation.changes());
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    simulation.run(check(simulation.runtime(), model));
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_is_cut() {
    for changes in 1.. {
        if cut_after(changes, POLICIES[changes as usize % POLICIES.len()]) {
            assert!(changes > 500, "the trace is too short to mean anything: {changes} changes");
            return;
        }
    }
}
