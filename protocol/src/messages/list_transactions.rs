//! ListTransactions (key 66): lists the transactions a broker coordinates.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Filters on state, producer id, duration and name.
    ListTransactionsRequest(ApiKey::ListTransactions.versions()) {
        state_filters:            Vec<String>,    0+;
        producer_id_filters:      Vec<i64>,       0+;
        duration_filter:          i64,            1+, = -1;
        transactional_id_pattern: Option<String>, 2+, null 2;
    }

    /// Transactions with their producer and state.
    ListTransactionsResponse(ApiKey::ListTransactions.versions()) {
        throttle_time_ms:      i32,                   0+;
        error_code:            ErrorCode,             0+;
        unknown_state_filters: Vec<String>,           0+;
        transaction_states:    Vec<TransactionState>, 0+;
    }

    /// Element of [`ListTransactionsResponse::transaction_states`].
    TransactionState {
        transactional_id:  String, 0+;
        producer_id:       i64,    0+;
        transaction_state: String, 0+;
    }
}
