//! OffsetCommit (key 8, versions 2-10): stores how far a group has read; answered when that is durable.
//!
//! - v2-4: the client may say how long its offsets live. v6: the leader epoch of the last record read. v7: static members
//!   by group instance id. v9: an unknown group is GROUP_ID_NOT_FOUND, before ILLEGAL_GENERATION.
//! - v10: topics by id (unknown: UNKNOWN_TOPIC_ID); before, by name. Partitions that do not exist are
//!   UNKNOWN_TOPIC_OR_PARTITION, and the rest is committed.
//! - The client's metadata is at most `offset.metadata.max.bytes` long (OFFSET_METADATA_TOO_LARGE).

use protocol::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::groups::classic::Committer;
use crate::groups::state::{CommitEvent, OffsetToCommit, TopicToCommit};
use crate::metadata::MetadataImage;

/// Commits what exists.
pub async fn handle(context: &RequestContext, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
    let asked = std::mem::take(&mut request.topics);
    let (known, mut topics) = split_known(&context.shard.image(), asked, context.api_version >= 10);
    if known.is_empty() {
        return OffsetCommitResponse { topics, ..Default::default() };
    }
    let refused: Vec<_> = known.iter().map(|topic| (topic.name.clone(), topic.topic_id, numbers(topic))).collect();
    let committed = commit(context, request, known).await.unwrap_or_else(|error_code| {
        refused.into_iter().map(|(name, topic_id, numbers)| answer(name, topic_id, numbers, error_code)).collect()
    });
    for topic in committed {
        match topics.iter_mut().find(|known| known.topic_id == topic.topic_id && known.name == topic.name) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    OffsetCommitResponse { topics, ..Default::default() }
}

async fn commit(
    context: &RequestContext,
    request: OffsetCommitRequest,
    topics: Vec<TopicToCommit>,
) -> Result<Vec<OffsetCommitResponseTopic>, ErrorCode> {
    let version = context.api_version;
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            home.check_room()?;
            let who = Committer {
                member_id: &request.member_id,
                group_instance_id: request.group_instance_id.as_deref(),
                generation: request.generation_id_or_member_epoch,
                transactional: false,
            };
            let event = CommitEvent { who, version, retention_ms: request.retention_time_ms, topics: &topics };
            let (committed, settled) = home.change(&shard, |state, now_ms, effects| {
                state.commit_offsets(&request.group_id, event, now_ms, effects)
            })?;
            let committed = committed?;
            settled.wait(&shard).await?;
            Ok(committed)
        })
    });
    work.await
}

/// Partitions that exist, and the answer for those that do not.
pub(super) fn split_known(
    image: &MetadataImage,
    asked: Vec<OffsetCommitRequestTopic>,
    by_id: bool,
) -> (Vec<TopicToCommit>, Vec<OffsetCommitResponseTopic>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for OffsetCommitRequestTopic { name, topic_id, partitions } in asked {
        let topic = if by_id { image.topic_by_id(topic_id) } else { image.topic(&name) };
        let Some(topic) = topic else {
            let error_code = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            let numbers = partitions.iter().map(|partition| partition.partition_index).collect();
            unknown.push(answer(name, topic_id, numbers, error_code));
            continue;
        };
        let (here, missing): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|p| topic.partition(p.partition_index).is_some());
        if !missing.is_empty() {
            let numbers = missing.iter().map(|partition| partition.partition_index).collect();
            unknown.push(answer(topic.name.to_string(), topic.id, numbers, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        }
        if !here.is_empty() {
            let partitions = here.into_iter().map(to_commit).collect();
            known.push(TopicToCommit { name: topic.name.to_string(), topic_id: topic.id, partitions });
        }
    }
    (known, unknown)
}

fn to_commit(partition: OffsetCommitRequestPartition) -> OffsetToCommit {
    OffsetToCommit {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata,
    }
}

pub(super) fn numbers(topic: &TopicToCommit) -> Vec<i32> {
    topic.partitions.iter().map(|commit| commit.partition).collect()
}

pub(super) fn answer(
    name: String,
    topic_id: Uuid,
    numbers: Vec<i32>,
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partition = |partition_index| OffsetCommitResponsePartition { partition_index, error_code };
    OffsetCommitResponseTopic { name, topic_id, partitions: numbers.into_iter().map(partition).collect() }
}
