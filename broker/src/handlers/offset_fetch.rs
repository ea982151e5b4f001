//! OffsetFetch (key 9, versions 1-10): how far groups have read.
//!
//! - A partition nothing is committed for is -1 without an error; so is everything of an unknown group.
//! - v2: no topics (null) means all; errors of the group are the answer's own, before each partition's.
//! - v7: `require_stable` waits for what is on its way; an offset that a transaction is about to change is
//!   UNSTABLE_OFFSET_COMMIT.
//! - v8: many groups. v9: a member of a consumer group says who it is (UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH).
//! - v10: topics by id (unknown: UNKNOWN_TOPIC_ID); offsets committed for a deleted topic of the same
//!   name are not told.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::metadata::MetadataImage;

/// Fetches each group's offsets where the group is.
pub async fn handle(context: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let stable = request.require_stable;
    let version = context.api_version;
    if version >= 8 {
        let fetches = request.groups.into_iter().map(|group| fetch(context, group, stable));
        return OffsetFetchResponse { groups: join_all(fetches).await, ..Default::default() };
    }
    let topics = request.topics.map(|topics| {
        let widen =
            |name, partition_indexes| OffsetFetchRequestTopics { name, partition_indexes, ..Default::default() };
        topics.into_iter().map(|topic| widen(topic.name, topic.partition_indexes)).collect()
    });
    let group = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() };
    let fetched = fetch(context, group, stable).await;
    OffsetFetchResponse {
        error_code: fetched.error_code,
        topics: fetched.topics.into_iter().map(narrow).collect(),
        ..Default::default()
    }
}

async fn fetch(context: &RequestContext, mut group: OffsetFetchRequestGroup, stable: bool) -> OffsetFetchResponseGroup {
    let image = context.shard.image();
    let by_id = context.api_version >= 10;
    let mut unknown = Vec::new();
    if by_id && let Some(topics) = &mut group.topics {
        unknown = name_topics(&image, topics);
    }
    let (group_id, asked) = (group.group_id.clone(), group.topics.clone());
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            if stable {
                home.settled_so_far(&shard).wait(&shard).await?;
            }
            home.read(|state| {
                state.validate_offset_fetch(&group.group_id, group.member_id.as_deref(), group.member_epoch)?;
                let mut fetched = match &group.topics {
                    Some(topics) => state.fetch_offsets(&group.group_id, topics),
                    None => state.fetch_all_offsets(&group.group_id),
                };
                if stable {
                    state.mark_unstable(&group.group_id, &mut fetched);
                }
                Ok(fetched)
            })?
        })
    });
    match work.await {
        Ok(mut topics) => {
            if by_id && asked.is_none() {
                add_ids(&image, &mut topics);
            }
            topics.extend(unknown);
            OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
        }
        Err(error_code) if context.api_version >= 2 => {
            OffsetFetchResponseGroup { group_id, error_code, ..Default::default() }
        }
        Err(error_code) => {
            let topics = asked.unwrap_or_default().iter().map(|topic| failed(topic, error_code)).collect();
            OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
        }
    }
}

/// Gives topics asked for by id their names; takes out unknown ones and returns the answer for them.
fn name_topics(image: &MetadataImage, topics: &mut Vec<OffsetFetchRequestTopics>) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    topics.retain_mut(|topic| match image.topic_by_id(topic.topic_id) {
        Some(known) => {
            topic.name = known.name.to_string();
            true
        }
        None => {
            unknown.push(failed(topic, ErrorCode::UNKNOWN_TOPIC_ID));
            false
        }
    });
    unknown
}

/// A topic without an id cannot be told in this version: it is gone.
fn add_ids(image: &MetadataImage, topics: &mut Vec<OffsetFetchResponseTopics>) {
    topics.retain_mut(|topic| {
        let known = image.topic(&topic.name);
        topic.topic_id = known.map(|known| known.id).unwrap_or_default();
        known.is_some()
    });
}

fn failed(topic: &OffsetFetchRequestTopics, error_code: ErrorCode) -> OffsetFetchResponseTopics {
    let partition = |&partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        error_code,
        ..Default::default()
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}

fn narrow(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    OffsetFetchResponseTopic { name: topic.name, partitions: topic.partitions.into_iter().map(partition).collect() }
}
