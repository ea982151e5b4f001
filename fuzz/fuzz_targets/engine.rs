//! A whole engine over files that were damaged: segments, sidecars, indexes, snapshots, marks, write-ahead log. A start
//! may refuse a partition or the directory, a read may be refused; nothing panics, nothing waits for ever, and what is
//! served is what was written, each record at its offset.
//!
//! Input: how the first life ends, then changes: which file, where in it (in 64ths of the file and bytes), what. A change
//! may also cut the file off or remove it.
#![no_main]

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::Uuid;
use protocol::records::{BatchBuilder, BatchHeader, Batches, Compression, NewRecord};
use storage::runtime::simulated::{CrashPolicy, Simulation};
use storage::runtime::{OpenOptions, Runtime};
use storage::{
    AppendOptions, Engine, EngineOptions, LeaderEpoch, Log, LogConfig, LogDirectory, LogId, LogSpec,
    Offset, ReadLimit, ReadOptions,
};

const DIRECTORY: Uuid = Uuid([1; 16]);
const LOG: LogId = LogId { topic_id: Uuid([2; 16]), partition: 0 };
const RECORDS: i64 = 40;
/// No start and no read of so little takes longer; anything else waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(300);

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 30_000,
        segment_ms: i64::MAX,
        retention_ms: -1,
        message_timestamp_after_max_ms: i64::MAX,
        ..LogConfig::default()
    }
}

/// What the record at an offset says.
fn value(offset: i64) -> Vec<u8> {
    offset.to_be_bytes().iter().cycle().take(1_000 + 137 * offset as usize).copied().collect()
}

fn batch(offset: i64) -> Bytes {
    let header =
        BatchHeader { producer_id: 5, producer_epoch: 0, base_sequence: offset as i32, ..BatchHeader::default() };
    let mut builder = BatchBuilder::new(header, Compression::None);
    let record = NewRecord { timestamp_ms: 1_000 + offset, key: None, value: Some(&value(offset)), headers: &[] };
    builder.append(record).expect("a batch takes a record");
    builder.build().expect("a batch of one record")
}

async fn open(runtime: &Runtime) -> Option<Engine> {
    let options = EngineOptions {
        core: 0,
        cores: 1,
        directories: vec![LogDirectory { id: DIRECTORY, path: PathBuf::from("data") }],
        wal_bytes_max: 8 * 64 * 1024,
        wal_file_bytes: 64 * 1024,
        tail_bytes_max: 16 << 20,
    };
    Engine::open(runtime.clone(), options).await.ok()
}

async fn open_log(engine: &Engine, create: bool) -> Option<Rc<Log>> {
    let spec = LogSpec { id: LOG, topic: "topic".to_owned(), directory: DIRECTORY, config: config(), create };
    engine.open_log(spec).await.ok()
}

async fn append(engine: &Engine, log: &Rc<Log>, offset: i64) -> Option<i64> {
    let batch = batch(offset);
    let reservation = engine.reserve(batch.len()).await.ok()?;
    let appended = log.append(reservation, batch, AppendOptions::client(LeaderEpoch(1), 9)).ok()?;
    appended.durable.await.ok()?;
    Some(appended.base_offset.0)
}

async fn first_life(runtime: Runtime, end: u8) {
    let disk = runtime.disk();
    disk.create_directory_all(Path::new("data")).await.expect("the disk has room");
    disk.sync_directory(Path::new("")).await.expect("the disk is sound");
    let engine = open(&runtime).await.expect("a new directory opens");
    let log = open_log(&engine, true).await.expect("a new log opens");
    engine.finish_recovery().await.expect("there is nothing to recover");
    for offset in 0..RECORDS {
        if end & 3 == 1 && offset == RECORDS / 2 {
            runtime.sleep(Duration::from_secs(12)).await;
        }
        assert_eq!(append(&engine, &log, offset).await, Some(offset));
    }
    match end & 3 {
        2 => runtime.sleep(Duration::from_secs(60)).await,
        3 => engine.close().await.expect("the disk is sound"),
        _ => {}
    }
}

/// Every file below a directory, in order of their names.
async fn files(runtime: &Runtime, directory: &Path, found: &mut Vec<PathBuf>) {
    let mut names = runtime.disk().list(directory).await.unwrap_or_default();
    names.sort();
    for name in names {
        let path = directory.join(name);
        if runtime.disk().list(&path).await.is_ok() {
            Box::pin(files(runtime, &path, found)).await;
        } else {
            found.push(path);
        }
    }
}

