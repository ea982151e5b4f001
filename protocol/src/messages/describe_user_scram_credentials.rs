//! DescribeUserScramCredentials (key 50): lists which SCRAM credentials users have.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The users asked about; null or empty asks about all.
    DescribeUserScramCredentialsRequest(ApiKey::DescribeUserScramCredentials.versions()) {
        users: Option<Vec<UserName>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`DescribeUserScramCredentialsRequest::users`].
    UserName {
        name: String, 0+;
    }

    /// Mechanisms and iteration counts of each user.
    DescribeUserScramCredentialsResponse(ApiKey::DescribeUserScramCredentials.versions()) {
        throttle_time_ms: i32,                                     0+;
        error_code:       ErrorCode,                               0+;
        error_message:    Option<String>,                          0+, null 0, = Some(String::new());
        results:          Vec<DescribeUserScramCredentialsResult>, 0+;
    }

    /// Element of [`DescribeUserScramCredentialsResponse::results`].
    DescribeUserScramCredentialsResult {
        user:             String,              0+;
        error_code:       ErrorCode,           0+;
        error_message:    Option<String>,      0+, null 0, = Some(String::new());
        credential_infos: Vec<CredentialInfo>, 0+;
    }

    /// Element of [`DescribeUserScramCredentialsResult::credential_infos`].
    CredentialInfo {
        mechanism:  i8,  0+;
        iterations: i32, 0+;
    }
}
