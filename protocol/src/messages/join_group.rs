//! JoinGroup (key 11): makes a consumer a member of a classic group.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// A member's identity and the protocols it can speak.
    JoinGroupRequest(ApiKey::JoinGroup.versions()) {
        group_id:             String,                        0+;
        session_timeout_ms:   i32,                           0+;
        rebalance_timeout_ms: i32,                           1+, = -1;
        member_id:            String,                        0+;
        group_instance_id:    Option<String>,                5+, null 5;
        protocol_type:        String,                        0+;
        protocols:            Vec<JoinGroupRequestProtocol>, 0+;
        reason:               Option<String>,                8+, null 8;
    }

    /// Element of [`JoinGroupRequest::protocols`].
    JoinGroupRequestProtocol {
        name:     String, 0+;
        metadata: Bytes,  0+;
    }

    /// The new generation; the leader also gets the members.
    JoinGroupResponse(ApiKey::JoinGroup.versions()) {
        throttle_time_ms: i32,                          2+;
        error_code:       ErrorCode,                    0+;
        generation_id:    i32,                          0+, = -1;
        protocol_type:    Option<String>,               7+, null 7;
        protocol_name:    Option<String>,               0+, null 7, = Some(String::new());
        leader:           String,                       0+;
        skip_assignment:  bool,                         9+;
        member_id:        String,                       0+;
        members:          Vec<JoinGroupResponseMember>, 0+;
    }

    /// Element of [`JoinGroupResponse::members`].
    JoinGroupResponseMember {
        member_id:         String,         0+;
        group_instance_id: Option<String>, 5+, null 5;
        metadata:          Bytes,          0+;
    }
}
