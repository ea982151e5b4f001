//! FindCoordinator (key 10): finds the broker that coordinates a group, transaction or share partition.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The keys to find coordinators for, one before version 4.
    FindCoordinatorRequest(ApiKey::FindCoordinator.versions()) {
        key:              String,      0-3;
        key_type:         i8,          1+;
        coordinator_keys: Vec<String>, 4+;
    }

    /// The coordinator of each key.
    FindCoordinatorResponse(ApiKey::FindCoordinator.versions()) {
        throttle_time_ms: i32,              1+;
        error_code:       ErrorCode,        0-3;
        error_message:    Option<String>,   1-3, null 1, = Some(String::new());
        node_id:          i32,              0-3;
        host:             String,           0-3;
        port:             i32,              0-3;
        coordinators:     Vec<Coordinator>, 4+;
    }

    /// Element of [`FindCoordinatorResponse::coordinators`].
    Coordinator {
        key:           String,         4+;
        node_id:       i32,            4+;
        host:          String,         4+;
        port:          i32,            4+;
        error_code:    ErrorCode,      4+;
        error_message: Option<String>, 4+, null 4, = Some(String::new());
    }
}
