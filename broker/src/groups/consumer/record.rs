//! The records of one consumer group, in Kafka's format: types 3 to 8 and 16 of `__consumer_offsets`.

use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::consumer_group_records::*;
use protocol::messages::coordinator_record::{RecordKey, to_versioned_bytes};
use protocol::wire::{DecodeError, Message, Reader};

/// A record of a consumer group; without a value, a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum ConsumerRecord {
    /// The group's epoch and what its topics looked like then.
    Epoch(Option<ConsumerGroupMetadataValue>),
    /// What Kafka before 4.1 kept of the topics. Only ever removed.
    OldTopics(Option<ConsumerGroupPartitionMetadataValue>),
    /// What a member says about itself.
    Member(Rc<str>, Option<ConsumerGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<ConsumerGroupTargetAssignmentMetadataValue>),
    /// What a member is to have.
    Target(Rc<str>, Option<ConsumerGroupTargetAssignmentMemberValue>),
    /// What a member has.
    Current(Rc<str>, Option<ConsumerGroupCurrentMemberAssignmentValue>),
    /// The topics a pattern stands for.
    Pattern(Rc<str>, Option<ConsumerGroupRegularExpressionValue>),
}

/// What a record is about: the last record of a key is what counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsumerKey {
    /// See [`ConsumerRecord::Member`].
    Member(Rc<str>),
    /// See [`ConsumerRecord::Epoch`].
    Epoch,
    /// See [`ConsumerRecord::OldTopics`].
    OldTopics,
    /// See [`ConsumerRecord::Target`].
    Target(Rc<str>),
    /// See [`ConsumerRecord::TargetEpoch`].
    TargetEpoch,
    /// See [`ConsumerRecord::Current`].
    Current(Rc<str>),
    /// See [`ConsumerRecord::Pattern`].
    Pattern(Rc<str>),
}

/// The assignment epoch of a group whose last change is not there as a whole.
pub const UNFINISHED_EPOCH: i32 = -1;

const EPOCH: i16 = ConsumerGroupMetadataKey::TYPE;
const OLD_TOPICS: i16 = ConsumerGroupPartitionMetadataKey::TYPE;
const MEMBER: i16 = ConsumerGroupMemberMetadataKey::TYPE;
const TARGET_EPOCH: i16 = ConsumerGroupTargetAssignmentMetadataKey::TYPE;
const TARGET: i16 = ConsumerGroupTargetAssignmentMemberKey::TYPE;
const CURRENT: i16 = ConsumerGroupCurrentMemberAssignmentKey::TYPE;
const PATTERN: i16 = ConsumerGroupRegularExpressionKey::TYPE;

impl ConsumerRecord {
    /// What it is about.
    pub fn key(&self) -> ConsumerKey {
        match self {
            ConsumerRecord::Epoch(_) => ConsumerKey::Epoch,
            ConsumerRecord::OldTopics(_) => ConsumerKey::OldTopics,
            ConsumerRecord::Member(id, _) => ConsumerKey::Member(id.clone()),
            ConsumerRecord::TargetEpoch(_) => ConsumerKey::TargetEpoch,
            ConsumerRecord::Target(id, _) => ConsumerKey::Target(id.clone()),
            ConsumerRecord::Current(id, _) => ConsumerKey::Current(id.clone()),
            ConsumerRecord::Pattern(pattern, _) => ConsumerKey::Pattern(pattern.clone()),
        }
    }

    /// The record that takes back what was said about `key`.
    pub fn tombstone(key: &ConsumerKey) -> ConsumerRecord {
        match key {
            ConsumerKey::Epoch => ConsumerRecord::Epoch(None),
            ConsumerKey::OldTopics => ConsumerRecord::OldTopics(None),
            ConsumerKey::Member(id) => ConsumerRecord::Member(id.clone(), None),
            ConsumerKey::TargetEpoch => ConsumerRecord::TargetEpoch(None),
            ConsumerKey::Target(id) => ConsumerRecord::Target(id.clone(), None),
            ConsumerKey::Current(id) => ConsumerRecord::Current(id.clone(), None),
            ConsumerKey::Pattern(pattern) => ConsumerRecord::Pattern(pattern.clone(), None),
        }
    }

