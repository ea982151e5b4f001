//! AlterShareGroupOffsets (key 91): moves the start offsets of an empty share group.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The new start offsets.
    AlterShareGroupOffsetsRequest(ApiKey::AlterShareGroupOffsets.versions()) {
        group_id: String,                                  0+;
        topics:   Vec<AlterShareGroupOffsetsRequestTopic>, 0+;
    }

    /// Element of [`AlterShareGroupOffsetsRequest::topics`].
    AlterShareGroupOffsetsRequestTopic {
        topic_name: String,                                      0+;
        partitions: Vec<AlterShareGroupOffsetsRequestPartition>, 0+;
    }

    /// Element of [`AlterShareGroupOffsetsRequestTopic::partitions`].
    AlterShareGroupOffsetsRequestPartition {
        partition_index: i32, 0+;
        start_offset:    i64, 0+;
    }

    /// How each partition's change went.
    AlterShareGroupOffsetsResponse(ApiKey::AlterShareGroupOffsets.versions()) {
        throttle_time_ms: i32,                                      0+;
        error_code:       ErrorCode,                                0+;
        error_message:    Option<String>,                           0+, null 0;
        responses:        Vec<AlterShareGroupOffsetsResponseTopic>, 0+;
    }

    /// Element of [`AlterShareGroupOffsetsResponse::responses`].
    AlterShareGroupOffsetsResponseTopic {
        topic_name: String,                                       0+;
        topic_id:   Uuid,                                         0+;
        partitions: Vec<AlterShareGroupOffsetsResponsePartition>, 0+;
    }

    /// Element of [`AlterShareGroupOffsetsResponseTopic::partitions`].
    AlterShareGroupOffsetsResponsePartition {
        partition_index: i32,            0+;
        error_code:      ErrorCode,      0+;
        error_message:   Option<String>, 0+, null 0;
    }
}
