//! JoinGroup (key 11, versions 0-9): a member asks to take part; answered when the join phase ends.
//!
//! - v0: one timeout for session and rebalance. v1: a rebalance timeout of its own.
//! - v4: a dynamic member without an id is given one first (MEMBER_ID_REQUIRED) and comes again with it.
//! - v5: static members by group instance id. v7: the answer has the protocol type; no protocol name is null, before "".
//! - v8: the client's reason, which is only of interest to people reading logs.
//! - v9: a static leader that comes back to a stable group is told not to assign anew.

use protocol::ErrorCode;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::groups::GroupSettings;
use crate::groups::classic::JoinEvent;
use crate::groups::effects::Reply;
use crate::groups::state::GroupState;

/// Joins, and waits.
pub async fn handle(context: &RequestContext, request: JoinGroupRequest) -> JoinGroupResponse {
    let member_id = request.member_id.clone();
    let response = match GroupState::check_join(&GroupSettings::of(&context.shard.config()), &request) {
        Ok(()) => join(context, request).await.unwrap_or_else(|error_code| failed(error_code, String::new())),
        Err(error_code) => failed(error_code, member_id),
    };
    with_protocol_name_for(context.api_version, response)
}

async fn join(context: &RequestContext, request: JoinGroupRequest) -> Result<JoinGroupResponse, ErrorCode> {
    let version = context.api_version;
    let client_id = context.client_id.clone().unwrap_or_default();
    let client_host = context.connection.client_host();
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let (answer, _) = home.change(&shard, |state, now_ms, effects| {
                let (token, answer) = shard.groups().wait();
                let client = (client_id.as_str(), client_host.as_str());
                let event = JoinEvent::new(&request, version, client, shard.random_id(), token);
                state.join(&request.group_id, &event, now_ms, effects);
                answer
            })?;
            match answer.await {
                Ok(Reply::Join(response)) => Ok(response),
                Ok(Reply::Sync(_)) | Err(_) => Err(ErrorCode::NOT_COORDINATOR),
            }
        })
    });
    work.await
}

fn failed(error_code: ErrorCode, member_id: String) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id, ..Default::default() }
}

fn with_protocol_name_for(version: i16, mut response: JoinGroupResponse) -> JoinGroupResponse {
    let name = response.protocol_name.take().unwrap_or_default();
    response.protocol_name = if version >= 7 && name.is_empty() { None } else { Some(name) };
    response
}
