//! Idempotent producers over restarts: a retry is answered with the original's offset, a gap is refused.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::records::{BatchBuilder, BatchHeader, Compression, NewRecord};
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Simulation};
use storage::{AppendError, Engine, Log, LogSpec};

use crate::harness::{append, append_options, batch, config, open, spec, value};

/// A batch of one record of `bytes` with this sequence number.
pub fn numbered(producer_id: i64, base_sequence: i32, bytes: usize) -> Bytes {
    let header = BatchHeader { producer_id, producer_epoch: 0, base_sequence, ..BatchHeader::default() };
    let mut builder = BatchBuilder::new(header, Compression::None);
    let value = value(base_sequence as u64, bytes);
    builder
        .append(NewRecord { timestamp_ms: 1_767_225_600_000, key: None, value: Some(&value), headers: &[] })
        .unwrap();
    builder.build().unwrap()
}

pub async fn send(engine: &Engine, log: &Rc<Log>, batch: Bytes) -> Result<(i64, bool), AppendError> {
    let reservation = engine.reserve(batch.len()).await?;
    let appended = log.append(reservation, batch, append_options())?;
    appended.durable.await?;
    Ok((appended.base_offset.0, appended.duplicate))
}

/// How the first life ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// Everything is in the write-ahead log.
    Killed,
    /// Some is in segments, with the producers in the write-ahead log's entry.
    WrittenBack,
    /// The partition was quiet: its producers are in a file.
    Settled,
    Closed,
}

async fn first_life(runtime: Runtime, producers: i64, end: End) {
    let engine = open(&runtime).await.unwrap();
    let log = engine.open_log(producer_spec(true)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    for sequence in 0..8 {
        for producer_id in 0..producers {
            send(&engine, &log, numbered(producer_id, sequence, 3_000)).await.unwrap();
        }
    }
    match end {
        End::Killed => {}
        End::WrittenBack => {
            runtime.sleep(Duration::from_secs(12)).await;
            send(&engine, &log, numbered(0, 8, 100)).await.unwrap();
        }
        End::Settled => runtime.sleep(Duration::from_secs(60)).await,
        End::Closed => engine.close().await.unwrap(),
    }
}

fn producer_spec(create: bool) -> LogSpec {
    LogSpec { config: config(), ..spec(0, create) }
}

fn check(producers: i64, end: End, policy: CrashPolicy) {
    let mut simulation = Simulation::new(21);
    let runtime = simulation.runtime();
    simulation.run(first_life(runtime, producers, end));
    // A second start finds what the first one left as it was.
    for _ in 0..2 {
        simulation = simulation.crash(policy);
        let runtime = simulation.runtime();
        simulation.run(async move {
            let engine = open(&runtime).await.unwrap();
            let log = engine.open_log(producer_spec(false)).await.unwrap();
            engine.finish_recovery().await.unwrap();
            let before = log.log_end_offset();
            for producer_id in 0..producers {
                for sequence in 4..8 {
                    let sent = send(&engine, &log, numbered(producer_id, sequence, 3_000)).await.unwrap();
                    assert_eq!(sent, (i64::from(sequence) * producers + producer_id, true), "{end:?} {policy:?}");
                }
                let gap = send(&engine, &log, numbered(producer_id, 11, 100)).await;
                assert!(matches!(gap, Err(AppendError::OutOfOrderSequence(_))), "{end:?} {policy:?}: {gap:?}");
            }
            assert_eq!(log.log_end_offset(), before, "nothing was written twice");
        });
    }
    let simulation = simulation.crash(policy);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(producer_spec(false)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        let next = if end == End::WrittenBack { 9 } else { 8 };
        let expected = log.log_end_offset().0;
        assert_eq!(send(&engine, &log, numbered(0, next, 100)).await.unwrap(), (expected, false), "life goes on");
    });
}

#[test]
fn a_retry_after_a_restart_is_known_and_a_gap_is_refused() {
    for end in [End::Killed, End::WrittenBack, End::Settled, End::Closed] {
        check(2, end, CrashPolicy::Killed);
        check(2, end, CrashPolicy::LoseAll);
        // Too many for an entry of the write-ahead log.
        check(90, end, CrashPolicy::LoseAll);
    }
}

#[test]
fn only_the_newest_snapshots_are_kept() {
    let simulation = Simulation::new(22);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(producer_spec(true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        for round in 0..6 {
            send(&engine, &log, numbered(1, round, 300)).await.unwrap();
            append(&engine, &log, batch(&[value(1, 300)])).await.unwrap();
            runtime.sleep(Duration::from_secs(60)).await;
        }
        let names = runtime.disk().list("data/topic0-0".as_ref()).await.unwrap();
        let mut snapshots: Vec<_> = names.iter().filter(|name| name.ends_with(".snapshot")).collect();
        snapshots.sort();
        assert_eq!(snapshots, ["00000000000000000010.snapshot", "00000000000000000012.snapshot"]);
    });
}
