//! GetTelemetrySubscriptions (key 71): tells a client which of its metrics the broker wants (KIP-714).

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The client's instance id, zero on the first request.
    GetTelemetrySubscriptionsRequest(ApiKey::GetTelemetrySubscriptions.versions()) {
        client_instance_id: Uuid, 0+;
    }

    /// The metrics to push, how and how often.
    GetTelemetrySubscriptionsResponse(ApiKey::GetTelemetrySubscriptions.versions()) {
        throttle_time_ms:           i32,         0+;
        error_code:                 ErrorCode,   0+;
        client_instance_id:         Uuid,        0+;
        subscription_id:            i32,         0+;
        accepted_compression_types: Vec<i8>,     0+;
        push_interval_ms:           i32,         0+;
        telemetry_max_bytes:        i32,         0+;
        delta_temporality:          bool,        0+;
        requested_metrics:          Vec<String>, 0+;
    }
}
