//! DescribeQuorum (key 55): shows the state of the metadata quorum.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The partitions of the metadata log asked about.
    DescribeQuorumRequest(ApiKey::DescribeQuorum.versions()) {
        topics: Vec<RequestTopicData>, 0+;
    }

    /// Element of [`DescribeQuorumRequest::topics`]; Kafka calls it TopicData like another one.
    RequestTopicData {
        topic_name: String,                    0+;
        partitions: Vec<RequestPartitionData>, 0+;
    }

    /// Element of [`RequestTopicData::partitions`]; Kafka calls it PartitionData like another one.
    RequestPartitionData {
        partition_index: i32, 0+;
    }

    /// Leader, voters and observers with how far each has come.
    DescribeQuorumResponse(ApiKey::DescribeQuorum.versions()) {
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 2+, null 2, = Some(String::new());
        topics:        Vec<TopicData>, 0+;
        nodes:         Vec<Node>,      2+;
    }

    /// Element of [`DescribeQuorumResponse::topics`].
    TopicData {
        topic_name: String,             0+;
        partitions: Vec<PartitionData>, 0+;
    }

    /// Element of [`TopicData::partitions`].
    PartitionData {
        partition_index: i32,               0+;
        error_code:      ErrorCode,         0+;
        error_message:   Option<String>,    2+, null 2, = Some(String::new());
        leader_id:       i32,               0+;
        leader_epoch:    i32,               0+;
        high_watermark:  i64,               0+;
        current_voters:  Vec<ReplicaState>, 0+;
        observers:       Vec<ReplicaState>, 0+;
    }

    /// Element of [`PartitionData::current_voters`].
    ReplicaState {
        replica_id:               i32,  0+;
        replica_directory_id:     Uuid, 2+;
        log_end_offset:           i64,  0+;
        last_fetch_timestamp:     i64,  1+, = -1;
        last_caught_up_timestamp: i64,  1+, = -1;
    }

    /// Element of [`DescribeQuorumResponse::nodes`].
    Node {
        node_id:   i32,           2+;
        listeners: Vec<Listener>, 2+;
    }

    /// Element of [`Node::listeners`].
    Listener {
        name: String, 2+;
        host: String, 2+;
        port: u16,    2+;
    }
}
