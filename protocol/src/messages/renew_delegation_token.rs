//! RenewDelegationToken (key 39): prolongs a delegation token.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The token's HMAC and for how long.
    RenewDelegationTokenRequest(ApiKey::RenewDelegationToken.versions()) {
        hmac:            Bytes, 0+;
        renew_period_ms: i64,   0+;
    }

    /// When it expires now.
    RenewDelegationTokenResponse(ApiKey::RenewDelegationToken.versions()) {
        error_code:          ErrorCode, 0+;
        expiry_timestamp_ms: i64,       0+;
        throttle_time_ms:    i32,       0+;
    }
}
