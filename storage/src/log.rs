//! One partition's log: append, read, look up by time and epoch, delete from the front.

use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use protocol::records::Compression;

use crate::engine::Reservation;
use crate::error::{AppendError, StorageError};
use crate::ids::{LeaderEpoch, LogId, Offset};

/// A topic's settings as they apply to the log; names, units and defaults are Kafka's (LogConfig.java).
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: u64,
    pub index_interval_bytes: u64,
    /// -1: unlimited.
    pub retention_ms: i64,
    /// Negative: unlimited.
    pub retention_bytes: i64,
    pub cleanup_delete: bool,
    pub cleanup_compact: bool,
    pub max_message_bytes: usize,
    pub file_delete_delay_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`.
    pub log_append_time: bool,
    /// `compression.type`; `None` is `producer`.
    pub compression: Option<Compression>,
    /// `msgloop.durability=os`: ack after the write completed, before it is synced.
    pub durability_os: bool,
    /// `msgloop.batch.validation=records`: decode compressed batches too.
    pub validate_records: bool,
    pub producer_id_expiration_ms: i64,
}

/// Who appends (AppendOrigin.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client: all rules are checked.
    Client,
    /// A coordinator of this broker: may write control batches.
    Coordinator,
}

/// How to append.
#[derive(Debug, Clone, Copy)]
pub struct AppendOptions {
    pub leader_epoch: LeaderEpoch,
    pub origin: Origin,
    /// Version of the Produce request (zstd needs 7); `i16::MAX` for a coordinator.
    pub produce_version: i16,
}

/// A batch that has its offsets.
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// Set under LogAppendTime.
    pub log_append_time_ms: Option<i64>,
    pub log_start_offset: Offset,
    /// The batch was there already; offsets are the original's.
    pub duplicate: bool,
    /// Completes when the batch (for a duplicate: the original) is durable and the high watermark has passed it.
    pub durable: DurableFuture,
}

/// See [`Appended::durable`].
pub type DurableFuture = std::pin::Pin<Box<dyn Future<Output = Result<(), StorageError>> + 'static>>;

/// How far a reader may see (FetchIsolation.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadLimit {
    HighWatermark,
    LastStableOffset,
    LogEnd,
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    pub offset: Offset,
    pub bytes_max: usize,
    /// Return the first batch even if it is larger than `bytes_max` (KIP-74).
    pub at_least_one_batch: bool,
    pub limit: ReadLimit,
}

/// An aborted transaction that overlaps what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: Offset,
}

/// Whole batches, the first one holding `ReadOptions::offset`.
#[derive(Debug, Default)]
pub struct LogRead {
    /// The bytes, in order, by reference; a batch may be split between two parts.
    pub records: Vec<Bytes>,
    pub bytes: usize,
    /// Only filled for `ReadLimit::LastStableOffset`.
    pub aborted_transactions: Vec<AbortedTransaction>,
}

/// Result of a look-up by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp_ms: i64,
    pub offset: Offset,
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Why a read has no bytes to give.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Below the log start offset or beyond the limit (OFFSET_OUT_OF_RANGE).
    #[error("offset is out of range")]
    OffsetOutOfRange,
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One partition's log on its core.
pub struct Log {
    _private: (),
}

#[allow(unused_variables, reason = "skeleton")]
impl Log {
    pub fn id(&self) -> LogId {
        unimplemented!()
    }
    pub fn log_start_offset(&self) -> Offset {
        unimplemented!()
    }
    pub fn high_watermark(&self) -> Offset {
        unimplemented!()
    }
    pub fn last_stable_offset(&self) -> Offset {
        unimplemented!()
    }
    pub fn log_end_offset(&self) -> Offset {
        unimplemented!()
    }
    /// Bytes of the log, tail included (DescribeLogDirs).
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }
    pub fn set_config(&self, config: LogConfig) {}

    /// Checks the batch, gives it its offsets and puts it into the tail and the next commit. Does not wait: order of
    /// calls is order in the log. Await [`Appended::durable`] before acknowledging.
    pub fn append(
        &self,
        reservation: Reservation,
        batch: Bytes,
        options: AppendOptions,
    ) -> Result<Appended, AppendError> {
        unimplemented!()
    }

    /// Reads whole batches. An offset equal to the limit reads nothing; memory tails are answered without waiting.
    pub async fn read(&self, options: ReadOptions) -> Result<LogRead, ReadError> {
        unimplemented!()
    }

    /// First record at or after `timestamp_ms`, record-exact, below `limit` (ListOffsets by time).
    pub async fn offset_for_timestamp(
        &self,
        timestamp_ms: i64,
        limit: ReadLimit,
    ) -> Result<Option<TimestampOffset>, StorageError> {
        unimplemented!()
    }

    /// The record with the largest timestamp (ListOffsets -3).
    pub async fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        unimplemented!()
    }

    /// KIP-101: epoch and end offset for a requested epoch (LeaderEpochFileCache.endOffsetFor); `None` if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        unimplemented!()
    }

    /// The epoch a given offset was written under.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        unimplemented!()
    }

    /// DeleteRecords: the new log start is durable before this returns. `Offset(-1)` means the high watermark.
    pub async fn delete_records(&self, before: Offset) -> Result<Offset, ReadError> {
        unimplemented!()
    }

    /// Registers `waiter`, to be woken once when the high watermark or last stable offset moves or the log closes.
    pub fn wait_for_progress(&self, waiter: &Rc<tokio::sync::Notify>) {
        unimplemented!()
    }
}
