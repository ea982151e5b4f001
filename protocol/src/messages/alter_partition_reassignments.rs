//! AlterPartitionReassignments (key 45): moves partitions to other replicas, or cancels that.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The replicas each partition is to have; null cancels.
    AlterPartitionReassignmentsRequest(ApiKey::AlterPartitionReassignments.versions()) {
        timeout_ms:                      i32,                    0+, = 60000;
        allow_replication_factor_change: bool,                   1+, = true;
        topics:                          Vec<ReassignableTopic>, 0+;
    }

    /// Element of [`AlterPartitionReassignmentsRequest::topics`].
    ReassignableTopic {
        name:       String,                     0+;
        partitions: Vec<ReassignablePartition>, 0+;
    }

    /// Element of [`ReassignableTopic::partitions`].
    ReassignablePartition {
        partition_index: i32,              0+;
        replicas:        Option<Vec<i32>>, 0+, null 0;
    }

    /// How each partition's reassignment went.
    AlterPartitionReassignmentsResponse(ApiKey::AlterPartitionReassignments.versions()) {
        throttle_time_ms:                i32,                            0+;
        allow_replication_factor_change: bool,                           1+, = true;
        error_code:                      ErrorCode,                      0+;
        error_message:                   Option<String>,                 0+, null 0, = Some(String::new());
        responses:                       Vec<ReassignableTopicResponse>, 0+;
    }

    /// Element of [`AlterPartitionReassignmentsResponse::responses`].
    ReassignableTopicResponse {
        name:       String,                             0+;
        partitions: Vec<ReassignablePartitionResponse>, 0+;
    }

    /// Element of [`ReassignableTopicResponse::partitions`].
    ReassignablePartitionResponse {
        partition_index: i32,            0+;
        error_code:      ErrorCode,      0+;
        error_message:   Option<String>, 0+, null 0, = Some(String::new());
    }
}
