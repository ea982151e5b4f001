//! CreateDelegationToken (key 38): makes a delegation token.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Who the token is for and who may renew it.
    CreateDelegationTokenRequest(ApiKey::CreateDelegationToken.versions()) {
        owner_principal_type: Option<String>,         3+, null 3, = Some(String::new());
        owner_principal_name: Option<String>,         3+, null 3, = Some(String::new());
        renewers:             Vec<CreatableRenewers>, 0+;
        max_lifetime_ms:      i64,                    0+;
    }

    /// Element of [`CreateDelegationTokenRequest::renewers`].
    CreatableRenewers {
        principal_type: String, 0+;
        principal_name: String, 0+;
    }

    /// The token and its HMAC.
    CreateDelegationTokenResponse(ApiKey::CreateDelegationToken.versions()) {
        error_code:                     ErrorCode, 0+;
        principal_type:                 String,    0+;
        principal_name:                 String,    0+;
        token_requester_principal_type: String,    3+;
        token_requester_principal_name: String,    3+;
        issue_timestamp_ms:             i64,       0+;
        expiry_timestamp_ms:            i64,       0+;
        max_timestamp_ms:               i64,       0+;
        token_id:                       String,    0+;
        hmac:                           Bytes,     0+;
        throttle_time_ms:               i32,       0+;
    }
}
