//! DescribeTransactions (key 65, version 0): where transactions stand, and the partitions that wait for their end.
//!
//! - An unknown transactional id is TRANSACTIONAL_ID_NOT_FOUND, an empty one INVALID_REQUEST.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::describe_transactions::TransactionState;
use protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use crate::context::RequestContext;
use crate::transactions::TransactionHomes;

/// Describes each transaction where it is.
pub async fn handle(context: &RequestContext, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let described = request.transactional_ids.into_iter().map(|id| describe(context, id));
    DescribeTransactionsResponse { transaction_states: join_all(described).await, ..Default::default() }
}

async fn describe(context: &RequestContext, transactional_id: String) -> TransactionState {
    let failed =
        |error_code| TransactionState { error_code, transactional_id: transactional_id.clone(), ..Default::default() };
    if transactional_id.is_empty() {
        return failed(ErrorCode::INVALID_REQUEST);
    }
    let id = transactional_id.clone();
    let described = TransactionHomes::at(&context.shard, &transactional_id, move |_, home| {
        Box::pin(async move { home.read(|state| state.describe(&id))? })
    });
    described.await.unwrap_or_else(failed)
}
