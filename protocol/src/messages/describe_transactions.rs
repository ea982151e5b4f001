//! DescribeTransactions (key 65): shows transactions with their partitions.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The transactional ids asked about.
    DescribeTransactionsRequest(ApiKey::DescribeTransactions.versions()) {
        transactional_ids: Vec<String>, 0+;
    }

    /// State, producer and partitions of each transaction.
    DescribeTransactionsResponse(ApiKey::DescribeTransactions.versions()) {
        throttle_time_ms:   i32,                   0+;
        transaction_states: Vec<TransactionState>, 0+;
    }

    /// Element of [`DescribeTransactionsResponse::transaction_states`].
    TransactionState {
        error_code:                ErrorCode,      0+;
        transactional_id:          String,         0+;
        transaction_state:         String,         0+;
        transaction_timeout_ms:    i32,            0+;
        transaction_start_time_ms: i64,            0+;
        producer_id:               i64,            0+;
        producer_epoch:            i16,            0+;
        topics:                    Vec<TopicData>, 0+;
    }

    /// Element of [`TransactionState::topics`].
    TopicData {
        topic:      String,   0+;
        partitions: Vec<i32>, 0+;
    }
}
