//! One way from our errors to Kafka's codes: exhaustive matches, no catch-all, so that a new error asks for its code.

use protocol::ErrorCode;
use storage::log::ReadError;
use storage::{AppendError, StorageError};

use crate::metadata::MetadataError;
use crate::metadata::decide::ApiError;
use crate::shard::ShardClosed;

/// The code of an error of the disk.
pub fn storage_code(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::DirectoryFailed { .. } | StorageError::Full { .. } | StorageError::Refused(_) => {
            ErrorCode::KAFKA_STORAGE_ERROR
        }
        // Not retriable: damage stays until somebody looks at it.
        StorageError::Corrupt { .. } => ErrorCode::CORRUPT_MESSAGE,
        // Deleted or shutting down: clients look up where the partition is now.
        StorageError::Closed => ErrorCode::NOT_LEADER_OR_FOLLOWER,
    }
}

/// The code of a batch that was not appended.
pub fn append_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::CorruptMessage(_) => ErrorCode::CORRUPT_MESSAGE,
        AppendError::MessageTooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        AppendError::RecordListTooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        AppendError::CoordinatorFenced(_) => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        AppendError::InvalidRecord { .. } => ErrorCode::INVALID_RECORD,
        AppendError::InvalidTimestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
        AppendError::UnsupportedCompressionType(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        AppendError::UnsupportedForMessageFormat(_) => ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
        AppendError::OutOfOrderSequence(_) => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        AppendError::InvalidProducerEpoch(_) => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::InvalidTransactionState(_) => ErrorCode::INVALID_TXN_STATE,
        AppendError::Storage(error) => storage_code(error),
    }
}

/// The code of a record that a coordinator could not write, as clients of that coordinator see it
/// (CoordinatorOperationExceptionHelper.java): a disk that comes back makes them wait, one that is gone makes them look
/// for another coordinator.
pub fn coordinator_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Storage(error) => coordinator_storage_code(error),
        AppendError::InvalidProducerEpoch(_)
        | AppendError::InvalidTransactionState(_)
        | AppendError::CoordinatorFenced(_) => append_code(error),
        // A record that is too large, as Kafka says it; the others are batches we should not have made.
        AppendError::MessageTooLarge { .. }
        | AppendError::RecordListTooLarge { .. }
        | AppendError::CorruptMessage(_)
        | AppendError::InvalidRecord { .. }
        | AppendError::InvalidTimestamp { .. }
        | AppendError::UnsupportedCompressionType(_)
        | AppendError::UnsupportedForMessageFormat(_)
        | AppendError::OutOfOrderSequence(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

/// The same for an error of the disk.
pub fn coordinator_storage_code(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::Full { .. } => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        StorageError::DirectoryFailed { .. }
        | StorageError::Corrupt { .. }
        | StorageError::Refused(_)
        | StorageError::Closed => ErrorCode::NOT_COORDINATOR,
    }
}

/// The code of a read that has nothing to give.
pub fn read_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadError::Storage(error) => storage_code(error),
    }
}

/// The core that owns the partition is gone.
pub fn closed_code(_: &ShardClosed) -> ErrorCode {
    ErrorCode::NOT_LEADER_OR_FOLLOWER
}

/// A change of metadata that was not made.
pub fn metadata_error(error: &MetadataError) -> ApiError {
    let code = match error {
        MetadataError::Storage(error) => storage_code(error),
        MetadataError::Append(error) => append_code(error),
        MetadataError::Read(error) => read_code(error),
        MetadataError::TooLarge(_) => ErrorCode::POLICY_VIOLATION,
        MetadataError::Replay(_) | MetadataError::Misfit(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        // The broker is ending: clients look for a controller anew.
        MetadataError::Closed => ErrorCode::NOT_CONTROLLER,
    };
    tracing::error!(%error, "the metadata cannot be changed");
    ApiError::new(code, error.to_string())
}
