//! OffsetForLeaderEpoch (key 23, versions 2-4): where a leader epoch ended, for clients and followers to find out
//! whether their log went another way (KIP-101, KIP-320).
//!
//! The epoch in force is answered with the log's end; an epoch never heard of with (-1, -1); one from before the first
//! with itself and the start of the next; any other with the largest epoch up to it and its end.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopic, OffsetForLeaderTopicResult,
};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use storage::LeaderEpoch;

use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::partition::Partition;

/// Looks every partition up on its core.
pub async fn handle(context: &RequestContext, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let image = context.shard.image();
    let topics: Vec<_> = request.topics.into_iter().map(|topic| answer_topic(context, &image, topic)).collect();
    OffsetForLeaderEpochResponse { topics: join_all(topics).await, ..Default::default() }
}

fn answer_topic(
    context: &RequestContext,
    image: &MetadataImage,
    topic: OffsetForLeaderTopic,
) -> impl Future<Output = OffsetForLeaderTopicResult> + use<> {
    let rows: Vec<_> = topic.partitions.into_iter().map(|asked| answer(context, image, &topic.topic, asked)).collect();
    async move { OffsetForLeaderTopicResult { topic: topic.topic, partitions: join_all(rows).await } }
}

fn answer(
    context: &RequestContext,
    image: &MetadataImage,
    topic: &str,
    asked: OffsetForLeaderPartition,
) -> impl Future<Output = EpochEndOffset> + use<> {
    let partition = asked.partition;
    let id = image.log_id(topic, partition);
    let found = id.map(|id| {
        context.shard.on_partition(id, move |partition| Box::pin(std::future::ready(look_up(&partition, &asked))))
    });
    async move {
        let found = match found {
            Some(found) => found.await,
            None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        match found {
            Ok((leader_epoch, end_offset)) => {
                EpochEndOffset { error_code: ErrorCode::NONE, partition, leader_epoch, end_offset }
            }
            Err(error_code) => EpochEndOffset { error_code, partition, ..Default::default() },
        }
    }
}

fn look_up(partition: &Partition, asked: &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode> {
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let end = partition.log().end_offset_for_epoch(LeaderEpoch(asked.leader_epoch));
    Ok(end.map_or((-1, -1), |(epoch, offset)| (epoch.0, offset.0)))
}
