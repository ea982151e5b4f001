//! ListTransactions (key 66, versions 0-2): the transactional ids of this broker.
//!
//! - Filters on state and producer id; names of states that nobody knows come back. v1: only those open for longer than
//!   a time. v2: only ids that a pattern matches whole (INVALID_REGULAR_EXPRESSION if it is none).
//! - While a partition of `__transaction_state` is being loaded the answer is COORDINATOR_LOAD_IN_PROGRESS: half a list
//!   would be taken for the whole.

use protocol::messages::list_transactions::TransactionState;
use protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use crate::context::RequestContext;
use crate::transactions::TransactionHomes;
use crate::transactions::state::{ListFilter, Listed};

/// Gathers the transactions of all cores.
pub async fn handle(context: &RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let pattern = request.transactional_id_pattern.as_deref();
    let made = ListFilter::new(&request.state_filters, request.producer_id_filters, request.duration_filter, pattern);
    let (filter, unknown_state_filters) = match made {
        Ok(made) => made,
        Err(error_code) => return ListTransactionsResponse { error_code, ..Default::default() },
    };
    let listed = TransactionHomes::at_all(&context.shard, move |shard, home| {
        home.read(|state| state.list(&filter, shard.runtime().wall_clock_ms()))
    });
    match listed.await {
        Ok(listed) => {
            let transaction_states = listed.into_iter().flatten().map(line).collect();
            ListTransactionsResponse { unknown_state_filters, transaction_states, ..Default::default() }
        }
        Err(error_code) => ListTransactionsResponse { error_code, ..Default::default() },
    }
}

fn line(listed: Listed) -> TransactionState {
    TransactionState {
        transactional_id: listed.transactional_id,
        producer_id: listed.producer_id,
        transaction_state: listed.status.to_owned(),
    }
}