    /// The mark of a change that needs several batches, until its last record: a target assignment of no epoch.
    pub fn unfinished() -> ConsumerRecord {
        let (assignment_epoch, assignment_timestamp) = (UNFINISHED_EPOCH, 0);
        ConsumerRecord::TargetEpoch(Some(ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
        }))
    }

    /// Whether it takes back what was said.
    pub fn is_tombstone(&self) -> bool {
        *self == ConsumerRecord::tombstone(&self.key())
    }

    /// Key and value as they are stored.
    pub fn encode(&self, group_id: &str) -> (Bytes, Option<Bytes>) {
        let (group_id, member) = (group_id.to_owned(), |id: &Rc<str>| id.to_string());
        match self {
            ConsumerRecord::Epoch(value) => (ConsumerGroupMetadataKey { group_id }.to_record_key(), stored(value)),
            ConsumerRecord::OldTopics(value) => {
                (ConsumerGroupPartitionMetadataKey { group_id }.to_record_key(), stored(value))
            }
            ConsumerRecord::Member(id, value) => {
                (ConsumerGroupMemberMetadataKey { group_id, member_id: member(id) }.to_record_key(), stored(value))
            }
            ConsumerRecord::TargetEpoch(value) => {
                (ConsumerGroupTargetAssignmentMetadataKey { group_id }.to_record_key(), stored(value))
            }
            ConsumerRecord::Target(id, value) => {
                let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: member(id) };
                (key.to_record_key(), stored(value))
            }
            ConsumerRecord::Current(id, value) => {
                let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: member(id) };
                (key.to_record_key(), stored(value))
            }
            ConsumerRecord::Pattern(pattern, value) => {
                let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression: pattern.to_string() };
                (key.to_record_key(), stored(value))
            }
        }
    }

    /// Reads a record of the type `kind`, with its group; `None` if it is no record of a consumer group.
    pub fn decode(
        kind: i16,
        key: &mut Reader,
        value: Option<&mut Reader>,
    ) -> Result<Option<(String, ConsumerRecord)>, DecodeError> {
        let record = match kind {
            EPOCH => {
                let key = ConsumerGroupMetadataKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::Epoch(read(value)?))
            }
            OLD_TOPICS => {
                let key = ConsumerGroupPartitionMetadataKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::OldTopics(read(value)?))
            }
            MEMBER => {
                let key = ConsumerGroupMemberMetadataKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::Member(key.member_id.into(), read(value)?))
            }
            TARGET_EPOCH => {
                let key = ConsumerGroupTargetAssignmentMetadataKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::TargetEpoch(read(value)?))
            }
            TARGET => {
                let key = ConsumerGroupTargetAssignmentMemberKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::Target(key.member_id.into(), read(value)?))
            }
            CURRENT => {
                let key = ConsumerGroupCurrentMemberAssignmentKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::Current(key.member_id.into(), read(value)?))
            }
            PATTERN => {
                let key = ConsumerGroupRegularExpressionKey::decode(key, 0)?;
                (key.group_id, ConsumerRecord::Pattern(key.regular_expression.into(), read(value)?))
            }
            _ => return Ok(None),
        };
        Ok(Some(record))
    }

    /// Size of key and value, within a few bytes and never less.
    pub fn bytes(&self) -> usize {
        let of_lists = |lists: usize, numbers: usize| 40 * lists + 10 * numbers;
        128 + match self {
            ConsumerRecord::Epoch(_) | ConsumerRecord::OldTopics(None) | ConsumerRecord::TargetEpoch(_) => 0,
            ConsumerRecord::OldTopics(Some(value)) => to_versioned_bytes(value, 0).len(),
            ConsumerRecord::Member(id, value) => 2 * id.len() + value.as_ref().map_or(0, member_bytes),
            ConsumerRecord::Target(id, value) => {
                let topics = value.iter().flat_map(|value| &value.topic_partitions);
                id.len() + topics.map(|topic| of_lists(1, topic.partitions.len())).sum::<usize>()
            }
            ConsumerRecord::Current(id, value) => {
                let topics =
                    value.iter().flat_map(|v| v.assigned_partitions.iter().chain(&v.partitions_pending_revocation));
                id.len() + topics.map(|topic| of_lists(1, topic.partitions.len())).sum::<usize>()
            }
            ConsumerRecord::Pattern(pattern, value) => {
                let topics = value.iter().flat_map(|value| &value.topics);
                pattern.len() + topics.map(|name| 8 + name.len()).sum::<usize>()
            }
        }
    }
}

