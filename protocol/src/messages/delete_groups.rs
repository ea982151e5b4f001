//! DeleteGroups (key 42): deletes empty groups.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The groups to delete.
    DeleteGroupsRequest(ApiKey::DeleteGroups.versions()) {
        groups_names: Vec<String>, 0+;
    }

    /// How each deletion went.
    DeleteGroupsResponse(ApiKey::DeleteGroups.versions()) {
        throttle_time_ms: i32,                       0+;
        results:          Vec<DeletableGroupResult>, 0+;
    }

    /// Element of [`DeleteGroupsResponse::results`].
    DeletableGroupResult {
        group_id:      String,         0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 3+, null 3;
    }
}
