//! CreateTopics (key 19): creates topics.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The topics to create.
    CreateTopicsRequest(ApiKey::CreateTopics.versions()) {
        topics:        Vec<CreatableTopic>, 0+;
        timeout_ms:    i32,                 0+, = 60000;
        validate_only: bool,                1+;
    }

    /// Element of [`CreateTopicsRequest::topics`].
    CreatableTopic {
        name:               String,                          0+;
        num_partitions:     i32,                             0+;
        replication_factor: i16,                             0+;
        assignments:        Vec<CreatableReplicaAssignment>, 0+;
        configs:            Vec<CreatableTopicConfig>,       0+;
    }

    /// Element of [`CreatableTopic::assignments`].
    CreatableReplicaAssignment {
        partition_index: i32,      0+;
        broker_ids:      Vec<i32>, 0+;
    }

    /// Element of [`CreatableTopic::configs`].
    CreatableTopicConfig {
        name:  String,         0+;
        value: Option<String>, 0+, null 0, = Some(String::new());
    }

    /// How each topic's creation went.
    CreateTopicsResponse(ApiKey::CreateTopics.versions()) {
        throttle_time_ms: i32,                       2+;
        topics:           Vec<CreatableTopicResult>, 0+;
    }

    /// Element of [`CreateTopicsResponse::topics`].
    CreatableTopicResult {
        name:                    String,                             0+;
        topic_id:                Uuid,                               7+;
        error_code:              ErrorCode,                          0+;
        error_message:           Option<String>,                     1+, null 0, = Some(String::new());
        topic_config_error_code: ErrorCode,                          5+, tag 0;
        num_partitions:          i32,                                5+, = -1;
        replication_factor:      i16,                                5+, = -1;
        configs:                 Option<Vec<CreatableTopicConfigs>>, 5+, null 5, = Some(Vec::new());
    }

    /// Element of [`CreatableTopicResult::configs`].
    CreatableTopicConfigs {
        name:          String,         5+;
        value:         Option<String>, 5+, null 5, = Some(String::new());
        read_only:     bool,           5+;
        config_source: i8,             5+, = -1;
        is_sensitive:  bool,           5+;
    }
}
