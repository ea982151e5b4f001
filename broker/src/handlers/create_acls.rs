//! CreateAcls (key 30, versions 1-3): adds access rules.
//!
//! - There is no authorizer: SECURITY_DISABLED for each of them. A rule that nobody would keep to is not taken.

use protocol::ErrorCode;
use protocol::messages::create_acls::AclCreationResult;
use protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use crate::context::RequestContext;

/// Refuses every rule, as Kafka does without `authorizer.class.name`.
pub async fn handle(_: &RequestContext, request: CreateAclsRequest) -> CreateAclsResponse {
    let refused = || AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
    };
    CreateAclsResponse { results: request.creations.iter().map(|_| refused()).collect(), ..Default::default() }
}
