//! DescribeGroups (key 15): shows classic groups with their members.

use bytes::Bytes;

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The groups asked about.
    DescribeGroupsRequest(ApiKey::DescribeGroups.versions()) {
        groups:                        Vec<String>, 0+;
        include_authorized_operations: bool,        3+;
    }

    /// State, protocol and members of each group.
    DescribeGroupsResponse(ApiKey::DescribeGroups.versions()) {
        throttle_time_ms: i32,                 1+;
        groups:           Vec<DescribedGroup>, 0+;
    }

    /// Element of [`DescribeGroupsResponse::groups`].
    DescribedGroup {
        error_code:            ErrorCode,                 0+;
        error_message:         Option<String>,            6+, null 6;
        group_id:              String,                    0+;
        group_state:           String,                    0+;
        protocol_type:         String,                    0+;
        protocol_data:         String,                    0+;
        members:               Vec<DescribedGroupMember>, 0+;
        authorized_operations: i32,                       3+, = i32::MIN;
    }

    /// Element of [`DescribedGroup::members`].
    DescribedGroupMember {
        member_id:         String,         0+;
        group_instance_id: Option<String>, 4+, null 4;
        client_id:         String,         0+;
        client_host:       String,         0+;
        member_metadata:   Bytes,          0+;
        member_assignment: Bytes,          0+;
    }
}
