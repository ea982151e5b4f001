//! I/O errors, a full disk, and damage.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use storage::log::ReadError;
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Fault, FaultEffect, OperationKind, Simulation};
use storage::{AppendError, Engine, Log, StorageError};

use crate::harness::{append, append_options, batch, log_id, open, read_all, read_at, spec, value};

fn is_wal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wal")
}

/// The first failed write or sync closes the directory for good: this append and all later ones fail, readers go on.
fn check_failure(kind: OperationKind, wal: bool) {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    let fault = Fault::new(&[kind], FaultEffect::Error).on_path(move |path| is_wal(path) == wal).times(1);
    let failures = Rc::new(RefCell::new(Vec::new()));
    let seen = failures.clone();
    simulation.run(async {
        let engine = open(&runtime).await.unwrap();
        engine.on_failure(move |directory, _| seen.borrow_mut().push(directory.to_owned()));
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        append(&engine, &log, batch(&[value(0, 9_000)])).await.unwrap();
        simulation.inject(fault);
        let mut acknowledged = 1;
        while append(&engine, &log, batch(&[value(acknowledged, 9_000)])).await.is_ok() {
            acknowledged += 1;
            runtime.sleep(Duration::from_millis(500)).await;
            assert!(acknowledged < 1_000, "{kind:?} was never met");
        }
        let again = append(&engine, &log, batch(&[value(0, 100)])).await;
        assert!(matches!(again, Err(AppendError::Storage(StorageError::DirectoryFailed { .. }))), "{again:?}");
        assert_eq!(log.high_watermark().0, acknowledged as i64);
        assert_eq!(read_all(&log, 0, 20_000).await.len() as u64, acknowledged);
        assert!(engine.close().await.is_err());
    });
    assert_eq!(failures.borrow().len(), 1, "told once");
}

#[test]
fn the_first_failed_write_or_sync_closes_the_directory() {
    check_failure(OperationKind::Write, true);
    check_failure(OperationKind::Write, false);
    check_failure(OperationKind::SyncData, false);
}

/// Were files removed before the deletion is durable, a power cut in between would leave half of the partition.
#[test]
fn a_deletion_that_cannot_be_written_down_removes_nothing() {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    let fault = Fault::new(&[OperationKind::Write], FaultEffect::Error).on_path(is_wal).times(1);
    simulation.run(async {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        append(&engine, &log, batch(&[value(0, 9_000)])).await.unwrap();
        // The watermark is written by now: the next write is the deletion's.
        runtime.sleep(Duration::from_secs(1)).await;
        simulation.inject(fault);
        let deleted = engine.delete_log(log_id(0)).await;
        assert!(matches!(deleted, Err(StorageError::DirectoryFailed { .. })), "{deleted:?}");
        assert!(runtime.disk().stat("data/topic0-0/partition.metadata".as_ref()).await.is_ok());
    });
}

#[test]
fn a_full_disk_refuses_appends_at_once_and_recovers_by_itself() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        append(&engine, &log, batch(&[value(0, 9_000)])).await.unwrap();
        // Segments find no space; the ring has its own.
        simulation.inject(
            Fault::new(&[OperationKind::Write], FaultEffect::NoSpace).on_path(|path| !is_wal(path)).times(u64::MAX),
        );
        let mut sent = 1;
        let refused = loop {
            match append(&engine, &log, batch(&[value(sent, 9_000)])).await {
                Ok(_) => sent += 1,
                Err(error) => break error,
            }
            runtime.sleep(Duration::from_millis(20)).await;
        };
        assert!(matches!(refused, AppendError::Storage(StorageError::Full { .. })), "{refused}");
        assert_eq!(read_all(&log, 0, 20_000).await.len() as u64, sent);
        assert_eq!(log.delete_records(storage::Offset(2)).await.unwrap().0, 2, "deletes go on");
        simulation.clear_faults();
        runtime.sleep(Duration::from_secs(30)).await;
        assert_eq!(append(&engine, &log, batch(&[value(sent, 9_000)])).await.unwrap(), sent as i64);
        assert_eq!(read_all(&log, 2, 20_000).await.len() as u64, sent - 1);
    });
}

