//! The records of one streams group, in Kafka's format: types 17 and 19 to 23 of `__consumer_offsets`.

use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::coordinator_record::{RecordKey, to_versioned_bytes};
use protocol::messages::streams_group_records::*;
use protocol::wire::{DecodeError, Message, Reader};

/// A record of a streams group; without a value, a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamsRecord {
    /// The group's epoch, and what it was when it began.
    Epoch(Option<StreamsGroupMetadataValue>),
    /// The subtopologies with their topics.
    Topology(Option<StreamsGroupTopologyValue>),
    /// What a member says about itself.
    Member(Rc<str>, Option<StreamsGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<StreamsGroupTargetAssignmentMetadataValue>),
    /// The tasks a member is to have.
    Target(Rc<str>, Option<StreamsGroupTargetAssignmentMemberValue>),
    /// The tasks a member has.
    Current(Rc<str>, Option<StreamsGroupCurrentMemberAssignmentValue>),
}

/// What a record is about: the last record of a key is what counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamsKey {
    /// See [`StreamsRecord::Member`].
    Member(Rc<str>),
    /// See [`StreamsRecord::Topology`].
    Topology,
    /// See [`StreamsRecord::Epoch`].
    Epoch,
    /// See [`StreamsRecord::Target`].
    Target(Rc<str>),
    /// See [`StreamsRecord::TargetEpoch`].
    TargetEpoch,
    /// See [`StreamsRecord::Current`].
    Current(Rc<str>),
}

/// The assignment epoch of a group whose last change is not there as a whole.
pub const UNFINISHED_EPOCH: i32 = -1;

const EPOCH: i16 = StreamsGroupMetadataKey::TYPE;
const TOPOLOGY: i16 = StreamsGroupTopologyKey::TYPE;
const MEMBER: i16 = StreamsGroupMemberMetadataKey::TYPE;
const TARGET_EPOCH: i16 = StreamsGroupTargetAssignmentMetadataKey::TYPE;
const TARGET: i16 = StreamsGroupTargetAssignmentMemberKey::TYPE;
const CURRENT: i16 = StreamsGroupCurrentMemberAssignmentKey::TYPE;

impl StreamsRecord {
    /// What it is about.
    pub fn key(&self) -> StreamsKey {
        match self {
            StreamsRecord::Epoch(_) => StreamsKey::Epoch,
            StreamsRecord::Topology(_) => StreamsKey::Topology,
            StreamsRecord::Member(id, _) => StreamsKey::Member(id.clone()),
            StreamsRecord::TargetEpoch(_) => StreamsKey::TargetEpoch,
            StreamsRecord::Target(id, _) => StreamsKey::Target(id.clone()),
            StreamsRecord::Current(id, _) => StreamsKey::Current(id.clone()),
        }
    }

    /// The record that takes back what was said about `key`.
    pub fn tombstone(key: &StreamsKey) -> StreamsRecord {
        match key {
            StreamsKey::Epoch => StreamsRecord::Epoch(None),
            StreamsKey::Topology => StreamsRecord::Topology(None),
            StreamsKey::Member(id) => StreamsRecord::Member(id.clone(), None),
            StreamsKey::TargetEpoch => StreamsRecord::TargetEpoch(None),
            StreamsKey::Target(id) => StreamsRecord::Target(id.clone(), None),
            StreamsKey::Current(id) => StreamsRecord::Current(id.clone(), None),
        }
    }

