//! ElectLeaders (key 43): elects the preferred, or any, replica as leader.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Partitions to elect a leader for; null means all.
    ElectLeadersRequest(ApiKey::ElectLeaders.versions()) {
        election_type:    i8,                           1+;
        topic_partitions: Option<Vec<TopicPartitions>>, 0+, null 0, = Some(Vec::new());
        timeout_ms:       i32,                          0+, = 60000;
    }

    /// Element of [`ElectLeadersRequest::topic_partitions`].
    TopicPartitions {
        topic:      String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// How each election went.
    ElectLeadersResponse(ApiKey::ElectLeaders.versions()) {
        throttle_time_ms:         i32,                        0+;
        error_code:               ErrorCode,                  1+;
        replica_election_results: Vec<ReplicaElectionResult>, 0+;
    }

    /// Element of [`ElectLeadersResponse::replica_election_results`].
    ReplicaElectionResult {
        topic:            String,               0+;
        partition_result: Vec<PartitionResult>, 0+;
    }

    /// Element of [`ReplicaElectionResult::partition_result`].
    PartitionResult {
        partition_id:  i32,            0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0, = Some(String::new());
    }
}