fn member_bytes(value: &ConsumerGroupMemberMetadataValue) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let topics: usize = value.subscribed_topic_names.iter().map(|name| 8 + name.len()).sum();
    let classic = value.classic_member_metadata.iter().flat_map(|classic| &classic.supported_protocols);
    let classic: usize = classic.map(|protocol| 16 + protocol.name.len() + protocol.metadata.len()).sum();
    let texts = text(&value.instance_id) + text(&value.rack_id) + text(&value.subscribed_topic_regex);
    64 + texts + text(&value.server_assignor) + value.client_id.len() + value.client_host.len() + topics + classic
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
    use protocol::Uuid;

    /// Values with every field away from its default.
    fn samples() -> Vec<ConsumerRecord> {
        let target = TopicPartition { topic_id: Uuid([7; 16]), partitions: (0..300).collect() };
        let owned = TopicPartitions {
            topic_id: Uuid([7; 16]),
            partitions: (0..300).collect(),
            assignment_epochs: Some(vec![i32::MAX; 300]),
        };
        let member = ConsumerGroupMemberMetadataValue {
            instance_id: Some("instance".to_owned()),
            rack_id: None,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            subscribed_topic_names: (0..50).map(|number| format!("topic-{number}")).collect(),
            subscribed_topic_regex: Some("a.*".to_owned()),
            rebalance_timeout_ms: 5,
            server_assignor: Some("range".to_owned()),
            classic_member_metadata: Some(ClassicMemberMetadata {
                session_timeout_ms: 6,
                supported_protocols: vec![ClassicProtocol {
                    name: "range".to_owned(),
                    metadata: Bytes::from_static(b"subscription"),
                }],
            }),
        };
        let current = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: 5,
            previous_member_epoch: 4,
            state: 1,
            assigned_partitions: vec![owned.clone()],
            partitions_pending_revocation: vec![owned],
        };
        let topics = (0..100).map(|number| format!("topic-{number}")).collect();
        vec![
            ConsumerRecord::Epoch(Some(ConsumerGroupMetadataValue { epoch: 3, metadata_hash: i64::MIN })),
            ConsumerRecord::Member("m".into(), Some(member)),
            ConsumerRecord::TargetEpoch(Some(ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch: 3,
                assignment_timestamp: 9,
            })),
            ConsumerRecord::Target(
                "m".into(),
                Some(ConsumerGroupTargetAssignmentMemberValue { topic_partitions: vec![target] }),
            ),
            ConsumerRecord::Current("m".into(), Some(current)),
            ConsumerRecord::Pattern(
                "a.*".into(),
                Some(ConsumerGroupRegularExpressionValue { topics, version: 8, timestamp: 9 }),
            ),
            ConsumerRecord::OldTopics(Some(ConsumerGroupPartitionMetadataValue::default())),
        ]
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        for sample in samples() {
            for record in [sample.clone(), ConsumerRecord::tombstone(&sample.key())] {
                let (key, value) = record.encode("group");
                assert!(key.len() + value.as_ref().map_or(0, Bytes::len) <= record.bytes() + 5, "{record:?}");
                let mut key = Reader::new(key);
                let kind = key.read_i16().expect("a type");
                let mut value = value.map(Reader::new);
                let decoded = ConsumerRecord::decode(kind, &mut key, value.as_mut());
                assert_eq!(decoded, Ok(Some(("group".to_owned(), record))));
            }
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: 10, assignment_timestamp: 0 };
        let (key, value) = ConsumerRecord::TargetEpoch(Some(value)).encode("g");
        assert_eq!((&key[..], value.as_deref()), (&b"\0\x06\0\x01g"[..], Some(&b"\0\0\0\0\0\x0a\0"[..])));
    }
}
