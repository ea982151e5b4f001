//! SaslHandshake (key 17): chooses a SASL mechanism.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The mechanism the client wants.
    SaslHandshakeRequest(ApiKey::SaslHandshake.versions()) {
        mechanism: String, 0+;
    }

    /// The mechanisms there are.
    SaslHandshakeResponse(ApiKey::SaslHandshake.versions()) {
        error_code: ErrorCode,   0+;
        mechanisms: Vec<String>, 0+;
    }
}
