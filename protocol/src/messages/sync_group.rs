//! SyncGroup (key 14): hands out the assignments of a classic group.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The leader's assignments; empty from everyone else.
    SyncGroupRequest(ApiKey::SyncGroup.versions()) {
        group_id:          String,                          0+;
        generation_id:     i32,                             0+;
        member_id:         String,                          0+;
        group_instance_id: Option<String>,                  3+, null 3;
        protocol_type:     Option<String>,                  5+, null 5;
        protocol_name:     Option<String>,                  5+, null 5;
        assignments:       Vec<SyncGroupRequestAssignment>, 0+;
    }

    /// Element of [`SyncGroupRequest::assignments`].
    SyncGroupRequestAssignment {
        member_id:  String, 0+;
        assignment: Bytes,  0+;
    }

    /// The member's own assignment.
    SyncGroupResponse(ApiKey::SyncGroup.versions()) {
        throttle_time_ms: i32,            1+;
        error_code:       ErrorCode,      0+;
        protocol_type:    Option<String>, 5+, null 5;
        protocol_name:    Option<String>, 5+, null 5;
        assignment:       Bytes,          0+;
    }
}
