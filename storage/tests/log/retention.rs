//! What is old, too much or deleted goes, and frees a full disk at once.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use storage::runtime::Runtime;
use storage::runtime::simulated::Simulation;
use storage::{AppendError, Engine, Log, LogConfig, LogSpec, Offset, StorageError};

use crate::harness::{append, batch_at, config, open, read_all, spec, value};

/// When the simulated wall clock starts.
const START_MS: i64 = 1_767_225_600_000;

async fn start(runtime: &Runtime, config: LogConfig) -> (Engine, Rc<Log>) {
    let engine = open(runtime).await.unwrap();
    let log = engine.open_log(LogSpec { config, ..spec(0, true) }).await.unwrap();
    engine.set_retention_interval(Duration::from_secs(5));
    engine.finish_recovery().await.unwrap();
    (engine, log)
}

async fn files(runtime: &Runtime, ending: &str) -> usize {
    let names = runtime.disk().list("data/topic0-0".as_ref()).await.unwrap();
    names.iter().filter(|name| name.ends_with(ending)).count()
}

/// Forty batches of 9 kB, a second apart, in segments of twelve; then `seconds` pass.
fn check(config: LogConfig, seconds: u64, expected: i64) {
    let simulation = Simulation::new(31);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let (engine, log) = start(&runtime, config.clone()).await;
        for index in 0..40 {
            let batch = batch_at(&[value(index, 9_000)], START_MS + 1_000 * index as i64);
            append(&engine, &log, batch).await.unwrap();
            runtime.sleep(Duration::from_secs(1)).await;
        }
        runtime.sleep(Duration::from_secs(seconds)).await;
        assert_eq!(log.log_start_offset().0, expected, "{config:?}");
        assert_eq!(read_all(&log, expected, 50_000).await.len() as i64, 40 - expected);
        assert_eq!(files(&runtime, ".deleted").await == 0, config.file_delete_delay_ms < 1_000 || expected == 0);
        engine.close().await.unwrap();
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(LogSpec { config, ..spec(0, false) }).await.unwrap();
        assert_eq!(log.log_start_offset().0, expected, "after a restart");
        assert_eq!(files(&runtime, ".deleted").await, 0);
    });
}

#[test]
fn old_and_superfluous_segments_are_removed() {
    check(config(), 22, 0);
    // Two of four segments are older than this when retention last looks.
    check(LogConfig { retention_ms: 35_000, file_delete_delay_ms: 100, ..config() }, 22, 24);
    check(LogConfig { retention_ms: 10_000, file_delete_delay_ms: 100, ..config() }, 62, 40);
    check(LogConfig { retention_bytes: 250_000, ..config() }, 22, 12);
    check(LogConfig { retention_bytes: 250_000, cleanup_delete: false, ..config() }, 22, 0);
}

/// Fills the disk, then frees it by `free`; appends are taken again soon, however long a removed file would stay.
fn check_full<F: Future<Output = ()>>(retention_bytes: i64, free: impl FnOnce(Rc<Log>) -> F + 'static) {
    let simulation = Simulation::new(32);
    let runtime = simulation.runtime();
    simulation.set_capacity_bytes(Some(1_200 << 10));
    simulation.run(async move {
        let config = LogConfig { file_delete_delay_ms: 3_600_000, ..config() };
        let (engine, log) = start(&runtime, config.clone()).await;
        let (mut sent, mut refusals) = (0, 0);
        while refusals < 5 {
            match append(&engine, &log, batch_at(&[value(sent, 9_000)], START_MS)).await {
                Ok(_) => (sent, refusals) = (sent + 1, 0),
                Err(AppendError::Storage(StorageError::Full { .. })) => {
                    refusals += 1;
                    runtime.sleep(Duration::from_secs(3)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        log.set_config(LogConfig { retention_bytes, ..config });
        free(log.clone()).await;
        runtime.sleep(Duration::from_secs(10)).await;
        append(&engine, &log, batch_at(&[value(sent, 9_000)], START_MS)).await.unwrap();
        let start = log.log_start_offset().0;
        assert!(start > 0);
        assert_eq!(read_all(&log, start, 50_000).await.len() as i64, sent as i64 + 1 - start);
    });
}

#[test]
fn a_full_disk_is_freed_by_deleting_records_and_by_retention() {
    check_full(-1, |log| async move {
        let before = Offset(log.high_watermark().0 / 2);
        log.delete_records(before).await.unwrap();
    });
    check_full(250_000, |_| std::future::ready(()));
}

/// Deletes that come faster than the start is written down: one that found its file taken away by another once closed the
/// whole log directory.
#[test]
fn the_start_moves_while_it_is_written_down() {
    for seed in 0..8 {
        let simulation = Simulation::new(seed);
        let runtime = simulation.runtime();
        simulation.run(async move {
            let (engine, log) = start(&runtime, config()).await;
            for index in 0..200 {
                append(&engine, &log, batch_at(&[value(index, 100)], START_MS)).await.unwrap();
            }
            let deletes = (1..200).map(|offset| {
                let (runtime, log) = (runtime.clone(), log.clone());
                async move {
                    runtime.sleep(Duration::from_micros(300 * offset)).await;
                    assert!(log.delete_records(Offset(offset as i64)).await.is_ok(), "seed {seed}, offset {offset}");
                }
            });
            join_all(deletes).await;
            engine.close().await.unwrap();
            let engine = open(&runtime).await.unwrap();
            let log = engine.open_log(LogSpec { config: config(), ..spec(0, false) }).await.unwrap();
            assert_eq!(log.log_start_offset().0, 199, "seed {seed}, after a restart");
        });
    }
}
