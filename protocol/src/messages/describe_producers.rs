//! DescribeProducers (key 61): shows the producers that are active on partitions.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The partitions asked about.
    DescribeProducersRequest(ApiKey::DescribeProducers.versions()) {
        topics: Vec<TopicRequest>, 0+;
    }

    /// Element of [`DescribeProducersRequest::topics`].
    TopicRequest {
        name:              String,   0+;
        partition_indexes: Vec<i32>, 0+;
    }

    /// The producers of each partition, with their open transactions.
    DescribeProducersResponse(ApiKey::DescribeProducers.versions()) {
        throttle_time_ms: i32,                0+;
        topics:           Vec<TopicResponse>, 0+;
    }

    /// Element of [`DescribeProducersResponse::topics`].
    TopicResponse {
        name:       String,                 0+;
        partitions: Vec<PartitionResponse>, 0+;
    }

    /// Element of [`TopicResponse::partitions`].
    PartitionResponse {
        partition_index:  i32,                0+;
        error_code:       ErrorCode,          0+;
        error_message:    Option<String>,     0+, null 0;
        active_producers: Vec<ProducerState>, 0+;
    }

    /// Element of [`PartitionResponse::active_producers`].
    ProducerState {
        producer_id:              i64, 0+;
        producer_epoch:           i32, 0+;
        last_sequence:            i32, 0+, = -1;
        last_timestamp:           i64, 0+, = -1;
        coordinator_epoch:        i32, 0+;
        current_txn_start_offset: i64, 0+, = -1;
    }
}
