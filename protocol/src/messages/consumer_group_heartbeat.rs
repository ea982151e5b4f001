//! ConsumerGroupHeartbeat (key 68): joins, keeps alive and leaves a consumer group whose assignment the broker makes
//! (KIP-848).

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// What changed at the member since its last heartbeat.
    ConsumerGroupHeartbeatRequest(ApiKey::ConsumerGroupHeartbeat.versions()) {
        group_id:               String,                       0+;
        member_id:              String,                       0+;
        member_epoch:           i32,                          0+;
        instance_id:            Option<String>,               0+, null 0;
        rack_id:                Option<String>,               0+, null 0;
        rebalance_timeout_ms:   i32,                          0+, = -1;
        subscribed_topic_names: Option<Vec<String>>,          0+, null 0;
        subscribed_topic_regex: Option<String>,               1+, null 1;
        server_assignor:        Option<String>,               0+, null 0;
        topic_partitions:       Option<Vec<TopicPartitions>>, 0+, null 0;
    }

    /// Element of [`ConsumerGroupHeartbeatRequest::topic_partitions`].
    TopicPartitions {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }

    /// The member's epoch, and its assignment when that changed.
    ConsumerGroupHeartbeatResponse(ApiKey::ConsumerGroupHeartbeat.versions()) {
        throttle_time_ms:      i32,                0+;
        error_code:            ErrorCode,          0+;
        error_message:         Option<String>,     0+, null 0;
        member_id:             Option<String>,     0+, null 0;
        member_epoch:          i32,                0+;
        heartbeat_interval_ms: i32,                0+;
        assignment:            Option<Assignment>, 0+, null 0;
    }

    /// Value of [`ConsumerGroupHeartbeatResponse::assignment`].
    Assignment {
        topic_partitions: Vec<TopicPartitions>, 0+;
    }
}
