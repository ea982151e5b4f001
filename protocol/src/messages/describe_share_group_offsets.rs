//! DescribeShareGroupOffsets (key 90): shows where share groups stand.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The groups and partitions asked about.
    DescribeShareGroupOffsetsRequest(ApiKey::DescribeShareGroupOffsets.versions()) {
        groups: Vec<DescribeShareGroupOffsetsRequestGroup>, 0+;
    }

    /// Element of [`DescribeShareGroupOffsetsRequest::groups`].
    DescribeShareGroupOffsetsRequestGroup {
        group_id: String,                                             0+;
        topics:   Option<Vec<DescribeShareGroupOffsetsRequestTopic>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`DescribeShareGroupOffsetsRequestGroup::topics`].
    DescribeShareGroupOffsetsRequestTopic {
        topic_name: String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// Start offset and lag of each partition.
    DescribeShareGroupOffsetsResponse(ApiKey::DescribeShareGroupOffsets.versions()) {
        throttle_time_ms: i32,                                         0+;
        groups:           Vec<DescribeShareGroupOffsetsResponseGroup>, 0+;
    }

    /// Element of [`DescribeShareGroupOffsetsResponse::groups`].
    DescribeShareGroupOffsetsResponseGroup {
        group_id:      String,                                      0+;
        topics:        Vec<DescribeShareGroupOffsetsResponseTopic>, 0+;
        error_code:    ErrorCode,                                   0+;
        error_message: Option<String>,                              0+, null 0;
    }

    /// Element of [`DescribeShareGroupOffsetsResponseGroup::topics`].
    DescribeShareGroupOffsetsResponseTopic {
        topic_name: String,                                          0+;
        topic_id:   Uuid,                                            0+;
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition>, 0+;
    }

    /// Element of [`DescribeShareGroupOffsetsResponseTopic::partitions`].
    DescribeShareGroupOffsetsResponsePartition {
        partition_index: i32,            0+;
        start_offset:    i64,            0+;
        leader_epoch:    i32,            0+;
        lag:             i64,            1+, = -1;
        error_code:      ErrorCode,      0+;
        error_message:   Option<String>, 0+, null 0;
    }
}
