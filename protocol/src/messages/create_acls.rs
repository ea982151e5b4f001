//! CreateAcls (key 30): adds ACLs.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The ACLs to add.
    CreateAclsRequest(ApiKey::CreateAcls.versions()) {
        creations: Vec<AclCreation>, 0+;
    }

    /// Element of [`CreateAclsRequest::creations`].
    AclCreation {
        resource_type:         i8,     0+;
        resource_name:         String, 0+;
        resource_pattern_type: i8,     1+, = 3;
        principal:             String, 0+;
        host:                  String, 0+;
        operation:             i8,     0+;
        permission_type:       i8,     0+;
    }

    /// How each addition went.
    CreateAclsResponse(ApiKey::CreateAcls.versions()) {
        throttle_time_ms: i32,                    0+;
        results:          Vec<AclCreationResult>, 0+;
    }

    /// Element of [`CreateAclsResponse::results`].
    AclCreationResult {
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0, = Some(String::new());
    }
}
