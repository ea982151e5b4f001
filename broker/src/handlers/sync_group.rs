//! SyncGroup (key 14, versions 0-5): a member asks for its assignment, the leader brings everyone's; answered when the
//! leader's word is durable.
//!
//! - v3: static members by group instance id.
//! - v5: protocol type and name must be said and must be those of the group (INCONSISTENT_GROUP_PROTOCOL).

use protocol::ErrorCode;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::groups::classic::SyncEvent;
use crate::groups::effects::Reply;

/// Syncs, and waits.
pub async fn handle(context: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    let named = request.protocol_type.is_some() && request.protocol_name.is_some();
    let result = if context.api_version >= 5 && !named {
        Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    } else if request.group_id.is_empty() {
        Err(ErrorCode::INVALID_GROUP_ID)
    } else {
        sync(context, request).await
    };
    result.unwrap_or_else(|error_code| SyncGroupResponse { error_code, ..Default::default() })
}

async fn sync(context: &RequestContext, request: SyncGroupRequest) -> Result<SyncGroupResponse, ErrorCode> {
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let (answer, _) = home.change(&shard, |state, now_ms, effects| {
                let (token, answer) = shard.groups().wait();
                state.sync(&request.group_id, SyncEvent::new(&request, token), now_ms, effects);
                answer
            })?;
            match answer.await {
                Ok(Reply::Sync(response)) => Ok(response),
                Ok(Reply::Join(_)) | Err(_) => Err(ErrorCode::NOT_COORDINATOR),
            }
        })
    });
    work.await
}
