//! WriteShareGroupState (key 85): stores the state of share partitions; from the partition leader to the share
//! coordinator.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The changes of each partition's state.
    WriteShareGroupStateRequest(ApiKey::WriteShareGroupState.versions()) {
        group_id: String,              0+;
        topics:   Vec<WriteStateData>, 0+;
    }

    /// Element of [`WriteShareGroupStateRequest::topics`].
    WriteStateData {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`WriteStateData::partitions`].
    PartitionData {
        partition:               i32,             0+;
        state_epoch:             i32,             0+;
        leader_epoch:            i32,             0+;
        start_offset:            i64,             0+;
        delivery_complete_count: i32,             1+, = -1;
        state_batches:           Vec<StateBatch>, 0+;
    }

    /// Element of [`PartitionData::state_batches`].
    StateBatch {
        first_offset:   i64, 0+;
        last_offset:    i64, 0+;
        delivery_state: i8,  0+;
        delivery_count: i16, 0+;
    }

    /// How each partition's change went.
    WriteShareGroupStateResponse(ApiKey::WriteShareGroupState.versions()) {
        results: Vec<WriteStateResult>, 0+;
    }

    /// Element of [`WriteShareGroupStateResponse::results`].
    WriteStateResult {
        topic_id:   Uuid,                 0+;
        partitions: Vec<PartitionResult>, 0+;
    }

    /// Element of [`WriteStateResult::partitions`].
    PartitionResult {
        partition:     i32,            0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0;
    }
}
