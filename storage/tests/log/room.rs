//! The ring always has room for what frees it: whatever is appended, however small it is configured, no append waits for
//! ever.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Simulation};
use storage::{Engine, EngineOptions, Log, LogConfig, LogSpec};

use crate::harness::{DIRECTORY, batch_at, config, log_id, options, value};
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
