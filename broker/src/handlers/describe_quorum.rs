//! DescribeQuorum (key 55, versions 0-2): who keeps the metadata, and how far. One node is a quorum of one.
//!
//! - Exactly `__cluster_metadata` partition 0 can be asked for; anything else is UNKNOWN_TOPIC_OR_PARTITION in its row.
//! - v1: times of the last fetch; the leader's are now. v2: directory ids, and where the nodes listen.

use protocol::ErrorCode;
use protocol::messages::describe_quorum::{Listener, Node, PartitionData, ReplicaState, TopicData};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::context::RequestContext;
use crate::metadata::METADATA_TOPIC;

/// Reign of the only leader there ever was.
const LEADER_EPOCH: i32 = 1;

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let is_metadata = match request.topics.as_slice() {
        [topic] if topic.topic_name == METADATA_TOPIC => {
            matches!(topic.partitions.as_slice(), [partition] if partition.partition_index == 0)
        }
        _ => false,
    };
    let topics = request.topics.into_iter().map(|topic| {
        let rows = topic.partitions.iter().map(|partition| match is_metadata {
            true => quorum(context),
            false => PartitionData {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                error_message: Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.message().to_owned()),
                ..Default::default()
            },
        });
        TopicData { partitions: rows.collect(), topic_name: topic.topic_name }
    });
    let topics = topics.collect();
    let nodes = if is_metadata { nodes(context) } else { Vec::new() };
    DescribeQuorumResponse { error_message: None, topics, nodes, ..Default::default() }
}

fn quorum(context: &RequestContext) -> PartitionData {
    let node_id = context.shard.identity().node_id;
    let end = context.shard.image().next_offset.0;
    let now_ms = context.shard.runtime().wall_clock_ms();
    let voter = ReplicaState {
        replica_id: node_id,
        replica_directory_id: context.shard.directories().first().map_or_else(Default::default, |first| first.id),
        log_end_offset: end,
        last_fetch_timestamp: now_ms,
        last_caught_up_timestamp: now_ms,
    };
    PartitionData {
        error_message: None,
        leader_id: node_id,
        leader_epoch: LEADER_EPOCH,
        high_watermark: end,
        current_voters: vec![voter],
        ..Default::default()
    }
}

fn nodes(context: &RequestContext) -> Vec<Node> {
    let here = context.shard.endpoint(&context.connection.listener);
    let listener = here.map(|here| Listener { name: here.listener.clone(), host: here.host.clone(), port: here.port });
    vec![Node { node_id: context.shard.identity().node_id, listeners: listener.into_iter().collect() }]
}
