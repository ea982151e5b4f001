//! FindCoordinator (key 10, versions 0-6): which broker is in charge of a group or a transactional id.
//!
//! - One broker is in charge of everything. `__consumer_offsets` and `__transaction_state` are made when the first group or
//!   transaction asks; Kafka answers COORDINATOR_NOT_AVAILABLE while it makes them, we answer when they are there.
//! - v1: the key has a type, 0 group, 1 transaction, 2 share partition (from v6). There are no share partitions:
//!   INVALID_REQUEST, as from a Kafka without a share coordinator, and so is an unknown type.
//! - v4: many keys in one request, one answer each; v5 and v6 look the same.

use protocol::ErrorCode;
use protocol::messages::find_coordinator::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use crate::context::RequestContext;
use crate::groups::OFFSETS_TOPIC;
use crate::internal_topics::{self, TRANSACTION_STATE_TOPIC};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Tells where the coordinator is.
pub async fn handle(context: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let found = find(context, request.key_type).await;
    if context.api_version >= 4 {
        let answer = |key| coordinator(context, key, found);
        return FindCoordinatorResponse {
            coordinators: request.coordinator_keys.into_iter().map(answer).collect(),
            ..Default::default()
        };
    }
    let one = coordinator(context, request.key, found);
    // Kafka's sentence for "no error" is its name.
    let message = if one.error_code.is_error() { one.error_code.message() } else { ErrorCode::NONE.name() };
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: Some(message.to_owned()),
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..Default::default()
    }
}

async fn find(context: &RequestContext, key_type: i8) -> Result<(), ErrorCode> {
    match key_type {
        GROUP => internal_topics::ensure(&context.shard, OFFSETS_TOPIC).await,
        TRANSACTION => internal_topics::ensure(&context.shard, TRANSACTION_STATE_TOPIC).await,
        _ => Err(ErrorCode::INVALID_REQUEST),
    }
}

fn coordinator(context: &RequestContext, key: String, found: Result<(), ErrorCode>) -> Coordinator {
    let endpoint = context.shard.endpoint(&context.connection.listener).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    match found.and(endpoint) {
        Ok(endpoint) => Coordinator {
            key,
            node_id: context.shard.identity().node_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            ..Default::default()
        },
        Err(error_code) => Coordinator { key, node_id: -1, port: -1, error_code, ..Default::default() },
    }
}
