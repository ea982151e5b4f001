//! ShareGroupHeartbeat (key 76): joins, keeps alive and leaves a share group (KIP-932).

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// What changed at the member since its last heartbeat.
    ShareGroupHeartbeatRequest(ApiKey::ShareGroupHeartbeat.versions()) {
        group_id:               String,              0+;
        member_id:              String,              0+;
        member_epoch:           i32,                 0+;
        rack_id:                Option<String>,      0+, null 0;
        subscribed_topic_names: Option<Vec<String>>, 0+, null 0;
    }

    /// The member's epoch, and its assignment when that changed.
    ShareGroupHeartbeatResponse(ApiKey::ShareGroupHeartbeat.versions()) {
        throttle_time_ms:      i32,                0+;
        error_code:            ErrorCode,          0+;
        error_message:         Option<String>,     0+, null 0;
        member_id:             Option<String>,     0+, null 0;
        member_epoch:          i32,                0+;
        heartbeat_interval_ms: i32,                0+;
        assignment:            Option<Assignment>, 0+, null 0;
    }

    /// Value of [`ShareGroupHeartbeatResponse::assignment`].
    Assignment {
        topic_partitions: Vec<TopicPartitions>, 0+;
    }

    /// Element of [`Assignment::topic_partitions`].
    TopicPartitions {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }
}
