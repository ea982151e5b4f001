//! Indexes: believed at a start as far as the sidecar states them, found out and made again when they lie.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, OperationKind, Simulation};
use storage::{Log, LogConfig, LogSpec, Offset, ReadLimit};

use crate::harness::{append, batch_at, config, open, read_all, spec, value};

/// Batches of one record each, ten milliseconds apart; every fifth is late.
const BATCHES: i64 = 40;

fn timestamp(offset: i64) -> i64 {
    if offset % 5 == 4 { 10 * offset - 35 } else { 10 * offset }
}

async fn fill(runtime: &Runtime) {
    let engine = open(runtime).await.unwrap();
    let log = engine.open_log(spec(0, true)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    for offset in 0..BATCHES {
        append(&engine, &log, batch_at(&[value(offset as u64, 9_000)], timestamp(offset))).await.unwrap();
    }
    engine.close().await.unwrap();
    assert!(segments(runtime).await.len() >= 3, "a look-up has several segments to choose from");
}

async fn segments(runtime: &Runtime) -> Vec<PathBuf> {
    let names = runtime.disk().list("data/topic0-0".as_ref()).await.unwrap();
    let mut logs: Vec<PathBuf> = names.iter().map(|name| Path::new("data/topic0-0").join(name)).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    logs
}

/// Every look-up by time gives the first record at or after it, whatever segment that is in.
async fn check_times(log: &Rc<Log>) {
    for wanted in -5..10 * BATCHES + 5 {
        let expected = (0..BATCHES).find(|offset| timestamp(*offset) >= wanted);
        let found = log.offset_for_timestamp(wanted, ReadLimit::HighWatermark).await.unwrap();
        assert_eq!(found.map(|found| found.offset.0), expected, "at {wanted}");
    }
    let latest = (0..BATCHES).max_by_key(|offset| timestamp(*offset));
    let found = log.offset_of_max_timestamp().await.unwrap();
    assert_eq!(found.map(|found| found.offset.0), latest);
}

/// What happened to a file while the node was stopped.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// A bit of this byte.
    Flipped(u64),
    Cut(u64),
    Removed,
}

async fn harm(runtime: &Runtime, path: &Path, harm: Harm) {
    match harm {
        Harm::Removed => runtime.disk().remove_file(path).await.unwrap(),
        Harm::Cut(bytes) => {
            let options = storage::runtime::OpenOptions { write: true, ..Default::default() };
            let file = runtime.disk().open(path, options).await.unwrap();
            runtime.disk().set_len(&file, bytes).await.unwrap();
        }
        Harm::Flipped(_) => {}
    }
}

/// Harms a file of each segment in turn; look-ups and reads are right all the same, and the file is whole again later.
fn check(extension: &'static str, what: Harm) {
    let simulation = Simulation::new(11);
    let runtime = simulation.runtime();
    simulation.run(async move { fill(&runtime).await });
    let mut simulation = simulation.crash(CrashPolicy::KeepAll);
    let runtime = simulation.runtime();
    let paths = simulation.run(async move { segments(&runtime).await });
    for path in paths.iter().map(|path| path.with_extension(extension)) {
        let runtime = simulation.runtime();
        if let Harm::Flipped(byte) = what {
            simulation.flip_bit(&path, byte, 1).unwrap();
        }
        simulation.run(async move {
            harm(&runtime, &path, what).await;
            let engine = open(&runtime).await.unwrap();
            let log = engine.open_log(spec(0, false)).await.unwrap();
            engine.finish_recovery().await.unwrap();
            check_times(&log).await;
            assert_eq!(read_all(&log, 0, 20_000).await.len() as i64, BATCHES);
            // What was found out on the way is made again by and by.
            runtime.sleep(Duration::from_secs(1)).await;
            check_times(&log).await;
            engine.close().await.unwrap();
            let findings = storage::check::check(&runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
            assert!(findings.is_empty(), "{extension} {what:?}: {findings:?}");
        });
        simulation = simulation.crash(CrashPolicy::LoseAll);
    }
}

#[test]
fn times_are_found_over_several_segments_whatever_happened_to_the_indexes() {
    for extension in ["index", "timeindex"] {
        check(extension, Harm::Removed);
        check(extension, Harm::Cut(4));
        for byte in [3, 7, 11, 15] {
            check(extension, Harm::Flipped(byte));
        }
    }
}

#[test]
fn a_damaged_sidecar_costs_a_start_that_reads_the_log_and_nothing_else() {
    check("checksums", Harm::Removed);
    check("checksums", Harm::Flipped(60));
}

/// Two partitions of `batches` of 100 kB; how many bytes of segments the next start reads.
fn bytes_read_at_start(batches: u64, policy: CrashPolicy) -> u64 {
    let large = |number, create| {
        let config = LogConfig { segment_bytes: 1 << 30, ..config() };
        LogSpec { config, ..spec(number, create) }
    };
    let simulation = Simulation::new(12);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let logs = [engine.open_log(large(0, true)).await.unwrap(), engine.open_log(large(1, true)).await.unwrap()];
        engine.finish_recovery().await.unwrap();
        for index in 0..batches {
            for log in &logs {
                append(&engine, log, batch_at(&[value(index, 100_000)], index as i64)).await.unwrap();
            }
        }
        runtime.sleep(Duration::from_secs(15)).await;
    });
    let simulation = simulation.crash(policy);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        for number in 0..2 {
            let log = engine.open_log(large(number, false)).await.unwrap();
            assert_eq!(log.log_end_offset(), Offset(batches as i64));
            let latest = log.offset_of_max_timestamp().await.unwrap().unwrap();
            assert_eq!(latest.offset.0, batches as i64 - 1);
        }
    });
    let reads = simulation.trace().into_iter().filter(|operation| operation.kind == OperationKind::Read);
    let of_segments = reads.filter(|operation| operation.path.extension().is_some_and(|name| name == "log"));
    of_segments.map(|operation| operation.length).sum()
}

#[test]
fn a_start_reads_the_end_of_a_segment_and_not_all_of_it() {
    for policy in [CrashPolicy::Killed, CrashPolicy::KeepAll, CrashPolicy::LoseAll] {
        let read = bytes_read_at_start(300, policy);
        assert!(read < 2 * (9 << 20), "{policy:?}: {read} bytes of 60 MB were read");
    }
}
