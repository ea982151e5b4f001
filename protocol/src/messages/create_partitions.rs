//! CreatePartitions (key 37): adds partitions to topics.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The new partition count of each topic.
    CreatePartitionsRequest(ApiKey::CreatePartitions.versions()) {
        topics:        Vec<CreatePartitionsTopic>, 0+;
        timeout_ms:    i32,                        0+;
        validate_only: bool,                       0+;
    }

    /// Element of [`CreatePartitionsRequest::topics`].
    CreatePartitionsTopic {
        name:        String,                                  0+;
        count:       i32,                                     0+;
        assignments: Option<Vec<CreatePartitionsAssignment>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`CreatePartitionsTopic::assignments`].
    CreatePartitionsAssignment {
        broker_ids: Vec<i32>, 0+;
    }

    /// How each topic's growth went.
    CreatePartitionsResponse(ApiKey::CreatePartitions.versions()) {
        throttle_time_ms: i32,                              0+;
        results:          Vec<CreatePartitionsTopicResult>, 0+;
    }

    /// Element of [`CreatePartitionsResponse::results`].
    CreatePartitionsTopicResult {
        name:          String,         0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0;
    }
}