/// Fills a disk of `capacity_bytes`: appends are refused at once, reads go on, a deletion is written down in spare room
/// and makes space, writes resume by themselves, and nothing that was acknowledged is lost.
fn check_full_disk(capacity_bytes: u64) {
    let simulation = Simulation::new(6);
    let runtime = simulation.runtime();
    simulation.set_capacity_bytes(Some(capacity_bytes));
    let kept = simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let kept = engine.open_log(spec(0, true)).await.unwrap();
        let filler = engine.open_log(spec(1, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        let mut sent = 0;
        while fill(&runtime, &engine, &kept, &mut sent, 2).await | fill(&runtime, &engine, &filler, &mut 0, 50).await {}

        let started = runtime.now();
        let refused = append(&engine, &kept, batch(&[value(sent, 9_000)])).await;
        assert!(matches!(refused, Err(AppendError::Storage(StorageError::Full { .. }))), "{refused:?}");
        assert!(runtime.now().since(started) < Duration::from_millis(10), "refused at once");
        assert_eq!(read_all(&kept, 0, 20_000).await.len() as u64, sent, "reads go on");

        let spare = batch(&[value(sent, 100)]);
        let reservation = engine.reserve_spare(spare.len()).await.unwrap();
        let appended = kept.append(reservation, spare, append_options()).unwrap();
        appended.durable.await.unwrap();
        sent += 1;
        engine.delete_log(log_id(1)).await.unwrap();
        runtime.sleep(Duration::from_secs(5)).await;
        append(&engine, &kept, batch(&[value(sent, 9_000)])).await.unwrap();
        sent + 1
    });
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, false)).await.unwrap();
        assert!(engine.finish_recovery().await.unwrap().quarantined.is_empty(), "what was deleted stays so");
        let records = read_all(&log, 0, 20_000).await;
        assert_eq!(records.len() as u64, kept);
        for (offset, content) in records {
            assert_eq!(content, value(offset as u64, content.len()));
        }
    });
}

/// Appends up to `batches_max` batches; whether any of them was taken. A refusal counts once it lasts.
async fn fill(runtime: &Runtime, engine: &Engine, log: &Rc<Log>, sent: &mut u64, batches_max: u64) -> bool {
    let before = *sent;
    let mut refusals = 0;
    while refusals < 5 && *sent < before + batches_max {
        match append(engine, log, batch(&[value(*sent, 9_000)])).await {
            Ok(_) => *sent += 1,
            Err(AppendError::Storage(StorageError::Full { .. })) => {
                refusals += 1;
                runtime.sleep(Duration::from_secs(3)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    *sent > before
}

#[test]
fn a_full_disk_is_freed_by_deleting_a_log() {
    // Room for the whole ring; for half of it; for two of its files.
    for capacity_bytes in [1 << 20, 300 << 10, 160 << 10] {
        check_full_disk(capacity_bytes);
    }
}

/// Flips one bit of a stopped node, then starts it.
fn check_damage(stop: Stop, path: &'static str, byte: u64, refused: bool) {
    let simulation = Simulation::new(5);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        for index in 0..5 {
            append(&engine, &log, batch(&[value(index, 9_000)])).await.unwrap();
        }
        if stop == Stop::Closed {
            engine.close().await.unwrap();
        }
        runtime.sleep(Duration::from_secs(1)).await;
    });
    let simulation = simulation.crash(CrashPolicy::KeepAll);
    simulation.flip_bit(path.as_ref(), byte, 3).unwrap();
    let runtime = simulation.runtime();
    simulation.run(async move {
        let findings = storage::check::check(&runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
        assert!(findings.iter().any(|finding| finding.file == Path::new(path)), "{findings:?}");
        let opened = open(&runtime).await;
        if let Err(error) = &opened {
            let named = matches!(error, StorageError::Corrupt { file, .. } if file == path);
            assert!(refused && named, "{error}");
            return;
        }
        assert!(!refused, "byte {byte} of {path} is damaged and nobody says so");
        let engine = opened.unwrap();
        let log = engine.open_log(spec(0, false)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        let read = read_at(&log, 1).await;
        assert!(matches!(&read, Err(ReadError::Storage(StorageError::Corrupt { file, .. })) if file == path));
        assert!(read_at(&log, 4).await.is_ok(), "the rest is served");
    });
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    Killed,
    Closed,
}

#[test]
fn damage_is_reported_and_never_served_nor_cut() {
    // Below the durable watermark of the write-ahead log: header, payload, and a commit in the middle.
    for byte in [0, 100, 5_000, 3 * 12_288 + 100] {
        check_damage(Stop::Killed, "data/wal/0/00000.wal", byte, true);
    }
    // In the second batch of a segment.
    check_damage(Stop::Closed, "data/topic0-0/00000000000000000000.log", 12_000, false);
    // Its base offset, which no checksum of the batch covers: once it read as one beyond the high watermark, and a reader
    // was told, again and again, that there is nothing yet.
    let second = batch(&[value(0, 9_000)]).len() as u64;
    check_damage(Stop::Closed, "data/topic0-0/00000000000000000000.log", second, false);
    check_damage(Stop::Closed, "data/topic0-0/00000000000000000000.log", second + 7, false);
}
