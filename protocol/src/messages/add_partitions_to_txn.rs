//! AddPartitionsToTxn (key 24): adds partitions to a transaction; from version 4 on, brokers verify them with it in
//! batches.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The partitions each transaction is about to write.
    AddPartitionsToTxnRequest(ApiKey::AddPartitionsToTxn.versions()) {
        transactions:                  Vec<AddPartitionsToTxnTransaction>, 4+;
        v3_and_below_transactional_id: String,                             0-3;
        v3_and_below_producer_id:      i64,                                0-3;
        v3_and_below_producer_epoch:   i16,                                0-3;
        v3_and_below_topics:           Vec<AddPartitionsToTxnTopic>,       0-3;
    }

    /// Element of [`AddPartitionsToTxnRequest::transactions`].
    AddPartitionsToTxnTransaction {
        transactional_id: String,                       4+;
        producer_id:      i64,                          4+;
        producer_epoch:   i16,                          4+;
        verify_only:      bool,                         4+;
        topics:           Vec<AddPartitionsToTxnTopic>, 4+;
    }

    /// Element of [`AddPartitionsToTxnTransaction::topics`].
    AddPartitionsToTxnTopic {
        name:       String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// How each partition's addition went.
    AddPartitionsToTxnResponse(ApiKey::AddPartitionsToTxn.versions()) {
        throttle_time_ms:              i32,                                0+;
        error_code:                    ErrorCode,                          4+;
        results_by_transaction:        Vec<AddPartitionsToTxnResult>,      4+;
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>, 0-3;
    }

    /// Element of [`AddPartitionsToTxnResponse::results_by_transaction`].
    AddPartitionsToTxnResult {
        transactional_id: String,                             4+;
        topic_results:    Vec<AddPartitionsToTxnTopicResult>, 4+;
    }

    /// Element of [`AddPartitionsToTxnResult::topic_results`].
    AddPartitionsToTxnTopicResult {
        name:                 String,                                 0+;
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>, 0+;
    }

    /// Element of [`AddPartitionsToTxnTopicResult::results_by_partition`].
    AddPartitionsToTxnPartitionResult {
        partition_index:      i32,       0+;
        partition_error_code: ErrorCode, 0+;
    }
}
