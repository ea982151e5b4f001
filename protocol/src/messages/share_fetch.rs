//! ShareFetch (key 78): acquires records of a share group, and acknowledges earlier ones.

use super::{ApiKey, Records};
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions to read, with acknowledgements.
    ShareFetchRequest(ApiKey::ShareFetch.versions()) {
        group_id:              Option<String>,      0+, null 0;
        member_id:             Option<String>,      0+, null 0, = Some(String::new());
        share_session_epoch:   i32,                 0+;
        max_wait_ms:           i32,                 0+;
        min_bytes:             i32,                 0+;
        max_bytes:             i32,                 0+, = i32::MAX;
        max_records:           i32,                 1+;
        batch_size:            i32,                 1+;
        share_acquire_mode:    i8,                  2+;
        is_renew_ack:          bool,                2+;
        topics:                Vec<FetchTopic>,     0+;
        forgotten_topics_data: Vec<ForgottenTopic>, 0+;
    }

    /// Element of [`ShareFetchRequest::topics`].
    FetchTopic {
        topic_id:   Uuid,                0+;
        partitions: Vec<FetchPartition>, 0+;
    }

    /// Element of [`FetchTopic::partitions`].
    FetchPartition {
        partition_index:         i32,                       0+;
        acknowledgement_batches: Vec<AcknowledgementBatch>, 0+;
    }

    /// Element of [`FetchPartition::acknowledgement_batches`].
    AcknowledgementBatch {
        first_offset:      i64,     0+;
        last_offset:       i64,     0+;
        acknowledge_types: Vec<i8>, 0+;
    }

    /// Element of [`ShareFetchRequest::forgotten_topics_data`].
    ForgottenTopic {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }

    /// Record batches and which of their records were acquired.
    ShareFetchResponse(ApiKey::ShareFetch.versions()) {
        throttle_time_ms:            i32,                              0+;
        error_code:                  ErrorCode,                        0+;
        error_message:               Option<String>,                   0+, null 0;
        acquisition_lock_timeout_ms: i32,                              1+;
        responses:                   Vec<ShareFetchableTopicResponse>, 0+;
        node_endpoints:              Vec<NodeEndpoint>,                0+;
    }

    /// Element of [`ShareFetchResponse::responses`].
    ShareFetchableTopicResponse {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`ShareFetchableTopicResponse::partitions`].
    PartitionData {
        partition_index:           i32,                  0+;
        error_code:                ErrorCode,            0+;
        error_message:             Option<String>,       0+, null 0;
        acknowledge_error_code:    ErrorCode,            0+;
        acknowledge_error_message: Option<String>,       0+, null 0;
        current_leader:            LeaderIdAndEpoch,     0+;
        records:                   Records,              0+;
        acquired_records:          Vec<AcquiredRecords>, 0+;
    }

    /// Value of [`PartitionData::current_leader`].
    LeaderIdAndEpoch {
        leader_id:    i32, 0+;
        leader_epoch: i32, 0+;
    }

    /// Element of [`PartitionData::acquired_records`].
    AcquiredRecords {
        first_offset:   i64, 0+;
        last_offset:    i64, 0+;
        delivery_count: i16, 0+;
    }

    /// Element of [`ShareFetchResponse::node_endpoints`].
    NodeEndpoint {
        node_id: i32,            0+;
        host:    String,         0+;
        port:    i32,            0+;
        rack:    Option<String>, 0+, null 0;
    }
}
