//! DescribeUserScramCredentials (key 50, version 0): which mechanisms users have credentials for, and how many iterations.
//!
//! - No users, or null: all. One named twice is DUPLICATE_RESOURCE, one without credentials RESOURCE_NOT_FOUND.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::describe_user_scram_credentials::{CredentialInfo, DescribeUserScramCredentialsResult};
use protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use crate::context::RequestContext;
use crate::metadata::MetadataImage;

/// Answers from the image.
pub async fn handle(
    context: &RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let image = context.shard.image();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    match request.users.filter(|users| !users.is_empty()) {
        Some(users) => users.into_iter().for_each(|user| *times.entry(user.name).or_default() += 1),
        None => times.extend(image.scram_credentials.keys().map(|(user, _)| (user.clone(), 1))),
    }
    let results = times.into_iter().map(|(user, times)| describe(&image, user, times)).collect();
    DescribeUserScramCredentialsResponse { error_message: None, results, ..Default::default() }
}

fn describe(image: &MetadataImage, user: String, times: usize) -> DescribeUserScramCredentialsResult {
    let of_user = image.scram_credentials.iter().filter(|((name, _), _)| *name == user);
    let info = |(key, credential): (&(String, crate::metadata::ScramMechanism), &crate::metadata::ScramCredential)| {
        CredentialInfo { mechanism: key.1 as i8, iterations: credential.iterations }
    };
    let credential_infos: Vec<_> = of_user.map(info).collect();
    let wrong = if times > 1 {
        let message = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
        Some((ErrorCode::DUPLICATE_RESOURCE, format!("{message}{user}")))
    } else if credential_infos.is_empty() {
        let message = "Attempt to describe a user credential that does not exist: ";
        Some((ErrorCode::RESOURCE_NOT_FOUND, format!("{message}{user}")))
    } else {
        None
    };
    match wrong {
        Some((error_code, message)) => DescribeUserScramCredentialsResult {
            user,
            error_code,
            error_message: Some(message),
            credential_infos: Vec::new(),
        },
        None => {
            DescribeUserScramCredentialsResult { user, error_message: None, credential_infos, ..Default::default() }
        }
    }
}
