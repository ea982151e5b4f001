//! DeleteAcls (key 31, versions 1-3): removes the access rules that match filters.
//!
//! - There is no authorizer: SECURITY_DISABLED for each filter.

use protocol::ErrorCode;
use protocol::messages::delete_acls::DeleteAclsFilterResult;
use protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use crate::context::RequestContext;

/// Refuses every filter, as Kafka does without `authorizer.class.name`.
pub async fn handle(_: &RequestContext, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = || DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: request.filters.iter().map(|_| refused()).collect(), ..Default::default() }
}
