//! UnregisterBroker (key 64, version 0): strikes a node off the cluster for good.
//!
//! - A node that is not of the cluster: BROKER_ID_NOT_REGISTERED. This one serves the request, so it is in service:
//!   INVALID_REQUEST.

use protocol::ErrorCode;
use protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::context::RequestContext;

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse {
    let id = request.broker_id;
    let (error_code, message) = match context.shard.image().brokers.contains_key(&id) {
        false => (ErrorCode::BROKER_ID_NOT_REGISTERED, format!("Broker ID {id} is not currently registered")),
        true => (ErrorCode::INVALID_REQUEST, format!("Broker {id} is in service: stop it first")),
    };
    UnregisterBrokerResponse { error_code, error_message: Some(message), ..Default::default() }
}
