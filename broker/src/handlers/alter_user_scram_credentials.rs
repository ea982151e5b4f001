//! AlterUserScramCredentials (key 51, version 0): SCRAM credentials set and removed. Nothing logs in with them yet.
//!
//! - A user named twice is DUPLICATE_RESOURCE, a credential to delete that is not there RESOURCE_NOT_FOUND, iterations
//!   outside 4096-16384 or an empty name UNACCEPTABLE_CREDENTIAL, an unknown mechanism UNSUPPORTED_SASL_MECHANISM. The
//!   others of the request are carried out all the same.

use protocol::ErrorCode;
use protocol::messages::alter_user_scram_credentials::AlterUserScramCredentialsResult;
use protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::metadata::decide::scram::alter_user_scram_credentials;

/// Decides, writes, publishes, answers.
pub async fn handle(
    context: &RequestContext,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deleted = request.deletions.iter().map(|deletion| deletion.name.clone());
    let users: Vec<String> = deleted.chain(request.upsertions.iter().map(|upsertion| upsertion.name.clone())).collect();
    let decided = context.shard.change_metadata(move |image| alter_user_scram_credentials(image, &request));
    let results = match decided.await {
        Ok(results) => results,
        Err(error) => users.into_iter().map(|user| (user, Err(metadata_error(&error)))).collect(),
    };
    let results = results.into_iter().map(|(user, result)| match result {
        Ok(()) => AlterUserScramCredentialsResult { user, error_code: ErrorCode::NONE, error_message: None },
        Err(error) => {
            AlterUserScramCredentialsResult { user, error_code: error.code, error_message: Some(error.message) }
        }
    });
    AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() }
}
