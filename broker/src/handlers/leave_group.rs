//! LeaveGroup (key 13, versions 0-5): members leave, or are removed by an administrator.
//!
//! - Up to v2 one member, and its error is the answer's.
//! - v3: many, each by member id or by group instance id, with an answer each. A static member that merely stops does not
//!   leave: its place is kept until its session ends.
//! - v5: a reason, for people reading logs.

use protocol::ErrorCode;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;

/// Removes the members.
pub async fn handle(context: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let members = if context.api_version >= 3 {
        request.members
    } else {
        vec![MemberIdentity { member_id: request.member_id, ..Default::default() }]
    };
    match leave(context, request.group_id, members).await {
        Ok(members) if context.api_version >= 3 => LeaveGroupResponse { members, ..Default::default() },
        Ok(members) => {
            let error_code = members.first().map_or(ErrorCode::NONE, |member| member.error_code);
            LeaveGroupResponse { error_code, ..Default::default() }
        }
        Err(error_code) => LeaveGroupResponse { error_code, ..Default::default() },
    }
}

async fn leave(
    context: &RequestContext,
    group_id: String,
    members: Vec<MemberIdentity>,
) -> Result<Vec<MemberResponse>, ErrorCode> {
    if group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let of = group_id.clone();
    let work = GroupHomes::at(&context.shard, &of, move |shard, home| {
        Box::pin(async move {
            let leave = home.change(&shard, |state, now_ms, effects| state.leave(&group_id, &members, now_ms, effects));
            let (responses, settled) = leave?;
            settled.wait(&shard).await?;
            Ok(responses)
        })
    });
    work.await
}
