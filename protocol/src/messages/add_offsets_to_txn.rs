//! AddOffsetsToTxn (key 25): adds a group's offsets to a transaction.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The group whose offsets the transaction will commit.
    AddOffsetsToTxnRequest(ApiKey::AddOffsetsToTxn.versions()) {
        transactional_id: String, 0+;
        producer_id:      i64,    0+;
        producer_epoch:   i16,    0+;
        group_id:         String, 0+;
    }

    /// How it went.
    AddOffsetsToTxnResponse(ApiKey::AddOffsetsToTxn.versions()) {
        throttle_time_ms: i32,       0+;
        error_code:       ErrorCode, 0+;
    }
}
