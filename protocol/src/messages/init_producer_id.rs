//! InitProducerId (key 22): gives a producer its id and epoch.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// A producer that wants an id, or a higher epoch for the one it has.
    InitProducerIdRequest(ApiKey::InitProducerId.versions()) {
        transactional_id:       Option<String>, 0+, null 0, = Some(String::new());
        transaction_timeout_ms: i32,            0+;
        producer_id:            i64,            3+, = -1;
        producer_epoch:         i16,            3+, = -1;
        enable_2pc:             bool,           6+;
        keep_prepared_txn:      bool,           6+;
    }

    /// The id and epoch to write with.
    InitProducerIdResponse(ApiKey::InitProducerId.versions()) {
        throttle_time_ms:           i32,       0+;
        error_code:                 ErrorCode, 0+;
        producer_id:                i64,       0+, = -1;
        producer_epoch:             i16,       0+;
        ongoing_txn_producer_id:    i64,       6+, = -1;
        ongoing_txn_producer_epoch: i16,       6+, = -1;
    }
}
