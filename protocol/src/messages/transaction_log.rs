//! The records of `__transaction_state`.

use crate::wire::Versions;

message! {
    /// Which transactional id.
    TransactionLogKey(Versions::classic(0, 0)) {
        transactional_id: String, 0+;
    }

    /// Where its transaction stands; a null value drops it.
    TransactionLogValue(Versions::new(0, 1, 1)) {
        producer_id:                          i64,                           0+;
        previous_producer_id:                 i64,                           1+, tag 0, = -1;
        next_producer_id:                     i64,                           1+, tag 1, = -1;
        producer_epoch:                       i16,                           0+;
        next_producer_epoch:                  i16,                           1+, tag 3, = -1;
        transaction_timeout_ms:               i32,                           0+;
        transaction_status:                   i8,                            0+;
        transaction_partitions:               Option<Vec<PartitionsSchema>>, 0+, null 0, = Some(Vec::new());
        transaction_last_update_timestamp_ms: i64,                           0+;
        transaction_start_timestamp_ms:       i64,                           0+;
        client_transaction_version:           i16,                           1+, tag 2;
    }

    /// Element of [`TransactionLogValue::transaction_partitions`].
    PartitionsSchema {
        topic:         String,   0+;
        partition_ids: Vec<i32>, 0+;
    }
}

record_types! {
    TransactionLogKey = 0;
}
