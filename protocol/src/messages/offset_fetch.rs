//! OffsetFetch (key 9): reads the stored positions of groups.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The groups and partitions whose positions are asked for.
    OffsetFetchRequest(ApiKey::OffsetFetch.versions()) {
        group_id:       String,                               0-7;
        topics:         Option<Vec<OffsetFetchRequestTopic>>, 0-7, null 2, = Some(Vec::new());
        groups:         Vec<OffsetFetchRequestGroup>,         8+;
        require_stable: bool,                                 7+;
    }

    /// Element of [`OffsetFetchRequest::topics`].
    OffsetFetchRequestTopic {
        name:              String,   0-7;
        partition_indexes: Vec<i32>, 0-7;
    }

    /// Element of [`OffsetFetchRequest::groups`].
    OffsetFetchRequestGroup {
        group_id:     String,                                8+;
        member_id:    Option<String>,                        9+, null 9;
        member_epoch: i32,                                   9+, = -1;
        topics:       Option<Vec<OffsetFetchRequestTopics>>, 8+, null 8, = Some(Vec::new());
    }

    /// Element of [`OffsetFetchRequestGroup::topics`].
    OffsetFetchRequestTopics {
        name:              String,   8-9;
        topic_id:          Uuid,     10+;
        partition_indexes: Vec<i32>, 8+;
    }

    /// Stored positions; -1 where there is none.
    OffsetFetchResponse(ApiKey::OffsetFetch.versions()) {
        throttle_time_ms: i32,                           3+;
        topics:           Vec<OffsetFetchResponseTopic>, 0-7;
        error_code:       ErrorCode,                     2-7;
        groups:           Vec<OffsetFetchResponseGroup>, 8+;
    }

    /// Element of [`OffsetFetchResponse::topics`].
    OffsetFetchResponseTopic {
        name:       String,                            0-7;
        partitions: Vec<OffsetFetchResponsePartition>, 0-7;
    }

    /// Element of [`OffsetFetchResponseTopic::partitions`].
    OffsetFetchResponsePartition {
        partition_index:        i32,            0-7;
        committed_offset:       i64,            0-7;
        committed_leader_epoch: i32,            5-7, = -1;
        metadata:               Option<String>, 0-7, null 0, = Some(String::new());
        error_code:             ErrorCode,      0-7;
    }

    /// Element of [`OffsetFetchResponse::groups`].
    OffsetFetchResponseGroup {
        group_id:   String,                         8+;
        topics:     Vec<OffsetFetchResponseTopics>, 8+;
        error_code: ErrorCode,                      8+;
    }

    /// Element of [`OffsetFetchResponseGroup::topics`].
    OffsetFetchResponseTopics {
        name:       String,                             8-9;
        topic_id:   Uuid,                               10+;
        partitions: Vec<OffsetFetchResponsePartitions>, 8+;
    }

    /// Element of [`OffsetFetchResponseTopics::partitions`].
    OffsetFetchResponsePartitions {
        partition_index:        i32,            8+;
        committed_offset:       i64,            8+;
        committed_leader_epoch: i32,            8+, = -1;
        metadata:               Option<String>, 8+, null 8, = Some(String::new());
        error_code:             ErrorCode,      8+;
    }
}
