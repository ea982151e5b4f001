//! WriteTxnMarkers (key 27): writes the control records that end transactions.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The markers to write.
    WriteTxnMarkersRequest(ApiKey::WriteTxnMarkers.versions()) {
        markers: Vec<WritableTxnMarker>, 0+;
    }

    /// Element of [`WriteTxnMarkersRequest::markers`].
    WritableTxnMarker {
        producer_id:         i64,                         0+;
        producer_epoch:      i16,                         0+;
        transaction_result:  bool,                        0+;
        topics:              Vec<WritableTxnMarkerTopic>, 0+;
        coordinator_epoch:   i32,                         0+;
        transaction_version: i8,                          2+;
    }

    /// Element of [`WritableTxnMarker::topics`].
    WritableTxnMarkerTopic {
        name:              String,   0+;
        partition_indexes: Vec<i32>, 0+;
    }

    /// How each partition's marker went.
    WriteTxnMarkersResponse(ApiKey::WriteTxnMarkers.versions()) {
        markers: Vec<WritableTxnMarkerResult>, 0+;
    }

    /// Element of [`WriteTxnMarkersResponse::markers`].
    WritableTxnMarkerResult {
        producer_id: i64,                               0+;
        topics:      Vec<WritableTxnMarkerTopicResult>, 0+;
    }

    /// Element of [`WritableTxnMarkerResult::topics`].
    WritableTxnMarkerTopicResult {
        name:       String,                                0+;
        partitions: Vec<WritableTxnMarkerPartitionResult>, 0+;
    }

    /// Element of [`WritableTxnMarkerTopicResult::partitions`].
    WritableTxnMarkerPartitionResult {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
    }
}
