//! OffsetDelete (key 47): deletes stored positions of a group.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The positions to delete.
    OffsetDeleteRequest(ApiKey::OffsetDelete.versions()) {
        group_id: String,                        0+;
        topics:   Vec<OffsetDeleteRequestTopic>, 0+;
    }

    /// Element of [`OffsetDeleteRequest::topics`].
    OffsetDeleteRequestTopic {
        name:       String,                            0+;
        partitions: Vec<OffsetDeleteRequestPartition>, 0+;
    }

    /// Element of [`OffsetDeleteRequestTopic::partitions`].
    OffsetDeleteRequestPartition {
        partition_index: i32, 0+;
    }

    /// How each deletion went.
    OffsetDeleteResponse(ApiKey::OffsetDelete.versions()) {
        error_code:       ErrorCode,                      0+;
        throttle_time_ms: i32,                            0+;
        topics:           Vec<OffsetDeleteResponseTopic>, 0+;
    }

    /// Element of [`OffsetDeleteResponse::topics`].
    OffsetDeleteResponseTopic {
        name:       String,                             0+;
        partitions: Vec<OffsetDeleteResponsePartition>, 0+;
    }

    /// Element of [`OffsetDeleteResponseTopic::partitions`].
    OffsetDeleteResponsePartition {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
    }
}
