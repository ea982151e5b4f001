//! ConsumerGroupHeartbeat (key 68, versions 0-1): a member of a KIP-848 consumer group joins (epoch 0), says it is alive
//! (above 0), leaves (-1), or leaves to come back as a static member (-2).
//!
//! - The first request says everything; later ones only what changed (null: as before). What the member reads is said
//!   when it changed, or in a full request, which is always answered with the assignment.
//! - v0: a member without an id is given one. v1: the client chooses it; subscriptions by RE2 pattern
//!   (INVALID_REGULAR_EXPRESSION).
//! - UNSUPPORTED_VERSION where the feature `group.version` is off or the protocol is not among
//!   `group.coordinator.rebalance.protocols`.
//! - A member that knows another epoch gets FENCED_MEMBER_EPOCH and must begin anew; errors carry a message.

use protocol::ErrorCode;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::groups::GroupSettings;
use crate::groups::consumer::{Heartbeat, check_heartbeat};
use crate::metadata::decide::ApiError;
use crate::metadata::features::GROUP_VERSION;

/// The name of the protocol in `group.coordinator.rebalance.protocols`.
const PROTOCOL: &str = "consumer";

/// Whether consumer groups are served at all.
pub(super) fn is_served(context: &RequestContext) -> bool {
    let config = context.shard.config();
    GROUP_VERSION.level(&context.shard.image()) > 0
        && config.group_protocols.iter().any(|name| name.eq_ignore_ascii_case(PROTOCOL))
}

/// Hears the member where its group is; answered when what it changed is durable.
pub async fn handle(
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    match heartbeat(context, request).await {
        Ok(response) => response,
        Err(ApiError { code, message }) => {
            ConsumerGroupHeartbeatResponse { error_code: code, error_message: Some(message), ..Default::default() }
        }
    }
}

async fn heartbeat(
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
    if !is_served(context) {
        return Err(ErrorCode::UNSUPPORTED_VERSION.into());
    }
    check_heartbeat(&GroupSettings::of(&context.shard.config()), &request, context.api_version)?;
    let client_id = context.client_id.clone().unwrap_or_default();
    let client_host = context.connection.client_host();
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let new_id = shard.random_id();
            let event = Heartbeat { request: &request, client_id: &client_id, client_host: &client_host, new_id };
            let (response, settled) =
                home.change(&shard, |state, now_ms, effects| state.consumer_heartbeat(&event, now_ms, effects))?;
            // Even a heartbeat that changes nothing may tell of a change that is not durable yet.
            let settled = if settled.is_empty() { home.settled_so_far(&shard) } else { settled };
            if response.is_ok() {
                settled.wait(&shard).await?;
            }
            Ok(response)
        })
    });
    work.await?
}
