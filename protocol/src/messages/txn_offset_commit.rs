//! TxnOffsetCommit (key 28): stores a group's positions as part of a transaction.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// Positions that count once the transaction commits.
    TxnOffsetCommitRequest(ApiKey::TxnOffsetCommit.versions()) {
        transactional_id:              String,                           0+;
        group_id:                      String,                           0+;
        producer_id:                   i64,                              0+;
        producer_epoch:                i16,                              0+;
        generation_id_or_member_epoch: i32,                              3+, = -1;
        member_id:                     String,                           3+;
        group_instance_id:             Option<String>,                   3+, null 3;
        topics:                        Vec<TxnOffsetCommitRequestTopic>, 0+;
    }

    /// Element of [`TxnOffsetCommitRequest::topics`].
    TxnOffsetCommitRequestTopic {
        name:       String,                               0-5;
        topic_id:   Uuid,                                 6+;
        partitions: Vec<TxnOffsetCommitRequestPartition>, 0+;
    }

    /// Element of [`TxnOffsetCommitRequestTopic::partitions`].
    TxnOffsetCommitRequestPartition {
        partition_index:        i32,            0+;
        committed_offset:       i64,            0+;
        committed_leader_epoch: i32,            2+, = -1;
        committed_metadata:     Option<String>, 0+, null 0, = Some(String::new());
    }

    /// How each partition's commit went.
    TxnOffsetCommitResponse(ApiKey::TxnOffsetCommit.versions()) {
        throttle_time_ms: i32,                               0+;
        topics:           Vec<TxnOffsetCommitResponseTopic>, 0+;
    }

    /// Element of [`TxnOffsetCommitResponse::topics`].
    TxnOffsetCommitResponseTopic {
        name:       String,                                0-5;
        topic_id:   Uuid,                                  6+;
        partitions: Vec<TxnOffsetCommitResponsePartition>, 0+;
    }

    /// Element of [`TxnOffsetCommitResponseTopic::partitions`].
    TxnOffsetCommitResponsePartition {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
    }
}
