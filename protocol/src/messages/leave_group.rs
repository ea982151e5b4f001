//! LeaveGroup (key 13): removes members from a classic group.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The members that leave.
    LeaveGroupRequest(ApiKey::LeaveGroup.versions()) {
        group_id:  String,              0+;
        member_id: String,              0-2;
        members:   Vec<MemberIdentity>, 3+;
    }

    /// Element of [`LeaveGroupRequest::members`].
    MemberIdentity {
        member_id:         String,         3+;
        group_instance_id: Option<String>, 3+, null 3;
        reason:            Option<String>, 5+, null 5;
    }

    /// How each member's removal went.
    LeaveGroupResponse(ApiKey::LeaveGroup.versions()) {
        throttle_time_ms: i32,                 1+;
        error_code:       ErrorCode,           0+;
        members:          Vec<MemberResponse>, 3+;
    }

    /// Element of [`LeaveGroupResponse::members`].
    MemberResponse {
        member_id:         String,         3+;
        group_instance_id: Option<String>, 3+, null 3, = Some(String::new());
        error_code:        ErrorCode,      3+;
    }
}
