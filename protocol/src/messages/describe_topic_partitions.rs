//! DescribeTopicPartitions (key 75): shows topics page by page, with eligible leader replicas.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The topics asked about and where to go on.
    DescribeTopicPartitionsRequest(ApiKey::DescribeTopicPartitions.versions()) {
        topics:                   Vec<TopicRequest>, 0+;
        response_partition_limit: i32,               0+, = 2000;
        cursor:                   Option<Cursor>,    0+, null 0;
    }

    /// Element of [`DescribeTopicPartitionsRequest::topics`].
    TopicRequest {
        name: String, 0+;
    }

    /// Value of [`DescribeTopicPartitionsRequest::cursor`].
    Cursor {
        topic_name:      String, 0+;
        partition_index: i32,    0+;
    }

    /// Partitions, and where the next page begins.
    DescribeTopicPartitionsResponse(ApiKey::DescribeTopicPartitions.versions()) {
        throttle_time_ms: i32,                                       0+;
        topics:           Vec<DescribeTopicPartitionsResponseTopic>, 0+;
        next_cursor:      Option<Cursor>,                            0+, null 0;
    }

    /// Element of [`DescribeTopicPartitionsResponse::topics`].
    DescribeTopicPartitionsResponseTopic {
        error_code:                  ErrorCode,                                     0+;
        name:                        Option<String>,                                0+, null 0, = Some(String::new());
        topic_id:                    Uuid,                                          0+;
        is_internal:                 bool,                                          0+;
        partitions:                  Vec<DescribeTopicPartitionsResponsePartition>, 0+;
        topic_authorized_operations: i32,                                           0+, = i32::MIN;
    }

    /// Element of [`DescribeTopicPartitionsResponseTopic::partitions`].
    DescribeTopicPartitionsResponsePartition {
        error_code:               ErrorCode,        0+;
        partition_index:          i32,              0+;
        leader_id:                i32,              0+;
        leader_epoch:             i32,              0+, = -1;
        replica_nodes:            Vec<i32>,         0+;
        isr_nodes:                Vec<i32>,         0+;
        eligible_leader_replicas: Option<Vec<i32>>, 0+, null 0;
        last_known_elr:           Option<Vec<i32>>, 0+, null 0;
        offline_replicas:         Vec<i32>,         0+;
    }
}