    /// The mark of a change that needs several batches, until its last record: a target assignment of no epoch.
    pub fn unfinished() -> StreamsRecord {
        let (assignment_epoch, assignment_timestamp) = (UNFINISHED_EPOCH, 0);
        StreamsRecord::TargetEpoch(Some(StreamsGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
        }))
    }

    /// Whether it takes back what was said.
    pub fn is_tombstone(&self) -> bool {
        *self == StreamsRecord::tombstone(&self.key())
    }

    /// Key and value as they are stored.
    pub fn encode(&self, group_id: &str) -> (Bytes, Option<Bytes>) {
        let (group_id, member) = (group_id.to_owned(), |id: &Rc<str>| id.to_string());
        match self {
            StreamsRecord::Epoch(value) => (StreamsGroupMetadataKey { group_id }.to_record_key(), stored(value)),
            StreamsRecord::Topology(value) => (StreamsGroupTopologyKey { group_id }.to_record_key(), stored(value)),
            StreamsRecord::Member(id, value) => {
                (StreamsGroupMemberMetadataKey { group_id, member_id: member(id) }.to_record_key(), stored(value))
            }
            StreamsRecord::TargetEpoch(value) => {
                (StreamsGroupTargetAssignmentMetadataKey { group_id }.to_record_key(), stored(value))
            }
            StreamsRecord::Target(id, value) => {
                let key = StreamsGroupTargetAssignmentMemberKey { group_id, member_id: member(id) };
                (key.to_record_key(), stored(value))
            }
            StreamsRecord::Current(id, value) => {
                let key = StreamsGroupCurrentMemberAssignmentKey { group_id, member_id: member(id) };
                (key.to_record_key(), stored(value))
            }
        }
    }

    /// Reads a record of the type `kind`, with its group; `None` if it is no record of a streams group.
    pub fn decode(
        kind: i16,
        key: &mut Reader,
        value: Option<&mut Reader>,
    ) -> Result<Option<(String, StreamsRecord)>, DecodeError> {
        let record = match kind {
            EPOCH => {
                let key = StreamsGroupMetadataKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::Epoch(read(value)?))
            }
            TOPOLOGY => {
                let key = StreamsGroupTopologyKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::Topology(read(value)?))
            }
            MEMBER => {
                let key = StreamsGroupMemberMetadataKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::Member(key.member_id.into(), read(value)?))
            }
            TARGET_EPOCH => {
                let key = StreamsGroupTargetAssignmentMetadataKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::TargetEpoch(read(value)?))
            }
            TARGET => {
                let key = StreamsGroupTargetAssignmentMemberKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::Target(key.member_id.into(), read(value)?))
            }
            CURRENT => {
                let key = StreamsGroupCurrentMemberAssignmentKey::decode(key, 0)?;
                (key.group_id, StreamsRecord::Current(key.member_id.into(), read(value)?))
            }
            _ => return Ok(None),
        };
        Ok(Some(record))
    }

    /// Size of key and value, within a few bytes and never less.
    pub fn bytes(&self) -> usize {
        128 + match self {
            StreamsRecord::TargetEpoch(_) | StreamsRecord::Epoch(None) | StreamsRecord::Topology(None) => 0,
            StreamsRecord::Epoch(Some(value)) => {
                let configs = value.last_assignment_configs.iter().flatten();
                configs.map(|config| 12 + config.key.len() + config.value.len()).sum()
            }
            StreamsRecord::Topology(Some(value)) => topology_bytes(value),
            StreamsRecord::Member(id, value) => 2 * id.len() + value.as_ref().map_or(0, member_bytes),
            StreamsRecord::Target(id, value) => {
                let lists = value.iter().flat_map(|v| v.active_tasks.iter().chain(&v.standby_tasks));
                let lists = lists.chain(value.iter().flat_map(|value| &value.warmup_tasks));
                id.len() + lists.map(|list| list_bytes(&list.subtopology_id, list.partitions.len())).sum::<usize>()
            }
            StreamsRecord::Current(id, value) => {
                let lists = value.iter().flat_map(current_lists);
                id.len() + lists.map(|list| list_bytes(&list.subtopology_id, list.partitions.len())).sum::<usize>()
            }
        }
    }
}

fn list_bytes(subtopology_id: &str, tasks: usize) -> usize {
    24 + subtopology_id.len() + 10 * tasks
}

fn current_lists(value: &StreamsGroupCurrentMemberAssignmentValue) -> impl Iterator<Item = &CurrentTaskIds> {
    let held = value.active_tasks.iter().chain(&value.standby_tasks).chain(&value.warmup_tasks);
    let revoking = value.active_tasks_pending_revocation.iter().chain(&value.standby_tasks_pending_revocation);
    held.chain(revoking).chain(&value.warmup_tasks_pending_revocation)
}

/// Size of a topology as a record, within a few bytes and never less.
pub fn topology_bytes(value: &StreamsGroupTopologyValue) -> usize {
    let names = |names: &[String]| names.iter().map(|name| 4 + name.len()).sum::<usize>();
    let topics = |topics: &[TopicInfo]| {
        let configs = |topic: &TopicInfo| {
            topic.topic_configs.iter().map(|config| 8 + config.key.len() + config.value.len()).sum::<usize>()
        };
        topics.iter().map(|topic| 20 + topic.name.len() + configs(topic)).sum::<usize>()
    };
    let copartitions = |groups: &[CopartitionGroup]| {
        let numbers = |group: &CopartitionGroup| {
            group.source_topics.len() + group.source_topic_regex.len() + group.repartition_source_topics.len()
        };
        groups.iter().map(|group| 20 + 2 * numbers(group)).sum::<usize>()
    };
    let subtopology = |subtopology: &Subtopology| {
        48 + subtopology.subtopology_id.len()
            + names(&subtopology.source_topics)
            + names(&subtopology.source_topic_regex)
            + names(&subtopology.repartition_sink_topics)
            + topics(&subtopology.state_changelog_topics)
            + topics(&subtopology.repartition_source_topics)
            + copartitions(&subtopology.copartition_groups)
    };
    32 + value.subtopologies.iter().map(subtopology).sum::<usize>()
}

/// Size of what a member says about itself, within a few bytes and never less.
pub fn member_bytes(value: &StreamsGroupMemberMetadataValue) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let tags: usize = value.client_tags.iter().map(|tag| 8 + tag.key.len() + tag.value.len()).sum();
    let endpoint = value.user_endpoint.as_ref().map_or(0, |endpoint| 8 + endpoint.host.len());
    96 + text(&value.instance_id)
        + text(&value.rack_id)
        + value.client_id.len()
        + value.client_host.len()
        + value.process_id.len()
        + endpoint
        + tags
}

