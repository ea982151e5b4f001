//! The metadata log: an ordinary log of the first log directory, owned by core 0, that only this file appends to.
//!
//! A change is decided on the image in force, appended, waited for until it is on disk, published to all cores, and only
//! then answered. Changes pass one at a time. Once the log has grown by `snapshot_bytes` the image is written out as a
//! snapshot in the same log and everything before it is deleted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::Uuid;
use protocol::records::BatchError;
use storage::log::{LogConfig, ReadError};
use storage::runtime::{LocalFuture, Runtime};
use storage::{
    AppendError, AppendOptions, Engine, LeaderEpoch, Log, LogId, LogSpec, Offset, ReadLimit, ReadOptions, StorageError,
};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::metadata::image::{ApplyError, MetadataImage};
use crate::metadata::record::MetadataRecord;
use crate::metadata::replay::{BATCH_BYTES_MAX, Replay, ReplayError, encode_batch, encode_snapshot};

/// Name of the metadata log's topic; clients cannot create it.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Its id, which no other topic gets (Uuid.METADATA_TOPIC_ID).
pub const METADATA_TOPIC_ID: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// The metadata log.
pub const METADATA_LOG_ID: LogId = LogId { topic_id: METADATA_TOPIC_ID, partition: 0 };

const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
const READ_BYTES: usize = 1024 * 1024;

/// Why metadata cannot be read or changed.
#[derive(Debug, Clone, Error)]
pub enum MetadataError {
    /// The disk. The metadata's directory failing ends the process.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What is in the log makes no sense.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The log does not take the batch.
    #[error("metadata cannot be appended: {0}")]
    Append(#[from] AppendError),
    /// The change is too large for one batch.
    #[error("the change is too large: {0}")]
    TooLarge(#[from] BatchError),
    /// The decision produced records that do not fit the image: a bug of ours, and nothing was written.
    #[error("the change does not fit the metadata: {0}")]
    Misfit(#[from] ApplyError),
    /// The log's own bounds moved under the reader.
    #[error("the metadata log cannot be read: {0}")]
    Read(#[from] ReadError),
    /// A change was written and could not be put in force; the process must end and recover it from the log.
    #[error("metadata is closed after a failed change")]
    Closed,
}

/// Puts an image in force on all cores: opens and deletes logs, then lets requests see it. Gets the old and the new one.
pub type Publish = Box<dyn Fn(Arc<MetadataImage>, Arc<MetadataImage>) -> LocalFuture<Result<(), StorageError>>>;

/// How to open the metadata log. `create` on the first start of a directory only.
pub fn metadata_log_spec(directory: Uuid, create: bool) -> LogSpec {
    LogSpec { id: METADATA_LOG_ID, topic: METADATA_TOPIC.to_owned(), directory, config: log_config(), create }
}

/// Kept for ever, save for what a snapshot replaces, and always durable: whatever the broker's settings say.
fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: SEGMENT_BYTES,
        segment_ms: i64::MAX,
        retention_ms: -1,
        retention_bytes: -1,
        cleanup_delete: false,
        max_message_bytes: BATCH_BYTES_MAX,
        ..LogConfig::default()
    }
}

/// Whether a change is made on a full disk, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// It waits for space or is refused.
    Ordinary,
    /// Deleting a topic frees space, and so may a config of retention.
    FreesSpace,
}

fn urgency_of(records: &[MetadataRecord]) -> Urgency {
    let frees = |record: &MetadataRecord| {
        matches!(record, MetadataRecord::TopicDeleted { .. } | MetadataRecord::ConfigChanged { .. })
    };
    if records.iter().all(frees) { Urgency::FreesSpace } else { Urgency::Ordinary }
}

/// The metadata log on core 0.
pub struct MetadataLog {
    runtime: Runtime,
    engine: Engine,
    log: Rc<Log>,
    snapshot_bytes: u64,
    /// Bytes appended since the last snapshot.
    grown_bytes: Cell<u64>,
    /// Whether a snapshot must come before the next change.
    needs_snapshot: Cell<bool>,
    image: RefCell<Arc<MetadataImage>>,
    turn: Mutex<()>,
    failed: Cell<bool>,
    publish: RefCell<Option<Publish>>,
}

impl MetadataLog {
    /// Reads the whole log. `snapshot_bytes` is `metadata.log.max.record.bytes.between.snapshots`.
    pub async fn load(
        runtime: Runtime,
        engine: Engine,
        log: Rc<Log>,
        snapshot_bytes: u64,
    ) -> Result<MetadataLog, MetadataError> {
        let mut replay = Replay::default();
        replay.start_at(log.log_start_offset());
        let mut grown_bytes = 0;
        while replay.next_offset() < log.log_end_offset() {
            let bytes = read_some(&log, replay.next_offset()).await?;
            grown_bytes += bytes.len() as u64;
            replay.read(&bytes)?;
        }
        let (image, unfinished) = replay.finish();
        Ok(MetadataLog {
            runtime,
            engine,
            log,
            snapshot_bytes,
            grown_bytes: Cell::new(grown_bytes),
            needs_snapshot: Cell::new(unfinished),
            image: RefCell::new(Arc::new(image)),
            turn: Mutex::new(()),
            failed: Cell::new(false),
            publish: RefCell::new(None),
        })
    }

