//! Heartbeat (key 12, versions 0-4): a member says that it is alive, and hears whether it should rejoin
//! (REBALANCE_IN_PROGRESS).
//!
//! - v3: static members by group instance id.
//! - While the group is being loaded the answer is NONE: its sessions begin anew anyway.

use protocol::ErrorCode;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;

/// Resets the member's session.
pub async fn handle(context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    if request.group_id.is_empty() {
        return HeartbeatResponse { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
    }
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let (error_code, _) = home.change(&shard, |state, _, effects| state.heartbeat(&request, effects))?;
            Ok(error_code)
        })
    });
    let error_code = match work.await {
        Ok(error_code) => error_code,
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
        Err(error_code) => error_code,
    };
    HeartbeatResponse { error_code, ..Default::default() }
}
