//! Committing, fetching, deleting and ageing offsets (OffsetMetadataManager.java).

use std::rc::Rc;

use protocol::messages::offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::offset_delete::{
    OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequestTopics, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::{ErrorCode, Uuid};

use super::GroupState;
use crate::groups::classic::{ClassicGroup, Committer};
use crate::groups::effects::{Effects, Then};
use crate::groups::group::Group;
use crate::groups::offsets::{CommittedOffset, PartitionOffsets};
use crate::groups::records::GroupRecord;

/// Offsets of one topic to commit; its partitions exist.
#[derive(Debug, Clone)]
pub struct TopicToCommit {
    /// Name of the topic.
    pub name: String,
    /// Id of the topic.
    pub topic_id: Uuid,
    /// What to commit.
    pub partitions: Vec<OffsetToCommit>,
}

/// An offset to commit.
#[derive(Debug, Clone)]
pub struct OffsetToCommit {
    /// Number of the partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// -1: unknown.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: Option<String>,
}

/// An OffsetCommit request as the state machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct CommitEvent<'a> {
    /// Who commits.
    pub who: Committer<'a>,
    /// Version of the request.
    pub version: i16,
    /// -1 but for old clients that choose how long their offsets live.
    pub retention_ms: i64,
    /// What is committed.
    pub topics: &'a [TopicToCommit],
}

/// What a commit comes to.
pub(super) struct OffsetRecords {
    /// The group that commits.
    pub group_id: Rc<str>,
    /// What is recorded.
    pub records: Vec<GroupRecord>,
    /// What it is told.
    pub responses: Vec<OffsetCommitResponseTopic>,
}

impl GroupState {
    /// Commits offsets. The answer holds once the append asked for is durable.
    pub fn commit_offsets(
        &mut self,
        group_id: &str,
        event: CommitEvent<'_>,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<Vec<OffsetCommitResponseTopic>, ErrorCode> {
        let OffsetRecords { group_id, records, responses } = self.offset_records(group_id, event, now_ms)?;
        if let Some(Group::Classic(group)) = self.groups.get(&group_id) {
            group.committed(event.who.member_id, effects);
        }
        self.append_offsets(records, effects);
        Ok(responses)
    }

    /// What a commit comes to; nothing is changed but that the group is there.
    pub(super) fn offset_records(
        &mut self,
        group_id: &str,
        event: CommitEvent<'_>,
        now_ms: i64,
    ) -> Result<OffsetRecords, ErrorCode> {
        let CommitEvent { retention_ms, topics, .. } = event;
        let group_id = self.group_to_commit_to(group_id, event, now_ms)?;
        let expire_timestamp_ms = (retention_ms != -1).then(|| now_ms.saturating_add(retention_ms));
        let mut records = Vec::new();
        let mut responses = Vec::with_capacity(topics.len());
        for topic in topics {
            let name: Rc<str> = topic.name.as_str().into();
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for commit in &topic.partitions {
                let error_code = if self.is_metadata_too_large(commit.metadata.as_deref()) {
                    ErrorCode::OFFSET_METADATA_TOO_LARGE
                } else {
                    let value = committed(topic, commit, now_ms, expire_timestamp_ms);
                    records.push(GroupRecord::offset(&group_id, &name, commit.partition, Some(value)));
                    ErrorCode::NONE
                };
                let partition_index = commit.partition;
                partitions.push(OffsetCommitResponsePartition { partition_index, error_code });
            }
            let (name, topic_id) = (topic.name.clone(), topic.topic_id);
            responses.push(OffsetCommitResponseTopic { name, topic_id, partitions });
        }
        Ok(OffsetRecords { group_id, records, responses })
    }

