//! The ring always has room for what frees it: whatever is appended, however small it is configured, no append waits for
//! ever.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Fault, FaultEffect, OperationKind, Simulation};
use storage::{Engine, EngineOptions, Log, LogConfig, LogSpec, Offset, StorageError};

use crate::harness::{DIRECTORY, append, batch_at, config, log_id, options, read_all, value};
use crate::producers::{numbered, send};

/// What is appended.
#[derive(Debug, Clone, Copy)]
struct Load {
    logs: u8,
    /// Of each log; none: batches of nobody.
    producers: i64,
    /// A batch of each producer (or of nobody) to each log, so often.
    rounds: i32,
    batch_bytes: usize,
    segment_bytes: u64,
    /// A new segment for every millisecond that a record is younger.
    segment_ms: i64,
}

const LOAD: Load =
    Load { logs: 1, producers: 0, rounds: 40, batch_bytes: 3_000, segment_bytes: 110_000, segment_ms: 1 << 40 };

async fn open(runtime: &Runtime) -> Engine {
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    runtime.disk().sync_directory("".as_ref()).await.unwrap();
    Engine::open(runtime.clone(), EngineOptions { wal_bytes_max: 4 * 64 * 1024, ..options() }).await.unwrap()
}

async fn open_logs(engine: &Engine, load: Load, create: bool) -> Vec<Rc<Log>> {
    let mut logs = Vec::new();
    for number in 0..load.logs {
        let config = LogConfig { segment_bytes: load.segment_bytes, segment_ms: load.segment_ms, ..config() };
        let (id, topic) = (log_id(number), format!("topic{number}"));
        logs.push(engine.open_log(LogSpec { id, topic, directory: DIRECTORY, config, create }).await.unwrap());
    }
    engine.finish_recovery().await.unwrap();
    logs
}

/// Each log's client sends its batches one after the other.
async fn client(engine: &Engine, log: &Rc<Log>, load: Load) {
    for round in 0..load.rounds {
        for producer_id in 0..load.producers {
            send(engine, log, numbered(producer_id, round, load.batch_bytes)).await.unwrap();
        }
        if load.producers == 0 {
            let batch = batch_at(&[value(1, load.batch_bytes)], 1_000 + 10 * i64::from(round));
            send(engine, log, batch).await.unwrap();
        }
    }
}

fn check(load: Load) {
    let simulation = Simulation::new(31);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await;
        let logs = open_logs(&engine, load, true).await;
        let clients = join_all(logs.iter().map(|log| client(&engine, log, load)));
        let done = runtime.timeout(Duration::from_secs(600), clients).await;
        assert!(done.is_some(), "an append waits for ever: {load:?}");
    });
    // Nor does one after a power cut with whatever was in the ring.
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await;
        let logs = open_logs(&engine, load, false).await;
        let load = Load { producers: 0, rounds: 20, ..load };
        let clients = join_all(logs.iter().map(|log| client(&engine, log, load)));
        let done = runtime.timeout(Duration::from_secs(600), clients).await;
        assert!(done.is_some(), "an append waits for ever after the power cut: {load:?}");
    });
}

#[test]
fn no_append_waits_for_ever() {
    for load in [
        // The entry that says how far a log is written back is as large as many batches.
        Load { producers: 90, rounds: 8, ..LOAD },
        Load { producers: 15, rounds: 12, logs: 3, ..LOAD },
        // All logs' entries together are larger than the configured ring.
        Load { logs: 200, rounds: 12, ..LOAD },
        Load { logs: 60, producers: 20, rounds: 6, batch_bytes: 300, ..LOAD },
        // A segment a batch: more is written to end them than they hold.
        Load { segment_ms: 1, batch_bytes: 100, rounds: 400, ..LOAD },
        Load { segment_bytes: 3_500, producers: 60, rounds: 8, ..LOAD },
        // A batch larger than the configured ring.
        Load { batch_bytes: 600_000, segment_bytes: 2_000_000, rounds: 5, ..LOAD },
        Load { batch_bytes: 100_000, segment_bytes: 2_000_000, logs: 5, rounds: 10, ..LOAD },
    ] {
        check(load);
    }
}

const RECORDS: i64 = 200;

/// All records but one are deleted, one after the other, while `fault` keeps write-back from putting the log start into a
/// file; then a whole log. Answers how many deletions were refused.
async fn delete_one_by_one(simulation: &Simulation, fault: Fault) -> usize {
    let runtime = simulation.runtime();
    let engine = open(&runtime).await;
    let logs = open_logs(&engine, Load { logs: 2, ..LOAD }, true).await;
    for number in 0..RECORDS {
        append(&engine, &logs[0], batch_at(&[value(number as u64, 100)], 1_000)).await.unwrap();
    }
    simulation.inject(fault);
    let mut refused = 0;
    for offset in 1..RECORDS {
        match runtime.timeout(Duration::from_secs(60), logs[0].delete_records(Offset(offset))).await {
            Some(Ok(start)) => assert_eq!(start.0, offset),
            Some(Err(storage::log::ReadError::Storage(StorageError::Full { .. }))) => refused += 1,
            other => panic!("deleting up to {offset}: {other:?}"),
        }
    }
    let deletion = engine.delete_log(log_id(1));
    let later = async {
        runtime.sleep(Duration::from_secs(20)).await;
        simulation.clear_faults();
    };
    let (deleted, ()) = futures_util::future::join(runtime.timeout(Duration::from_secs(120), deletion), later).await;
    deleted.expect("a log's deletion waits for ever").unwrap();
    // Nobody has to be deleted from any more, and what was refused can be said again.
    runtime.sleep(Duration::from_secs(10)).await;
    assert_eq!(logs[0].delete_records(Offset(RECORDS - 1)).await.unwrap().0, RECORDS - 1);
    append(&engine, &logs[0], batch_at(&[value(RECORDS as u64, 100)], 1_000)).await.unwrap();
    assert_eq!(read_all(&logs[0], RECORDS - 1, 20_000).await.len(), 2);
    refused
}

fn on_start_file(effect: FaultEffect) -> Fault {
    let is_start = |path: &Path| path.to_string_lossy().contains("log-start-offset");
    Fault::new(&[OperationKind::Write], effect).on_path(is_start).times(u64::MAX)
}

#[test]
fn deletions_wait_for_the_ring_while_write_back_is_slow() {
    let simulation = Simulation::new(33);
    let slow = on_start_file(FaultEffect::Delay(Duration::from_secs(5)));
    assert_eq!(simulation.run(async { delete_one_by_one(&simulation, slow).await }), 0);
}

#[test]
fn deletions_are_refused_where_a_full_disk_leaves_no_room() {
    let simulation = Simulation::new(34);
    let full = on_start_file(FaultEffect::NoSpace);
    let refused = simulation.run(async { delete_one_by_one(&simulation, full).await });
    assert!((1..RECORDS as usize - 10).contains(&refused), "{refused} refused");
}
