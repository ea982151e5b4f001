//! ReadShareGroupState (key 84): reads the state of share partitions; from the partition leader to the share
//! coordinator.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions asked about.
    ReadShareGroupStateRequest(ApiKey::ReadShareGroupState.versions()) {
        group_id: String,             0+;
        topics:   Vec<ReadStateData>, 0+;
    }

    /// Element of [`ReadShareGroupStateRequest::topics`].
    ReadStateData {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`ReadStateData::partitions`].
    PartitionData {
        partition:    i32, 0+;
        leader_epoch: i32, 0+;
    }

    /// The state of each partition.
    ReadShareGroupStateResponse(ApiKey::ReadShareGroupState.versions()) {
        results: Vec<ReadStateResult>, 0+;
    }

    /// Element of [`ReadShareGroupStateResponse::results`].
    ReadStateResult {
        topic_id:   Uuid,                 0+;
        partitions: Vec<PartitionResult>, 0+;
    }

    /// Element of [`ReadStateResult::partitions`].
    PartitionResult {
        partition:     i32,             0+;
        error_code:    ErrorCode,       0+;
        error_message: Option<String>,  0+, null 0;
        state_epoch:   i32,             0+;
        start_offset:  i64,             0+;
        state_batches: Vec<StateBatch>, 0+;
    }

    /// Element of [`PartitionResult::state_batches`].
    StateBatch {
        first_offset:   i64, 0+;
        last_offset:    i64, 0+;
        delivery_state: i8,  0+;
        delivery_count: i16, 0+;
    }
}
