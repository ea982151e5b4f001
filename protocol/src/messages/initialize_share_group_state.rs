//! InitializeShareGroupState (key 83): starts the state of share partitions; from the group to the share coordinator.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions and where each starts.
    InitializeShareGroupStateRequest(ApiKey::InitializeShareGroupState.versions()) {
        group_id: String,                   0+;
        topics:   Vec<InitializeStateData>, 0+;
    }

    /// Element of [`InitializeShareGroupStateRequest::topics`].
    InitializeStateData {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`InitializeStateData::partitions`].
    PartitionData {
        partition:    i32, 0+;
        state_epoch:  i32, 0+;
        start_offset: i64, 0+;
    }

    /// How each partition's start went.
    InitializeShareGroupStateResponse(ApiKey::InitializeShareGroupState.versions()) {
        results: Vec<InitializeStateResult>, 0+;
    }

    /// Element of [`InitializeShareGroupStateResponse::results`].
    InitializeStateResult {
        topic_id:   Uuid,                 0+;
        partitions: Vec<PartitionResult>, 0+;
    }

    /// Element of [`InitializeStateResult::partitions`].
    PartitionResult {
        partition:     i32,            0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0;
    }
}
