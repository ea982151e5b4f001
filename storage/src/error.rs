//! What can go wrong, by what the caller should do. The broker maps each variant to one Kafka code, with no catch-all.

#![allow(missing_docs, reason = "fields of error variants are named in their messages")]

use thiserror::Error;

/// The disk or what is on it.
#[derive(Debug, Clone, Error)]
pub enum StorageError {
    /// A write or sync failed: the log directory is closed for the life of this process (promise 5).
    #[error("log directory {directory} is closed after an I/O error: {reason}")]
    DirectoryFailed { directory: String, reason: String },
    /// No space: writes are refused until there is some again; reads and deletes go on.
    #[error("log directory {directory} is full: writes resume by themselves once space is free")]
    Full { directory: String },
    /// Bytes at or below the durable watermark are damaged. Never served, never cut.
    #[error("corrupt data in {file} at byte {position}: {reason}")]
    Corrupt { file: String, position: u64, reason: String },
    /// The directory is not ours, is newer than this program, or is held by another process.
    #[error("{0}")]
    Refused(String),
    /// The log was deleted or the engine is closing.
    #[error("the partition is closed")]
    Closed,
}

/// A file's bytes are not what its format allows. The caller knows which file it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} (at byte {position})")]
pub struct FormatError {
    /// Where in the file, in bytes.
    pub position: u64,
    /// What is wrong there.
    pub reason: &'static str,
}

impl FormatError {
    /// At a position in bytes.
    #[must_use]
    pub fn new(position: usize, reason: &'static str) -> FormatError {
        FormatError { position: position as u64, reason }
    }

    /// As the error of a file.
    #[must_use]
    pub fn in_file(self, file: impl Into<String>) -> StorageError {
        StorageError::Corrupt { file: file.into(), position: self.position, reason: self.reason.into() }
    }
}

/// Why a batch was not appended.
#[derive(Debug, Clone, Error)]
pub enum AppendError {
    /// The bytes are not what they claim (CORRUPT_MESSAGE).
    #[error("corrupt record batch: {0}")]
    CorruptMessage(String),
    /// Larger than the topic's max.message.bytes (MESSAGE_TOO_LARGE).
    #[error("record batch of {batch_bytes} bytes is larger than the {batch_bytes_max} allowed")]
    MessageTooLarge { batch_bytes: usize, batch_bytes_max: usize },
    /// Larger than a whole segment may be (RECORD_LIST_TOO_LARGE).
    #[error("record batch of {batch_bytes} bytes is larger than segment.bytes {segment_bytes}")]
    RecordListTooLarge { batch_bytes: usize, segment_bytes: u64 },
    /// Against the rules of a batch (INVALID_RECORD); `records` names the offenders by index within the batch.
    #[error("invalid record batch: {message}")]
    InvalidRecord { message: String, records: Vec<(i32, String)> },
    /// A timestamp out of range (INVALID_TIMESTAMP).
    #[error("invalid timestamp: {message}")]
    InvalidTimestamp { message: String, records: Vec<(i32, String)> },
    /// zstd in a request too old for it, or an unknown codec (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("unsupported compression type: {0}")]
    UnsupportedCompressionType(String),
    /// Magic below 2 (UNSUPPORTED_FOR_MESSAGE_FORMAT).
    #[error("unsupported message format: {0}")]
    UnsupportedForMessageFormat(String),
    /// A gap in the sequence of an idempotent producer (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("out of order sequence number: {0}")]
    OutOfOrderSequence(String),
    /// An older epoch of the producer (INVALID_PRODUCER_EPOCH).
    #[error("invalid producer epoch: {0}")]
    InvalidProducerEpoch(String),
    /// A transactional batch outside a transaction (INVALID_TXN_STATE).
    #[error("invalid transaction state: {0}")]
    InvalidTransactionState(String),
    /// A marker of a coordinator that has been replaced (TRANSACTION_COORDINATOR_FENCED).
    #[error("transaction coordinator fenced: {0}")]
    CoordinatorFenced(String),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
