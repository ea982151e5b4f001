//! EndTxn (key 26): commits or aborts a transaction.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Which transaction, and which end.
    EndTxnRequest(ApiKey::EndTxn.versions()) {
        transactional_id: String, 0+;
        producer_id:      i64,    0+;
        producer_epoch:   i16,    0+;
        committed:        bool,   0+;
    }

    /// How it went; from version 5 on with the id and epoch to go on with.
    EndTxnResponse(ApiKey::EndTxn.versions()) {
        throttle_time_ms: i32,       0+;
        error_code:       ErrorCode, 0+;
        producer_id:      i64,       5+, = -1;
        producer_epoch:   i16,       5+, = -1;
    }
}
