//! ListGroups (key 16): lists the groups a broker coordinates.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Filters on state and type; empty lists let everything through.
    ListGroupsRequest(ApiKey::ListGroups.versions()) {
        states_filter: Vec<String>, 4+;
        types_filter:  Vec<String>, 5+;
    }

    /// Groups with their type and state.
    ListGroupsResponse(ApiKey::ListGroups.versions()) {
        throttle_time_ms: i32,              1+;
        error_code:       ErrorCode,        0+;
        groups:           Vec<ListedGroup>, 0+;
    }

    /// Element of [`ListGroupsResponse::groups`].
    ListedGroup {
        group_id:      String, 0+;
        protocol_type: String, 0+;
        group_state:   String, 4+;
        group_type:    String, 5+;
    }
}