    /// The image after the last change.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.borrow().clone()
    }

    /// From now on changes are published by `publish`; until then (while the node starts) nobody needs to know.
    pub fn publish_with(&self, publish: Publish) {
        *self.publish.borrow_mut() = Some(publish);
    }

    /// Decides on the image in force and makes the records durable and visible. Returns the decision's other half once
    /// they are; a decision without records returns at once.
    pub async fn change<T>(
        &self,
        decide: impl FnOnce(&MetadataImage) -> (Vec<MetadataRecord>, T),
    ) -> Result<T, MetadataError> {
        let _turn = self.turn.lock().await;
        if self.failed.get() {
            return Err(MetadataError::Closed);
        }
        let old = self.image();
        let (records, answer) = decide(&old);
        if records.is_empty() {
            return Ok(answer);
        }
        let mut image = (*old).clone();
        records.iter().try_for_each(|record| image.apply(record))?;
        let batch = encode_batch(&records, self.runtime.wall_clock_ms())?;
        let urgency = urgency_of(&records);
        // A snapshot that can wait does not take the room that a deletion needs.
        let snapshot_due = self.grown_bytes.get() > self.snapshot_bytes;
        if self.needs_snapshot.get() || (snapshot_due && !(urgency == Urgency::FreesSpace && self.log.is_full())) {
            self.write_snapshot(&old, urgency).await?;
        }
        image.next_offset = self.append(batch, urgency).await?;
        self.put_in_force(old, Arc::new(image)).await?;
        Ok(answer)
    }

    async fn put_in_force(&self, old: Arc<MetadataImage>, new: Arc<MetadataImage>) -> Result<(), MetadataError> {
        *self.image.borrow_mut() = new.clone();
        let published = self.publish.borrow().as_ref().map(|publish| publish(old, new));
        if let Some(published) = published {
            // The log has the change, the cores may not: going on would answer from two truths.
            published.await.inspect_err(|_| self.failed.set(true))?;
        }
        Ok(())
    }

    /// Appends one batch and waits until it is durable; returns the offset after it.
    async fn append(&self, batch: Bytes, urgency: Urgency) -> Result<Offset, MetadataError> {
        let bytes = batch.len();
        let reservation = match urgency {
            Urgency::Ordinary => self.engine.reserve(bytes).await?,
            Urgency::FreesSpace => self.engine.reserve_spare(bytes).await?,
        };
        let appended = self.log.append(reservation, batch, AppendOptions::coordinator(LeaderEpoch(0)))?;
        appended.durable.await.inspect_err(|_| self.failed.set(true))?;
        self.grown_bytes.set(self.grown_bytes.get() + bytes as u64);
        Ok(appended.last_offset.plus(1))
    }

    /// Writes `image` out and deletes what came before. A crash in between leaves an unfinished snapshot, which a start
    /// leaves aside, or a finished one behind records it repeats.
    async fn write_snapshot(&self, image: &MetadataImage, urgency: Urgency) -> Result<(), MetadataError> {
        // Until the last batch is there the next change must begin anew with a snapshot: a reader that has seen
        // SnapshotBegin takes every record up to SnapshotEnd for a part of it.
        self.needs_snapshot.set(true);
        let begin = self.log.log_end_offset();
        for batch in encode_snapshot(image, self.runtime.wall_clock_ms())? {
            self.append(batch, urgency).await?;
        }
        self.needs_snapshot.set(false);
        self.grown_bytes.set(0);
        self.log.delete_records(begin).await?;
        Ok(())
    }
}

/// At least one batch at `offset`, in one piece.
async fn read_some(log: &Log, offset: Offset) -> Result<Bytes, MetadataError> {
    let options = ReadOptions { offset, bytes_max: READ_BYTES, at_least_one_batch: true, limit: ReadLimit::LogEnd };
    let read = log.read(options).await?;
    if read.bytes == 0 {
        let reason = "the log ends before its end offset".to_owned();
        let file = METADATA_TOPIC.to_owned();
        return Err(StorageError::Corrupt { file, position: offset.0.unsigned_abs(), reason }.into());
    }
    let mut bytes = BytesMut::with_capacity(read.bytes);
    read.records.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes.freeze())
}
