//! Heartbeat (key 12): keeps a classic group member alive.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// A member's sign of life.
    HeartbeatRequest(ApiKey::Heartbeat.versions()) {
        group_id:          String,         0+;
        generation_id:     i32,            0+;
        member_id:         String,         0+;
        group_instance_id: Option<String>, 3+, null 3;
    }

    /// Whether the member may go on, or must rejoin.
    HeartbeatResponse(ApiKey::Heartbeat.versions()) {
        throttle_time_ms: i32,       1+;
        error_code:       ErrorCode, 0+;
    }
}
