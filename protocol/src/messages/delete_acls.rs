//! DeleteAcls (key 31): removes ACLs.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Filters; what matches one of them is removed.
    DeleteAclsRequest(ApiKey::DeleteAcls.versions()) {
        filters: Vec<DeleteAclsFilter>, 0+;
    }

    /// Element of [`DeleteAclsRequest::filters`].
    DeleteAclsFilter {
        resource_type_filter: i8,             0+;
        resource_name_filter: Option<String>, 0+, null 0, = Some(String::new());
        pattern_type_filter:  i8,             1+, = 3;
        principal_filter:     Option<String>, 0+, null 0, = Some(String::new());
        host_filter:          Option<String>, 0+, null 0, = Some(String::new());
        operation:            i8,             0+;
        permission_type:      i8,             0+;
    }

    /// What each filter removed.
    DeleteAclsResponse(ApiKey::DeleteAcls.versions()) {
        throttle_time_ms: i32,                         0+;
        filter_results:   Vec<DeleteAclsFilterResult>, 0+;
    }

    /// Element of [`DeleteAclsResponse::filter_results`].
    DeleteAclsFilterResult {
        error_code:    ErrorCode,                  0+;
        error_message: Option<String>,             0+, null 0, = Some(String::new());
        matching_acls: Vec<DeleteAclsMatchingAcl>, 0+;
    }

    /// Element of [`DeleteAclsFilterResult::matching_acls`].
    DeleteAclsMatchingAcl {
        error_code:      ErrorCode,      0+;
        error_message:   Option<String>, 0+, null 0, = Some(String::new());
        resource_type:   i8,             0+;
        resource_name:   String,         0+;
        pattern_type:    i8,             1+, = 3;
        principal:       String,         0+;
        host:            String,         0+;
        operation:       i8,             0+;
        permission_type: i8,             0+;
    }
}
