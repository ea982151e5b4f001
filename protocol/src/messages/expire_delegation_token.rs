//! ExpireDelegationToken (key 40): ends a delegation token.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The token's HMAC and when it is to end.
    ExpireDelegationTokenRequest(ApiKey::ExpireDelegationToken.versions()) {
        hmac:                  Bytes, 0+;
        expiry_time_period_ms: i64,   0+;
    }

    /// When it expires now.
    ExpireDelegationTokenResponse(ApiKey::ExpireDelegationToken.versions()) {
        error_code:          ErrorCode, 0+;
        expiry_timestamp_ms: i64,       0+;
        throttle_time_ms:    i32,       0+;
    }
}
