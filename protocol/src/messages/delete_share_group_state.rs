//! DeleteShareGroupState (key 86): drops the state of share partitions.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions to drop.
    DeleteShareGroupStateRequest(ApiKey::DeleteShareGroupState.versions()) {
        group_id: String,               0+;
        topics:   Vec<DeleteStateData>, 0+;
    }

    /// Element of [`DeleteShareGroupStateRequest::topics`].
    DeleteStateData {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`DeleteStateData::partitions`].
    PartitionData {
        partition: i32, 0+;
    }

    /// How each partition's deletion went.
    DeleteShareGroupStateResponse(ApiKey::DeleteShareGroupState.versions()) {
        results: Vec<DeleteStateResult>, 0+;
    }

    /// Element of [`DeleteShareGroupStateResponse::results`].
    DeleteStateResult {
        topic_id:   Uuid,                 0+;
        partitions: Vec<PartitionResult>, 0+;
    }

    /// Element of [`DeleteStateResult::partitions`].
    PartitionResult {
        partition:     i32,            0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0;
    }
}
