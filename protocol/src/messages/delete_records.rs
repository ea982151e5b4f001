//! DeleteRecords (key 21): moves the start of logs forward.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The new log start offset of each partition; -1 is the high watermark.
    DeleteRecordsRequest(ApiKey::DeleteRecords.versions()) {
        topics:     Vec<DeleteRecordsTopic>, 0+;
        timeout_ms: i32,                     0+;
    }

    /// Element of [`DeleteRecordsRequest::topics`].
    DeleteRecordsTopic {
        name:       String,                      0+;
        partitions: Vec<DeleteRecordsPartition>, 0+;
    }

    /// Element of [`DeleteRecordsTopic::partitions`].
    DeleteRecordsPartition {
        partition_index: i32, 0+;
        offset:          i64, 0+;
    }

    /// The log start offset of each partition.
    DeleteRecordsResponse(ApiKey::DeleteRecords.versions()) {
        throttle_time_ms: i32,                           0+;
        topics:           Vec<DeleteRecordsTopicResult>, 0+;
    }

    /// Element of [`DeleteRecordsResponse::topics`].
    DeleteRecordsTopicResult {
        name:       String,                            0+;
        partitions: Vec<DeleteRecordsPartitionResult>, 0+;
    }

    /// Element of [`DeleteRecordsTopicResult::partitions`].
    DeleteRecordsPartitionResult {
        partition_index: i32,       0+;
        low_watermark:   i64,       0+;
        error_code:      ErrorCode, 0+;
    }
}
