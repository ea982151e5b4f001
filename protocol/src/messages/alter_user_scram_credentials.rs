//! AlterUserScramCredentials (key 51): sets and removes SCRAM credentials.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Credentials to remove and to set.
    AlterUserScramCredentialsRequest(ApiKey::AlterUserScramCredentials.versions()) {
        deletions:  Vec<ScramCredentialDeletion>,  0+;
        upsertions: Vec<ScramCredentialUpsertion>, 0+;
    }

    /// Element of [`AlterUserScramCredentialsRequest::deletions`].
    ScramCredentialDeletion {
        name:      String, 0+;
        mechanism: i8,     0+;
    }

    /// Element of [`AlterUserScramCredentialsRequest::upsertions`].
    ScramCredentialUpsertion {
        name:            String, 0+;
        mechanism:       i8,     0+;
        iterations:      i32,    0+;
        salt:            Bytes,  0+;
        salted_password: Bytes,  0+;
    }

    /// How each user's change went.
    AlterUserScramCredentialsResponse(ApiKey::AlterUserScramCredentials.versions()) {
        throttle_time_ms: i32,                                  0+;
        results:          Vec<AlterUserScramCredentialsResult>, 0+;
    }

    /// Element of [`AlterUserScramCredentialsResponse::results`].
    AlterUserScramCredentialsResult {
        user:          String,         0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0, = Some(String::new());
    }
}
