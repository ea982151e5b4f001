//! SaslAuthenticate (key 36): carries one step of a SASL exchange.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The client's bytes.
    SaslAuthenticateRequest(ApiKey::SaslAuthenticate.versions()) {
        auth_bytes: Bytes, 0+;
    }

    /// The server's bytes.
    SaslAuthenticateResponse(ApiKey::SaslAuthenticate.versions()) {
        error_code:          ErrorCode,      0+;
        error_message:       Option<String>, 0+, null 0, = Some(String::new());
        auth_bytes:          Bytes,          0+;
        session_lifetime_ms: i64,            1+;
    }
}
