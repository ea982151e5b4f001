//! Produce (key 0): appends record batches to partitions.

use super::{ApiKey, Records};
use crate::{ErrorCode, Uuid};

message! {
    /// Record batches for the partitions of some topics.
    ProduceRequest(ApiKey::Produce.versions()) {
        transactional_id: Option<String>,        3+, null 3;
        acks:             i16,                   0+;
        timeout_ms:       i32,                   0+;
        topic_data:       Vec<TopicProduceData>, 0+;
    }

    /// Element of [`ProduceRequest::topic_data`].
    TopicProduceData {
        name:           String,                    0-12;
        topic_id:       Uuid,                      13+;
        partition_data: Vec<PartitionProduceData>, 0+;
    }

    /// Element of [`TopicProduceData::partition_data`].
    PartitionProduceData {
        index:   i32,             0+;
        records: Option<Records>, 0+, null 0;
    }

    /// Where each batch went, or why it did not.
    ProduceResponse(ApiKey::Produce.versions()) {
        responses:        Vec<TopicProduceResponse>, 0+;
        throttle_time_ms: i32,                       1+;
        node_endpoints:   Vec<NodeEndpoint>,         10+, tag 0;
    }

    /// Element of [`ProduceResponse::responses`].
    TopicProduceResponse {
        name:                String,                        0-12;
        topic_id:            Uuid,                          13+;
        partition_responses: Vec<PartitionProduceResponse>, 0+;
    }

    /// Element of [`TopicProduceResponse::partition_responses`].
    PartitionProduceResponse {
        index:              i32,                            0+;
        error_code:         ErrorCode,                      0+;
        base_offset:        i64,                            0+;
        log_append_time_ms: i64,                            2+, = -1;
        log_start_offset:   i64,                            5+, = -1;
        record_errors:      Vec<BatchIndexAndErrorMessage>, 8+;
        error_message:      Option<String>,                 8+, null 8;
        current_leader:     LeaderIdAndEpoch,               10+, tag 0;
    }

    /// Element of [`PartitionProduceResponse::record_errors`].
    BatchIndexAndErrorMessage {
        batch_index:               i32,            8+;
        batch_index_error_message: Option<String>, 8+, null 8;
    }

    /// Value of [`PartitionProduceResponse::current_leader`].
    LeaderIdAndEpoch {
        leader_id:    i32, 10+, = -1;
        leader_epoch: i32, 10+, = -1;
    }

    /// Element of [`ProduceResponse::node_endpoints`].
    NodeEndpoint {
        node_id: i32,            10+;
        host:    String,         10+;
        port:    i32,            10+;
        rack:    Option<String>, 10+, null 10;
    }
}
