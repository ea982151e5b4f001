//! UnregisterController (key 94): removes a controller from the cluster's metadata (KIP-1312).

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The controller to remove.
    UnregisterControllerRequest(ApiKey::UnregisterController.versions()) {
        controller_id: i32, 0+;
    }

    /// How it went.
    UnregisterControllerResponse(ApiKey::UnregisterController.versions()) {
        throttle_time_ms: i32,            0+;
        error_code:       ErrorCode,      0+;
        error_message:    Option<String>, 0+, null 0, = Some(String::new());
    }
}
