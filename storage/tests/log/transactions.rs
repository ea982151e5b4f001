//! Transactions in a log whose power is cut: whatever is left, the last stable offset and the aborted transactions that
//! readers are told are those that the batches themselves say.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::records::{
    Attributes, BatchBuilder, BatchHeader, Batches, Compression, EndTransactionMarker, NewRecord, end_transaction_batch,
};
use storage::producer_state::{FirstBatch, Verification};
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Outcome, Simulation};
use storage::{AppendOptions, Engine, LeaderEpoch, Log, Offset, ReadLimit, ReadOptions};

use crate::harness::{append, batch, open, spec, value};

fn data(producer_id: i64, producer_epoch: i16, base_sequence: i32, bytes: usize) -> Bytes {
    let attributes = Attributes(Attributes::TRANSACTIONAL);
    let header = BatchHeader { producer_id, producer_epoch, base_sequence, attributes, ..BatchHeader::default() };
    let mut builder = BatchBuilder::new(header, Compression::None);
    for number in 0..2 {
        let value = value(number, bytes);
        builder.append(NewRecord { timestamp_ms: 1_000, key: None, value: Some(&value), headers: &[] }).unwrap();
    }
    builder.build().unwrap()
}

async fn append_with(engine: &Engine, log: &Rc<Log>, batch: Bytes, options: AppendOptions) {
    let reservation = engine.reserve(batch.len()).await.unwrap();
    log.append(reservation, batch, options).unwrap().durable.await.unwrap();
}

/// A batch of a producer whose coordinator has agreed.
pub async fn write(engine: &Engine, log: &Rc<Log>, producer_id: i64, epoch: i16, sequence: i32, bytes: usize) {
    let first = FirstBatch { producer_id, producer_epoch: epoch, base_sequence: sequence, supports_epoch_bump: true };
    let verification = log.begin_verification(first).map_or(Verification::None, Verification::Confirmed);
    let options = AppendOptions { verification, ..AppendOptions::client(LeaderEpoch(0), 12) };
    append_with(engine, log, data(producer_id, epoch, sequence, bytes), options).await;
}

pub async fn end(engine: &Engine, log: &Rc<Log>, producer_id: i64, epoch: i16, commit: bool) {
    let marker = EndTransactionMarker { commit, coordinator_epoch: 0 };
    let batch = end_transaction_batch(producer_id, epoch, 1_000, marker).unwrap();
    let options = AppendOptions { transaction_version: 2, ..AppendOptions::coordinator(LeaderEpoch(0)) };
    append_with(engine, log, batch, options).await;
}

