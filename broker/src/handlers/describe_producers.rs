//! DescribeProducers (key 61, version 0): the producers that a partition remembers, with their open transactions.
//!
//! - A name no topic can have is INVALID_TOPIC_EXCEPTION, a partition that is not there UNKNOWN_TOPIC_OR_PARTITION.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::describe_producers::{PartitionResponse, ProducerState, TopicRequest, TopicResponse};
use protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use storage::LogId;
use storage::producer_state::ProducerEntry;

use crate::context::RequestContext;
use crate::topic_name;

/// Asks each partition on its core.
pub async fn handle(context: &RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| of_topic(context, topic));
    DescribeProducersResponse { topics: join_all(topics).await, ..Default::default() }
}

async fn of_topic(context: &RequestContext, asked: TopicRequest) -> TopicResponse {
    let partitions = asked.partition_indexes.iter().map(|partition| of_partition(context, &asked.name, *partition));
    let partitions = join_all(partitions).await;
    TopicResponse { name: asked.name, partitions }
}

async fn of_partition(context: &RequestContext, topic: &str, partition_index: i32) -> PartitionResponse {
    if let Err(reason) = topic_name::check(topic) {
        let (error_code, error_message) = (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(reason.to_string()));
        return PartitionResponse { partition_index, error_code, error_message, ..Default::default() };
    }
    match producers(context, topic, partition_index).await {
        Ok(producers) => {
            let active_producers = producers.iter().map(state).collect();
            PartitionResponse { partition_index, active_producers, ..Default::default() }
        }
        Err(error_code) => PartitionResponse { partition_index, error_code, ..Default::default() },
    }
}

async fn producers(context: &RequestContext, topic: &str, partition: i32) -> Result<Vec<ProducerEntry>, ErrorCode> {
    let image = context.shard.image();
    let found = image.topic(topic).filter(|topic| topic.partition(partition).is_some());
    let topic_id = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.id;
    let asked = context.shard.on_partition(LogId { topic_id, partition }, |partition| {
        Box::pin(std::future::ready(Ok(partition.log().producers())))
    });
    asked.await
}

fn state(entry: &ProducerEntry) -> ProducerState {
    ProducerState {
        producer_id: entry.producer_id,
        producer_epoch: entry.producer_epoch.into(),
        last_sequence: entry.last_sequence(),
        last_timestamp: entry.last_timestamp_ms,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.current_txn_first_offset.map_or(-1, |offset| offset.0),
    }
}