    /// The group to commit to, made if need be: who commits without membership needs no group to have been there.
    fn group_to_commit_to(
        &mut self,
        group_id: &str,
        CommitEvent { who, version, topics, .. }: CommitEvent<'_>,
        now_ms: i64,
    ) -> Result<Rc<str>, ErrorCode> {
        let known = match self.groups.get(group_id) {
            Some(group) => {
                group.validate_offset_commit(who, version, partitions_of(topics))?;
                Some(group.group_id().clone())
            }
            None if who.generation >= 0 && version >= 9 => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None if who.generation >= 0 => return Err(ErrorCode::ILLEGAL_GENERATION),
            None => None,
        };
        let adds = |topic: &TopicToCommit| {
            topic.partitions.iter().any(|p| self.offsets.get(group_id, &topic.name, p.partition).is_none())
        };
        if !self.has_room(commit_bytes(topics)) && topics.iter().any(adds) {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        Ok(known.unwrap_or_else(|| {
            let group_id: Rc<str> = group_id.into();
            self.insert(Group::Classic(ClassicGroup::new(group_id.clone(), now_ms)));
            group_id
        }))
    }

    /// Kafka counts UTF-16 units, which are never more than the bytes of UTF-8.
    fn is_metadata_too_large(&self, metadata: Option<&str>) -> bool {
        let max = self.settings.offset_metadata_max;
        metadata.is_some_and(|text| text.len() > max && text.encode_utf16().count() > max)
    }

    pub(super) fn append_offsets(&mut self, records: Vec<GroupRecord>, effects: &mut Effects) {
        if !records.is_empty() {
            effects.append(records, Then::Offsets);
            self.watch_last_append(effects);
        }
    }

    /// Remembers the append just asked for until it is durable.
    pub(super) fn watch_last_append(&mut self, effects: &Effects) {
        self.in_flight.extend(effects.appends.last().map(|append| append.records.clone()));
    }

    /// Changes of offsets are durable and seen from now on, or were refused and never happened.
    pub(super) fn offsets_appended(&mut self, records: &Rc<Vec<GroupRecord>>, outcome: Result<(), ErrorCode>) {
        self.landed(records);
        if outcome.is_err() {
            return;
        }
        for record in records.iter() {
            if let GroupRecord::Offset { group_id, topic, partition, value } = record {
                self.pending.overtaken(group_id, topic, *partition, value.is_none());
                self.offsets.apply(group_id, topic, *partition, value.clone());
            }
        }
    }

    /// Whether a client may fetch offsets of a group now; of one that is unknown it may, and there are none.
    pub fn validate_offset_fetch(&self, group_id: &str, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        self.groups.get(group_id).map_or(Ok(()), |group| group.validate_offset_fetch(member_id, epoch))
    }

    /// These are not on their way any more.
    pub(super) fn landed(&mut self, records: &Rc<Vec<GroupRecord>>) {
        if let Some(index) = self.in_flight.iter().position(|watched| Rc::ptr_eq(watched, records)) {
            self.in_flight.remove(index);
        }
    }

    /// Committed offsets of the partitions asked for; unknown ones are -1 without an error.
    pub fn fetch_offsets(&self, group_id: &str, topics: &[OffsetFetchRequestTopics]) -> Vec<OffsetFetchResponseTopics> {
        // A group that is gone may still have offsets whose tombstones are on their way.
        let known = self.groups.get(group_id).and_then(|_| self.offsets.of_group(group_id));
        let fetch = |topic: &OffsetFetchRequestTopics| {
            let partitions = known.and_then(|topics| topics.get(topic.name.as_str()));
            let fetched = topic.partition_indexes.iter().map(|&partition_index| {
                let found = partitions.and_then(|partitions| partitions.get(&partition_index));
                // Committed for a topic of the same name that has been deleted since.
                let found = found.filter(|offset| is_same_topic(offset.topic_id, topic.topic_id));
                fetched_partition(partition_index, found)
            });
            OffsetFetchResponseTopics {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: fetched.collect(),
            }
        };
        topics.iter().map(fetch).collect()
    }

    /// All committed offsets of a group.
    pub fn fetch_all_offsets(&self, group_id: &str) -> Vec<OffsetFetchResponseTopics> {
        let known = self.groups.get(group_id).and_then(|_| self.offsets.of_group(group_id));
        let fetch = |(name, partitions): (&Rc<str>, &PartitionOffsets)| OffsetFetchResponseTopics {
            name: name.to_string(),
            partitions: partitions
                .iter()
                .map(|(&partition, offset)| fetched_partition(partition, Some(offset)))
                .collect(),
            ..Default::default()
        };
        known.into_iter().flatten().map(fetch).collect()
    }

    /// Deletes offsets of topics no member reads.
    pub fn delete_offsets(
        &mut self,
        group_id: &str,
        topics: &[OffsetDeleteRequestTopic],
        effects: &mut Effects,
    ) -> Result<Vec<OffsetDeleteResponseTopic>, ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        group.validate_offset_delete()?;
        let mut records = Vec::new();
        let mut responses = Vec::with_capacity(topics.len());
        for topic in topics {
            let subscribed = group.is_subscribed_to(&topic.name);
            let error_code = if subscribed { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
            let name: Rc<str> = topic.name.as_str().into();
            let delete = topic.partitions.iter().map(|partition| partition.partition_index);
            let exists = |&partition: &i32| !subscribed && self.is_committed(group_id, &name, partition);
            let tombstone = |partition| GroupRecord::offset(group.group_id(), &name, partition, None);
            records.extend(delete.clone().filter(exists).map(tombstone));
            let answer = |partition_index| OffsetDeleteResponsePartition { partition_index, error_code };
            let partitions = delete.map(answer).collect();
            responses.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
        self.append_offsets(records, effects);
        Ok(responses)
    }

    /// Whether an offset is committed, or on its way.
    fn is_committed(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        self.offsets.get(group_id, topic, partition).is_some()
            || self.pending.has(group_id, topic, partition)
            || self.in_flight_of(group_id).any(|(name, number)| **name == *topic && number == partition)
    }

    /// Partitions with an offset of the group on its way.
    pub(super) fn in_flight_of<'a>(&'a self, group_id: &'a str) -> impl Iterator<Item = (&'a Rc<str>, i32)> {
        self.in_flight.iter().flat_map(|records| records.iter()).filter_map(move |record| match record {
            GroupRecord::Offset { group_id: of, topic, partition, value: Some(_) } if **of == *group_id => {
                Some((topic, *partition))
            }
            _ => None,
        })
    }
}

fn committed(
    topic: &TopicToCommit,
    commit: &OffsetToCommit,
    now_ms: i64,
    expire_timestamp_ms: Option<i64>,
) -> CommittedOffset {
    // The only version of the record with an expiry time has room for neither epoch nor topic id.
    let recorded = expire_timestamp_ms.is_none();
    CommittedOffset {
        offset: commit.offset,
        leader_epoch: (recorded && commit.leader_epoch >= 0).then_some(commit.leader_epoch),
        metadata: commit.metadata.as_deref().unwrap_or_default().into(),
        commit_timestamp_ms: now_ms,
        expire_timestamp_ms,
        topic_id: if recorded { topic.topic_id } else { Uuid::ZERO },
    }
}

fn partitions_of(topics: &[TopicToCommit]) -> impl Iterator<Item = (&str, Uuid, i32)> + '_ {
    topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|commit| (topic.name.as_str(), topic.topic_id, commit.partition)))
}

/// Memory a commit may add, roughly.
fn commit_bytes(topics: &[TopicToCommit]) -> usize {
    let of_topic = |topic: &TopicToCommit| {
        let metadata: usize = topic.partitions.iter().map(|p| p.metadata.as_ref().map_or(0, String::len)).sum();
        metadata + topic.partitions.len() * (128 + topic.name.len())
    };
    topics.iter().map(of_topic).sum()
}

fn is_same_topic(committed: Uuid, asked: Uuid) -> bool {
    committed.is_zero() || asked.is_zero() || committed == asked
}

fn fetched_partition(partition_index: i32, found: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: found.map_or(-1, |offset| offset.offset),
        committed_leader_epoch: found.and_then(|offset| offset.leader_epoch).unwrap_or(-1),
        metadata: Some(found.map_or_else(String::new, |offset| offset.metadata.to_string())),
        ..Default::default()
    }
}
