//! OffsetDelete (key 47, version 0): deletes committed offsets, partition by partition.
//!
//! - Of a group with members only if they are consumers (else NON_EMPTY_GROUP), and only of topics none of them reads
//!   (else GROUP_SUBSCRIBED_TO_TOPIC).
//! - A partition that does not exist is UNKNOWN_TOPIC_OR_PARTITION. An error of the group is the only answer.

use protocol::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::metadata::MetadataImage;

/// Deletes what exists.
pub async fn handle(context: &RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let (known, mut topics) = split_known(&context.shard.image(), request.topics);
    match delete(context, request.group_id, known).await {
        Ok(deleted) => {
            for topic in deleted {
                match topics.iter_mut().find(|known| known.name == topic.name) {
                    Some(known) => known.partitions.extend(topic.partitions),
                    None => topics.push(topic),
                }
            }
            OffsetDeleteResponse { topics, ..Default::default() }
        }
        Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
    }
}

/// Partitions that exist, and the answer for those that do not.
fn split_known(
    image: &MetadataImage,
    asked: Vec<OffsetDeleteRequestTopic>,
) -> (Vec<OffsetDeleteRequestTopic>, Vec<OffsetDeleteResponseTopic>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for OffsetDeleteRequestTopic { name, partitions } in asked {
        let topic = image.topic(&name);
        let exists = |partition_index| topic.is_some_and(|topic| topic.partition(partition_index).is_some());
        let (here, missing): (Vec<_>, Vec<_>) = partitions.into_iter().partition(|p| exists(p.partition_index));
        if !missing.is_empty() {
            let partitions = missing.iter().map(|partition| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            });
            unknown.push(OffsetDeleteResponseTopic { name: name.clone(), partitions: partitions.collect() });
        }
        if !here.is_empty() {
            known.push(OffsetDeleteRequestTopic { name, partitions: here });
        }
    }
    (known, unknown)
}

async fn delete(
    context: &RequestContext,
    group_id: String,
    topics: Vec<OffsetDeleteRequestTopic>,
) -> Result<Vec<OffsetDeleteResponseTopic>, ErrorCode> {
    if group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let of = group_id.clone();
    let work = GroupHomes::at(&context.shard, &of, move |shard, home| {
        Box::pin(async move {
            let (deleted, settled) =
                home.change(&shard, |state, _, effects| state.delete_offsets(&group_id, &topics, effects))?;
            let deleted = deleted?;
            settled.wait(&shard).await?;
            Ok(deleted)
        })
    });
    work.await
}