/// Five producers with transactions that overlap, every second one aborted, one of them open over many rounds; rolls, a
/// pause long enough to settle, a clean close, and DeleteRecords last.
async fn trace(runtime: Runtime) {
    let mut engine = open(&runtime).await.unwrap();
    let mut log = engine.open_log(spec(0, true)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    let mut producers = [(0i16, 0i32); 5];
    for round in 0..70usize {
        let producer = round * 7 % 5;
        let (id, (epoch, sequence)) = (producer as i64 + 100, producers[producer]);
        let bytes = [50, 4_000, 900, 9_000, 300][round % 5];
        let ends = if producer == 4 { sequence >= 14 } else { sequence >= 4 + 2 * producer as i32 };
        if ends {
            end(&engine, &log, id, epoch + 1, round % 2 == 0).await;
            producers[producer] = (epoch + 1, 0);
        } else {
            write(&engine, &log, id, epoch, sequence, bytes).await;
            producers[producer].1 += 2;
        }
        match round {
            22 => runtime.sleep(Duration::from_secs(45)).await,
            40 => {
                engine.close().await.unwrap();
                engine = open(&runtime).await.unwrap();
                log = engine.open_log(spec(0, false)).await.unwrap();
                engine.finish_recovery().await.unwrap();
            }
            64 => assert!(log.delete_records(Offset(7)).await.is_ok()),
            _ if round % 3 == 0 => assert!(append(&engine, &log, batch(&[value(round as u64, bytes)])).await.is_ok()),
            _ => runtime.sleep(Duration::from_millis(900)).await,
        }
    }
    engine.close().await.unwrap();
}

/// What the batches say: aborted transactions as (producer, first offset, marker), and the first open one.
struct Truth {
    aborted: Vec<(i64, i64, i64)>,
    first_open: Option<i64>,
}

async fn truth(log: &Rc<Log>) -> Truth {
    let (mut open, mut aborted) = (BTreeMap::new(), Vec::new());
    let mut offset = log.log_start_offset().0;
    while offset < log.high_watermark().0 {
        let limit = ReadLimit::HighWatermark;
        let options = ReadOptions { offset: Offset(offset), bytes_max: 1 << 20, at_least_one_batch: true, limit };
        let bytes = log.read(options).await.unwrap().records.concat();
        for batch in Batches::new(&bytes).map(Result::unwrap) {
            let header = &batch.header;
            offset = header.last_offset() + 1;
            if header.is_control() {
                let record = batch.records(batch.payload()).next().unwrap().unwrap();
                let commit = EndTransactionMarker::parse(&record).unwrap().commit;
                if let Some(first) = open.remove(&header.producer_id).filter(|_| !commit) {
                    aborted.push((header.producer_id, first, header.base_offset));
                }
            } else if header.is_transactional() {
                open.entry(header.producer_id).or_insert(header.base_offset);
            }
        }
    }
    Truth { aborted, first_open: open.values().min().copied() }
}

async fn check(runtime: Runtime) {
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    let findings = storage::check::check(&runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
    assert!(findings.is_empty(), "what a power cut leaves is no damage: {findings:?}");
    let engine = open(&runtime).await.unwrap();
    // Nothing was ever acknowledged without its directory.
    let Ok(log) = engine.open_log(spec(0, false)).await else { return };
    engine.finish_recovery().await.unwrap();
    let start = log.log_start_offset().0;
    let truth = truth(&log).await;
    if start == 0 {
        let stable = truth.first_open.unwrap_or(log.high_watermark().0);
        assert_eq!(log.last_stable_offset().0, stable, "the last stable offset");
    }
    let stable = log.last_stable_offset().0;
    for bytes_max in [1, 5_000, 1 << 20] {
        let mut offset = start;
        while offset < stable {
            let limit = ReadLimit::LastStableOffset;
            let options = ReadOptions { offset: Offset(offset), bytes_max, at_least_one_batch: true, limit };
            let read = log.read(options).await.unwrap();
            let bytes = read.records.concat();
            let next = Batches::new(&bytes).map(Result::unwrap).last().unwrap().header.last_offset() + 1;
            let overlaps = |(_, first, marker): &&(i64, i64, i64)| *marker >= offset && *first < next;
            let expected: Vec<_> = truth.aborted.iter().filter(overlaps).map(|(id, first, _)| (*id, *first)).collect();
            let told = read.aborted_transactions.iter().map(|one| (one.producer_id, one.first_offset.0));
            // One that began before the start of the log has a first offset that the batches cannot tell any more.
            let told: Vec<_> = told.map(|(id, first)| (id, first.max(start))).collect();
            let missing = expected.iter().find(|(id, first)| !told.contains(&(*id, *first)) && start == 0);
            assert_eq!(missing, None, "{offset}..{next}: {told:?} of {:?}", truth.aborted);
            assert!(start > 0 || told == expected, "{offset}..{next}: {told:?} are not {expected:?}");
            let owners: Vec<i64> = told.iter().map(|(id, _)| *id).collect();
            assert!(expected.iter().all(|(id, _)| owners.contains(id)), "{offset}..{next}");
            offset = next;
        }
    }
    // Life goes on.
    append(&engine, &log, batch(&[value(1, 300)])).await.unwrap();
}

fn cut_after(changes: u64, policy: CrashPolicy) -> bool {
    let simulation = Simulation::new(changes);
    simulation.stop_after_changes(changes);
    let done = matches!(simulation.run_until_stopped(trace(simulation.runtime())), Outcome::Done(()));
    let simulation = simulation.crash(policy);
    simulation.stop_after_changes(changes % 40);
    let _ = simulation.run_until_stopped(check(simulation.runtime()));
    let simulation = simulation.crash(policy);
    simulation.run(check(simulation.runtime()));
    done
}

const POLICIES: [CrashPolicy; 4] =
    [CrashPolicy::Random, CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Killed];

#[test]
fn readers_are_told_what_was_aborted_wherever_the_power_is_cut() {
    for changes in 1.. {
        if cut_after(changes, POLICIES[changes as usize % POLICIES.len()]) {
            assert!(changes > 200, "the trace is too short to mean anything: {changes} changes");
            return;
        }
    }
}

#[test]
fn readers_of_committed_data_stop_at_an_open_transaction() {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        append(&engine, &log, batch(&[value(1, 10)])).await.unwrap();
        write(&engine, &log, 7, 0, 0, 10).await;
        append(&engine, &log, batch(&[value(2, 10)])).await.unwrap();
        let read = async |offset| {
            let limit = ReadLimit::LastStableOffset;
            let options = ReadOptions { offset: Offset(offset), bytes_max: 1 << 20, at_least_one_batch: true, limit };
            log.read(options).await.unwrap().records.concat().len()
        };
        assert_eq!(log.last_stable_offset(), Offset(1));
        assert!(read(0).await > 0);
        for offset in 1..=4 {
            assert_eq!(read(offset).await, 0, "nothing to read at {offset}, and no error");
        }
        let found = log.offset_for_timestamp(0, ReadLimit::LastStableOffset).await.unwrap();
        assert_eq!(found.map(|found| found.offset), Some(Offset(0)));
        end(&engine, &log, 7, 1, true).await;
        assert_eq!(log.last_stable_offset(), Offset(5));
        let guard = FirstBatch { producer_id: 7, producer_epoch: 1, base_sequence: 0, supports_epoch_bump: true };
        let guard = log.begin_verification(guard).expect("nothing is open");
        end(&engine, &log, 7, 2, false).await;
        let late =
            AppendOptions { verification: Verification::Confirmed(guard), ..AppendOptions::client(LeaderEpoch(0), 12) };
        let reservation = engine.reserve(1_000).await.unwrap();
        let refused = log.append(reservation, data(7, 2, 0, 10), late);
        assert!(refused.is_err(), "a marker came between the coordinator's word and the batch");
    });
}
