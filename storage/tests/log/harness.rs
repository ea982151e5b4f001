//! Engines on simulated machines, and batches for them.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::{BatchBuilder, BatchHeader, Batches, Compression, NewRecord};
use storage::runtime::Runtime;
use storage::{
    AppendOptions, Engine, EngineOptions, LeaderEpoch, Log, LogConfig, LogDirectory, LogId, LogSpec, Offset, ReadLimit,
    ReadOptions, StorageError,
};

pub const DIRECTORY: Uuid = Uuid([1; 16]);

/// An engine small enough to wrap its ring and to roll its segments within a test.
pub fn options() -> EngineOptions {
    EngineOptions {
        core: 0,
        cores: 1,
        directories: vec![LogDirectory { id: DIRECTORY, path: PathBuf::from("data") }],
        wal_bytes_max: 8 * 64 * 1024,
        wal_file_bytes: 64 * 1024,
        tail_bytes_max: 16 << 20,
    }
}

pub fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 110_000,
        retention_ms: -1,
        max_message_bytes: 1 << 20,
        message_timestamp_after_max_ms: i64::MAX,
        ..LogConfig::default()
    }
}

pub fn log_id(number: u8) -> LogId {
    LogId { topic_id: Uuid([number; 16]), partition: i32::from(number) }
}

pub fn spec(number: u8, create: bool) -> LogSpec {
    LogSpec { id: log_id(number), topic: format!("topic{number}"), directory: DIRECTORY, config: config(), create }
}

pub async fn open(runtime: &Runtime) -> Result<Engine, StorageError> {
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    runtime.disk().sync_directory("".as_ref()).await.unwrap();
    Engine::open(runtime.clone(), options()).await
}

/// A batch of `values`, one record each.
pub fn batch(values: &[Vec<u8>]) -> Bytes {
    batch_at(values, 1_000)
}

/// A batch whose records are one millisecond apart.
pub fn batch_at(values: &[Vec<u8>], timestamp_ms: i64) -> Bytes {
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for (index, value) in values.iter().enumerate() {
        let timestamp_ms = timestamp_ms + index as i64;
        builder.append(NewRecord { timestamp_ms, key: None, value: Some(value), headers: &[] }).unwrap();
    }
    builder.build().unwrap()
}

/// A value that says what it is and how long it is.
pub fn value(number: u64, bytes: usize) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.extend((8..bytes).map(|index| (index as u64 * 31 + number) as u8));
    value
}

pub fn append_options() -> AppendOptions {
    AppendOptions::client(LeaderEpoch(3), 9)
}

/// Appends and waits until the batch is durable; the offset of the first record.
pub async fn append(engine: &Engine, log: &Rc<Log>, batch: Bytes) -> Result<i64, storage::AppendError> {
    let reservation = engine.reserve(batch.len()).await?;
    let appended = log.append(reservation, batch, append_options())?;
    appended.durable.await?;
    Ok(appended.base_offset.0)
}

/// Every record from `from` to the high watermark: offset and value. Reads `bytes_max` at a time.
pub async fn read_all(log: &Rc<Log>, from: i64, bytes_max: usize) -> Vec<(i64, Vec<u8>)> {
    let mut records = Vec::new();
    let mut offset = from;
    while offset < log.high_watermark().0 {
        let options = ReadOptions {
            offset: Offset(offset),
            bytes_max,
            at_least_one_batch: true,
            limit: ReadLimit::HighWatermark,
        };
        let read = log.read(options).await.unwrap();
        assert!(read.bytes > 0, "nothing to read at {offset} below the high watermark");
        let bytes = read.records.concat();
        assert_eq!(bytes.len(), read.bytes);
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            assert!(batch.header.base_offset <= offset, "a gap before {}", batch.header.base_offset);
            let body = batch.body(1 << 20).unwrap();
            for record in batch.records(&body) {
                let record = record.unwrap();
                if record.offset >= offset {
                    records.push((record.offset, record.value.unwrap().to_vec()));
                }
            }
            offset = batch.header.last_offset() + 1;
        }
    }
    records
}

/// The batch that holds `offset`, with its own bound.
pub async fn read_at(log: &Rc<Log>, offset: i64) -> Result<Bytes, storage::log::ReadError> {
    let limit = ReadLimit::HighWatermark;
    let options = ReadOptions { offset: Offset(offset), bytes_max: 1, at_least_one_batch: true, limit };
    log.read(options).await.map(|read| read.records.concat().into())
}