async fn cut(runtime: &Runtime, path: &Path, bytes: u64) {
    let options = OpenOptions { write: true, ..Default::default() };
    if let Ok(file) = runtime.disk().open(path, options).await {
        let _ = runtime.disk().set_len(&file, bytes).await;
    }
}

async fn damage(runtime: Runtime, simulation: &Simulation, changes: &[u8]) {
    let mut found = Vec::new();
    files(&runtime, Path::new("data"), &mut found).await;
    for change in changes.chunks_exact(4) {
        let path = &found[usize::from(change[0]) % found.len()];
        let length = runtime.disk().stat(path).await.map_or(0, |found| found.bytes);
        let at = length * u64::from(change[1] % 64) / 64 + u64::from(change[2]);
        match change[1] >> 6 {
            0 | 1 => drop(simulation.flip_bit(path, at, change[3])),
            2 => cut(&runtime, path, at.min(length)).await,
            _ if change[3] & 3 == 0 => drop(runtime.disk().remove_file(path).await),
            _ => (0..u64::from(change[3])).for_each(|more| drop(simulation.flip_bit(path, at + more, change[2]))),
        }
    }
}

/// What is served is what was written.
async fn read(log: &Rc<Log>) -> i64 {
    let (mut offset, mut served) = (log.log_start_offset().0, 0);
    while offset < log.high_watermark().0 {
        let limit = ReadLimit::HighWatermark;
        let read = log.read(ReadOptions { offset: Offset(offset), bytes_max: 20_000, at_least_one_batch: true, limit });
        let Ok(read) = read.await else {
            offset += 1;
            continue;
        };
        assert!(read.bytes > 0, "nothing is served at {offset}, below the high watermark, and no error");
        let bytes = read.records.concat();
        for batch in Batches::new(&bytes) {
            let batch = batch.expect("whole batches are served");
            batch.verify_crc().expect("what is served is sound");
            let body = batch.body(1 << 20).expect("it was built here");
            for record in batch.records(&body) {
                let record = record.expect("it was built here");
                assert_eq!(record.value, Some(&value(record.offset)[..]), "served at {}", record.offset);
                served += 1;
            }
            assert!(batch.header.last_offset() >= offset, "what is served is what was asked for");
            offset = batch.header.last_offset() + 1;
        }
    }
    served
}

/// `sound`: how many records there are if nothing was damaged.
async fn second_life(runtime: Runtime, sound: Option<i64>) {
    let engine = open(&runtime).await;
    assert!(engine.is_some() || sound.is_none());
    let Some(engine) = engine else { return };
    let log = open_log(&engine, false).await;
    assert!(log.is_some() || sound.is_none());
    let recovered = engine.finish_recovery().await.is_ok();
    assert!(recovered || sound.is_none());
    if let Some(log) = log.filter(|_| recovered) {
        let served = read(&log).await;
        assert!(sound.is_none_or(|records| served == records));
        for timestamp_ms in [0, 1_010, 1_000 + RECORDS] {
            let _ = log.offset_for_timestamp(timestamp_ms, ReadLimit::HighWatermark).await;
        }
        let end = log.log_end_offset().0;
        let appended = append(&engine, &log, end).await;
        assert!(appended.is_none_or(|offset| offset <= end) && (appended == Some(end) || sound.is_none()));
    }
    let _ = engine.close().await;
}

fuzz_target!(|data: &[u8]| {
    let [end, changes @ ..] = data else { return };
    let changes = &changes[..changes.len().min(32)];
    let simulation = Simulation::new(1);
    simulation.run(first_life(simulation.runtime(), *end));
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    simulation.run(damage(simulation.runtime(), &simulation, changes));
    // The damage is on the platter; then a start, and another over what that left.
    let mut simulation = simulation.crash(CrashPolicy::Killed);
    for lives in 0..2 {
        let runtime = simulation.runtime();
        let sound = (changes.len() < 4).then_some(RECORDS + lives);
        simulation.run(async move {
            let life = runtime.timeout(PATIENCE, second_life(runtime.clone(), sound)).await;
            assert!(life.is_some(), "something waits for ever");
        });
        simulation = simulation.crash(CrashPolicy::Killed);
    }
});
