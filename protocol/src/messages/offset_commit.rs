//! OffsetCommit (key 8): stores the positions of a group.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// Positions to store, with the member that commits them.
    OffsetCommitRequest(ApiKey::OffsetCommit.versions()) {
        group_id:                      String,                        0+;
        generation_id_or_member_epoch: i32,                           1+, = -1;
        member_id:                     String,                        1+;
        group_instance_id:             Option<String>,                7+, null 7;
        retention_time_ms:             i64,                           2-4, = -1;
        topics:                        Vec<OffsetCommitRequestTopic>, 0+;
    }

    /// Element of [`OffsetCommitRequest::topics`].
    OffsetCommitRequestTopic {
        name:       String,                            0-9;
        topic_id:   Uuid,                              10+;
        partitions: Vec<OffsetCommitRequestPartition>, 0+;
    }

    /// Element of [`OffsetCommitRequestTopic::partitions`].
    OffsetCommitRequestPartition {
        partition_index:        i32,            0+;
        committed_offset:       i64,            0+;
        committed_leader_epoch: i32,            6+, = -1;
        committed_metadata:     Option<String>, 0+, null 0, = Some(String::new());
    }

    /// How each partition's commit went.
    OffsetCommitResponse(ApiKey::OffsetCommit.versions()) {
        throttle_time_ms: i32,                            3+;
        topics:           Vec<OffsetCommitResponseTopic>, 0+;
    }

    /// Element of [`OffsetCommitResponse::topics`].
    OffsetCommitResponseTopic {
        name:       String,                             0-9;
        topic_id:   Uuid,                               10+;
        partitions: Vec<OffsetCommitResponsePartition>, 0+;
    }

    /// Element of [`OffsetCommitResponseTopic::partitions`].
    OffsetCommitResponsePartition {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
    }
}