fn stored<M: Message>(value: &Option<M>) -> Option<Bytes> {
    value.as_ref().map(|value| to_versioned_bytes(value, 0))
}

fn read<M: Message>(value: Option<&mut Reader>) -> Result<Option<M>, DecodeError> {
    let Some(reader) = value else { return Ok(None) };
    let version = reader.read_i16()?;
    M::decode(reader, version).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicInfo {
        let topic_configs = vec![TopicConfig { key: "cleanup.policy".to_owned(), value: "compact".to_owned() }; 5];
        TopicInfo { name: name.to_owned(), partitions: 3, replication_factor: 2, topic_configs }
    }

    /// Values with every field away from its default.
    fn samples() -> Vec<StreamsRecord> {
        let list = |partitions: i32| CurrentTaskIds {
            subtopology_id: "subtopology".to_owned(),
            partitions: (0..partitions).collect(),
            assignment_epochs: Some(vec![i32::MAX; partitions as usize]),
        };
        let ids = || vec![TaskIds { subtopology_id: "0".to_owned(), partitions: (0..300).collect() }];
        let names = |count: usize| (0..count).map(|number| format!("topic-{number}")).collect::<Vec<String>>();
        let subtopology = Subtopology {
            subtopology_id: "0".to_owned(),
            source_topics: names(20),
            source_topic_regex: names(2),
            state_changelog_topics: vec![topic("store-changelog"); 7],
            repartition_sink_topics: names(5),
            repartition_source_topics: vec![topic("repartition"); 3],
            copartition_groups: vec![CopartitionGroup {
                source_topics: (0..20).collect(),
                source_topic_regex: vec![1],
                repartition_source_topics: (0..3).collect(),
            }],
        };
        let configs = vec![LastAssignmentConfig { key: "num.standby.replicas".to_owned(), value: "1".to_owned() }];
        let epoch = StreamsGroupMetadataValue {
            epoch: 3,
            metadata_hash: i64::MIN,
            validated_topology_epoch: 1,
            last_assignment_configs: Some(configs),
            stored_description_topology_epoch: 5,
            failed_description_topology_epoch: 6,
        };
        let member = StreamsGroupMemberMetadataValue {
            instance_id: Some("instance".to_owned()),
            rack_id: None,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            rebalance_timeout_ms: 5,
            topology_epoch: 6,
            process_id: "process".to_owned(),
            user_endpoint: Some(Endpoint { host: "here".to_owned(), port: 65_535 }),
            client_tags: vec![KeyValue { key: "zone".to_owned(), value: "a".to_owned() }],
        };
        let current = StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: 5,
            previous_member_epoch: 4,
            state: 2,
            active_tasks: vec![list(300)],
            standby_tasks: vec![list(1)],
            warmup_tasks: vec![list(2)],
            active_tasks_pending_revocation: vec![list(3)],
            standby_tasks_pending_revocation: vec![list(4)],
            warmup_tasks_pending_revocation: vec![list(5)],
        };
        let target_epoch = StreamsGroupTargetAssignmentMetadataValue { assignment_epoch: 3, assignment_timestamp: 9 };
        let target =
            StreamsGroupTargetAssignmentMemberValue { active_tasks: ids(), standby_tasks: ids(), warmup_tasks: ids() };
        vec![
            StreamsRecord::Epoch(Some(epoch)),
            StreamsRecord::Topology(Some(StreamsGroupTopologyValue { epoch: 2, subtopologies: vec![subtopology; 3] })),
            StreamsRecord::Member("m".into(), Some(member)),
            StreamsRecord::TargetEpoch(Some(target_epoch)),
            StreamsRecord::Target("m".into(), Some(target)),
            StreamsRecord::Current("m".into(), Some(current)),
        ]
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        for sample in samples() {
            for record in [sample.clone(), StreamsRecord::tombstone(&sample.key())] {
                let (key, value) = record.encode("group");
                assert!(key.len() + value.as_ref().map_or(0, Bytes::len) <= record.bytes() + 5, "{record:?}");
                let mut key = Reader::new(key);
                let kind = key.read_i16().expect("a type");
                let mut value = value.map(Reader::new);
                let decoded = StreamsRecord::decode(kind, &mut key, value.as_mut());
                assert_eq!(decoded, Ok(Some(("group".to_owned(), record))));
            }
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let target = StreamsGroupTargetAssignmentMemberValue {
            active_tasks: vec![TaskIds { subtopology_id: "0".to_owned(), partitions: vec![1] }],
            ..Default::default()
        };
        let (key, value) = StreamsRecord::Target("m".into(), Some(target)).encode("g");
        assert_eq!(&key[..], b"\0\x15\0\x01g\0\x01m");
        assert_eq!(value.as_deref(), Some(&b"\0\0\x02\x020\x02\0\0\0\x01\0\x01\x01\0"[..]));
    }
}
