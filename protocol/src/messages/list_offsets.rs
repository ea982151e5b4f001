//! ListOffsets (key 2): finds offsets by timestamp, or the ends of a log.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Partitions and the timestamp (or special value) to look up in each.
    ListOffsetsRequest(ApiKey::ListOffsets.versions()) {
        replica_id:      i32,                   0+;
        isolation_level: i8,                    2+;
        topics:          Vec<ListOffsetsTopic>, 0+;
        timeout_ms:      i32,                   10+;
    }

    /// Element of [`ListOffsetsRequest::topics`].
    ListOffsetsTopic {
        name:       String,                    0+;
        partitions: Vec<ListOffsetsPartition>, 0+;
    }

    /// Element of [`ListOffsetsTopic::partitions`].
    ListOffsetsPartition {
        partition_index:      i32, 0+;
        current_leader_epoch: i32, 4+, = -1;
        timestamp:            i64, 0+;
    }

    /// The offset and timestamp found in each partition.
    ListOffsetsResponse(ApiKey::ListOffsets.versions()) {
        throttle_time_ms: i32,                           2+;
        topics:           Vec<ListOffsetsTopicResponse>, 0+;
    }

    /// Element of [`ListOffsetsResponse::topics`].
    ListOffsetsTopicResponse {
        name:       String,                            0+;
        partitions: Vec<ListOffsetsPartitionResponse>, 0+;
    }

    /// Element of [`ListOffsetsTopicResponse::partitions`].
    ListOffsetsPartitionResponse {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
        timestamp:       i64,       1+, = -1;
        offset:          i64,       1+, = -1;
        leader_epoch:    i32,       4+, = -1;
    }
}
