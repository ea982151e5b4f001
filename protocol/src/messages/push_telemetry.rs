//! PushTelemetry (key 72): takes a client's metrics (KIP-714).

use bytes::Bytes;

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// Metrics in OTLP, possibly compressed.
    PushTelemetryRequest(ApiKey::PushTelemetry.versions()) {
        client_instance_id: Uuid,  0+;
        subscription_id:    i32,   0+;
        terminating:        bool,  0+;
        compression_type:   i8,    0+;
        metrics:            Bytes, 0+;
    }

    /// How it went.
    PushTelemetryResponse(ApiKey::PushTelemetry.versions()) {
        throttle_time_ms: i32,       0+;
        error_code:       ErrorCode, 0+;
    }
}
