//! ShareAcknowledge (key 79): acknowledges records acquired by a share group member.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// Ranges of offsets and what became of each.
    ShareAcknowledgeRequest(ApiKey::ShareAcknowledge.versions()) {
        group_id:            Option<String>,        0+, null 0;
        member_id:           Option<String>,        0+, null 0, = Some(String::new());
        share_session_epoch: i32,                   0+;
        is_renew_ack:        bool,                  2+;
        topics:              Vec<AcknowledgeTopic>, 0+;
    }

    /// Element of [`ShareAcknowledgeRequest::topics`].
    AcknowledgeTopic {
        topic_id:   Uuid,                      0+;
        partitions: Vec<AcknowledgePartition>, 0+;
    }

    /// Element of [`AcknowledgeTopic::partitions`].
    AcknowledgePartition {
        partition_index:         i32,                       0+;
        acknowledgement_batches: Vec<AcknowledgementBatch>, 0+;
    }

    /// Element of [`AcknowledgePartition::acknowledgement_batches`].
    AcknowledgementBatch {
        first_offset:      i64,     0+;
        last_offset:       i64,     0+;
        acknowledge_types: Vec<i8>, 0+;
    }

    /// How each partition's acknowledgements went.
    ShareAcknowledgeResponse(ApiKey::ShareAcknowledge.versions()) {
        throttle_time_ms:            i32,                                0+;
        error_code:                  ErrorCode,                          0+;
        error_message:               Option<String>,                     0+, null 0;
        acquisition_lock_timeout_ms: i32,                                2+;
        responses:                   Vec<ShareAcknowledgeTopicResponse>, 0+;
        node_endpoints:              Vec<NodeEndpoint>,                  0+;
    }

    /// Element of [`ShareAcknowledgeResponse::responses`].
    ShareAcknowledgeTopicResponse {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`ShareAcknowledgeTopicResponse::partitions`].
    PartitionData {
        partition_index: i32,              0+;
        error_code:      ErrorCode,        0+;
        error_message:   Option<String>,   0+, null 0;
        current_leader:  LeaderIdAndEpoch, 0+;
    }

    /// Value of [`PartitionData::current_leader`].
    LeaderIdAndEpoch {
        leader_id:    i32, 0+;
        leader_epoch: i32, 0+;
    }

    /// Element of [`ShareAcknowledgeResponse::node_endpoints`].
    NodeEndpoint {
        node_id: i32,            0+;
        host:    String,         0+;
        port:    i32,            0+;
        rack:    Option<String>, 0+, null 0;
    }
}
