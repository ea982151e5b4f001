//! ReadShareGroupStateSummary (key 87): reads where share partitions start.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions asked about.
    ReadShareGroupStateSummaryRequest(ApiKey::ReadShareGroupStateSummary.versions()) {
        group_id: String,                    0+;
        topics:   Vec<ReadStateSummaryData>, 0+;
    }

    /// Element of [`ReadShareGroupStateSummaryRequest::topics`].
    ReadStateSummaryData {
        topic_id:   Uuid,               0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`ReadStateSummaryData::partitions`].
    PartitionData {
        partition:    i32, 0+;
        leader_epoch: i32, 0+;
    }

    /// Start offset and epoch of each partition.
    ReadShareGroupStateSummaryResponse(ApiKey::ReadShareGroupStateSummary.versions()) {
        results: Vec<ReadStateSummaryResult>, 0+;
    }

    /// Element of [`ReadShareGroupStateSummaryResponse::results`].
    ReadStateSummaryResult {
        topic_id:   Uuid,                 0+;
        partitions: Vec<PartitionResult>, 0+;
    }

    /// Element of [`ReadStateSummaryResult::partitions`].
    PartitionResult {
        partition:               i32,            0+;
        error_code:              ErrorCode,      0+;
        error_message:           Option<String>, 0+, null 0;
        state_epoch:             i32,            0+;
        leader_epoch:            i32,            0+;
        start_offset:            i64,            0+;
        delivery_complete_count: i32,            1+, = -1;
    }
}
