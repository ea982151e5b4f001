//! DescribeDelegationToken (key 41): lists delegation tokens.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The owners asked about; null asks about all.
    DescribeDelegationTokenRequest(ApiKey::DescribeDelegationToken.versions()) {
        owners: Option<Vec<DescribeDelegationTokenOwner>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`DescribeDelegationTokenRequest::owners`].
    DescribeDelegationTokenOwner {
        principal_type: String, 0+;
        principal_name: String, 0+;
    }

    /// The tokens.
    DescribeDelegationTokenResponse(ApiKey::DescribeDelegationToken.versions()) {
        error_code:       ErrorCode,                     0+;
        tokens:           Vec<DescribedDelegationToken>, 0+;
        throttle_time_ms: i32,                           0+;
    }

    /// Element of [`DescribeDelegationTokenResponse::tokens`].
    DescribedDelegationToken {
        principal_type:                 String,                               0+;
        principal_name:                 String,                               0+;
        token_requester_principal_type: String,                               3+;
        token_requester_principal_name: String,                               3+;
        issue_timestamp:                i64,                                  0+;
        expiry_timestamp:               i64,                                  0+;
        max_timestamp:                  i64,                                  0+;
        token_id:                       String,                               0+;
        hmac:                           Bytes,                                0+;
        renewers:                       Vec<DescribedDelegationTokenRenewer>, 0+;
    }

    /// Element of [`DescribedDelegationToken::renewers`].
    DescribedDelegationTokenRenewer {
        principal_type: String, 0+;
        principal_name: String, 0+;
    }
}
