//! OffsetForLeaderEpoch (key 23): finds where a leader epoch ended, to detect a truncated log.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Partitions and the epoch to look up in each.
    OffsetForLeaderEpochRequest(ApiKey::OffsetForLeaderEpoch.versions()) {
        replica_id: i32,                       3+, = -2;
        topics:     Vec<OffsetForLeaderTopic>, 0+;
    }

    /// Element of [`OffsetForLeaderEpochRequest::topics`].
    OffsetForLeaderTopic {
        topic:      String,                        0+;
        partitions: Vec<OffsetForLeaderPartition>, 0+;
    }

    /// Element of [`OffsetForLeaderTopic::partitions`].
    OffsetForLeaderPartition {
        partition:            i32, 0+;
        current_leader_epoch: i32, 2+, = -1;
        leader_epoch:         i32, 0+;
    }

    /// The end offset of the epoch, or of the one before it.
    OffsetForLeaderEpochResponse(ApiKey::OffsetForLeaderEpoch.versions()) {
        throttle_time_ms: i32,                             2+;
        topics:           Vec<OffsetForLeaderTopicResult>, 0+;
    }

    /// Element of [`OffsetForLeaderEpochResponse::topics`].
    OffsetForLeaderTopicResult {
        topic:      String,              0+;
        partitions: Vec<EpochEndOffset>, 0+;
    }

    /// Element of [`OffsetForLeaderTopicResult::partitions`].
    EpochEndOffset {
        error_code:   ErrorCode, 0+;
        partition:    i32,       0+;
        leader_epoch: i32,       1+, = -1;
        end_offset:   i64,       0+, = -1;
    }
}
