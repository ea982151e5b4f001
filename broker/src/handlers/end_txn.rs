//! EndTxn (key 26, versions 0-5): commits or aborts a transaction. Answered when the decision is durable, before the
//! partitions learn of it.
//!
//! - v2: a fenced producer is told PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH.
//! - v5: version 2 of the transaction protocol (KIP-890). The epoch rises with every end, and the answer has the id and
//!   epoch to go on with; a request that is sent again is known by the epoch before.

use protocol::ErrorCode;
use protocol::messages::{EndTxnRequest, EndTxnResponse};

use crate::context::RequestContext;
use crate::transactions::TransactionHomes;
use crate::transactions::state::{EndEvent, Producer};

/// First version of clients that get an epoch for each transaction.
const EPOCH_BUMP_VERSION_MIN: i16 = 5;

/// Ends the transaction where it is.
pub async fn handle(context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    match end(context, request).await {
        Ok(Producer { id, epoch }) => EndTxnResponse { producer_id: id, producer_epoch: epoch, ..Default::default() },
        Err(code) => {
            let fenced = code == ErrorCode::PRODUCER_FENCED && context.api_version < 2;
            let error_code = if fenced { ErrorCode::INVALID_PRODUCER_EPOCH } else { code };
            EndTxnResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
        }
    }
}

async fn end(context: &RequestContext, request: EndTxnRequest) -> Result<Producer, ErrorCode> {
    if request.transactional_id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let (commit, client_version) =
        (request.committed, if context.api_version >= EPOCH_BUMP_VERSION_MIN { 2 } else { 0 });
    let id = request.transactional_id.clone();
    let work = TransactionHomes::at(&context.shard, &id, move |shard, home| {
        Box::pin(async move {
            let ended = home.change_with_id(&shard, |state, fresh_id, now_ms, effects| {
                let event = EndEvent { producer, commit, client_version, fresh_id };
                state.end(&request.transactional_id, event, now_ms, effects)
            });
            ended.await
        })
    });
    work.await
}
