//! UnregisterBroker (key 64): removes a broker from the cluster's metadata.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The broker to remove.
    UnregisterBrokerRequest(ApiKey::UnregisterBroker.versions()) {
        broker_id: i32, 0+;
    }

    /// How it went.
    UnregisterBrokerResponse(ApiKey::UnregisterBroker.versions()) {
        throttle_time_ms: i32,            0+;
        error_code:       ErrorCode,      0+;
        error_message:    Option<String>, 0+, null 0, = Some(String::new());
    }
}
