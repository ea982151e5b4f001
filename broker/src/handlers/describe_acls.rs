//! DescribeAcls (key 29, versions 1-3): the access rules that match a filter.
//!
//! - There is no authorizer: SECURITY_DISABLED, by which tools that copy rules (MirrorMaker) know that there are none.

use protocol::ErrorCode;
use protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use crate::context::RequestContext;

/// Answers that nothing is authorized here, as Kafka does without `authorizer.class.name`.
pub async fn handle(_: &RequestContext, _: DescribeAclsRequest) -> DescribeAclsResponse {
    let message = Some("No Authorizer is configured on the broker".to_owned());
    DescribeAclsResponse { error_code: ErrorCode::SECURITY_DISABLED, error_message: message, ..Default::default() }
}
