//! DescribeAcls (key 29): lists ACLs.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The filter ACLs have to match.
    DescribeAclsRequest(ApiKey::DescribeAcls.versions()) {
        resource_type_filter: i8,             0+;
        resource_name_filter: Option<String>, 0+, null 0, = Some(String::new());
        pattern_type_filter:  i8,             1+, = 3;
        principal_filter:     Option<String>, 0+, null 0, = Some(String::new());
        host_filter:          Option<String>, 0+, null 0, = Some(String::new());
        operation:            i8,             0+;
        permission_type:      i8,             0+;
    }

    /// The ACLs that match.
    DescribeAclsResponse(ApiKey::DescribeAcls.versions()) {
        throttle_time_ms: i32,                       0+;
        error_code:       ErrorCode,                 0+;
        error_message:    Option<String>,            0+, null 0, = Some(String::new());
        resources:        Vec<DescribeAclsResource>, 0+;
    }

    /// Element of [`DescribeAclsResponse::resources`].
    DescribeAclsResource {
        resource_type: i8,                  0+;
        resource_name: String,              0+;
        pattern_type:  i8,                  1+, = 3;
        acls:          Vec<AclDescription>, 0+;
    }

    /// Element of [`DescribeAclsResource::acls`].
    AclDescription {
        principal:       String, 0+;
        host:            String, 0+;
        operation:       i8,     0+;
        permission_type: i8,     0+;
    }
}
