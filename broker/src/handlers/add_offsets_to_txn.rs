//! AddOffsetsToTxn (key 25, versions 0-4): a group's offsets join a transaction, for clients that speak version 1 of the
//! transaction protocol. Answered when that is durable.
//!
//! - What joins is the group's partition of `__consumer_offsets`.
//! - v2: a fenced producer is told PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH.

use protocol::ErrorCode;
use protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::context::RequestContext;
use crate::groups::{GroupHomes, OFFSETS_TOPIC};
use crate::transactions::TransactionHomes;
use crate::transactions::state::Producer;

/// Adds the group's partition.
pub async fn handle(context: &RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let code = add(context, request).await.err().unwrap_or(ErrorCode::NONE);
    let fenced = code == ErrorCode::PRODUCER_FENCED && context.api_version < 2;
    let error_code = if fenced { ErrorCode::INVALID_PRODUCER_EPOCH } else { code };
    AddOffsetsToTxnResponse { error_code, ..Default::default() }
}

async fn add(context: &RequestContext, request: AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    if request.transactional_id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let partition =
        GroupHomes::id_of(&context.shard, &request.group_id).map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let id = request.transactional_id.clone();
    let work = TransactionHomes::at(&context.shard, &id, move |shard, home| {
        Box::pin(async move {
            let partitions = [(OFFSETS_TOPIC.into(), partition.partition)];
            home.add_partitions(&shard, &request.transactional_id, producer, &partitions, 0).await
        })
    });
    work.await
}
