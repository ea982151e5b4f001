//! ListPartitionReassignments (key 46): lists the reassignments under way.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The partitions asked about; null asks about all.
    ListPartitionReassignmentsRequest(ApiKey::ListPartitionReassignments.versions()) {
        timeout_ms: i32,                                           0+, = 60000;
        topics:     Option<Vec<ListPartitionReassignmentsTopics>>, 0+, null 0;
    }

    /// Element of [`ListPartitionReassignmentsRequest::topics`].
    ListPartitionReassignmentsTopics {
        name:              String,   0+;
        partition_indexes: Vec<i32>, 0+;
    }

    /// Partitions with replicas being added or removed.
    ListPartitionReassignmentsResponse(ApiKey::ListPartitionReassignments.versions()) {
        throttle_time_ms: i32,                           0+;
        error_code:       ErrorCode,                     0+;
        error_message:    Option<String>,                0+, null 0, = Some(String::new());
        topics:           Vec<OngoingTopicReassignment>, 0+;
    }

    /// Element of [`ListPartitionReassignmentsResponse::topics`].
    OngoingTopicReassignment {
        name:       String,                            0+;
        partitions: Vec<OngoingPartitionReassignment>, 0+;
    }

    /// Element of [`OngoingTopicReassignment::partitions`].
    OngoingPartitionReassignment {
        partition_index:   i32,      0+;
        replicas:          Vec<i32>, 0+;
        adding_replicas:   Vec<i32>, 0+;
        removing_replicas: Vec<i32>, 0+;
    }
}
