//! The records of `__consumer_offsets`, in Kafka's own format (GroupCoordinatorRecordHelpers.java): tools read them.
//!
//! A key is a 16-bit type and the key's fields; a value is a 16-bit version and the value's fields; no value is a
//! tombstone. Types this build does not know (newer Kafka, other kinds of groups) are passed over.

use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::classic_group_records::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use protocol::wire::{DecodeError, Message, Reader, Writer};

use super::consumer::ConsumerRecord;
use super::offsets::CommittedOffset;
use super::streams::StreamsRecord;
use crate::coordinator::InternalRecord;

/// Key type of offsets before Kafka 0.9; read, never written.
const LEGACY_OFFSET: i16 = 0;
const OFFSET: i16 = 1;
const GROUP: i16 = 2;

/// Version 1 is the only one with an expiry time, so offsets that have one are still written in it.
const OFFSET_VERSION_WITH_EXPIRY: i16 = 1;
const OFFSET_VERSION: i16 = 4;
const GROUP_VERSION: i16 = 4;

/// A record of `__consumer_offsets`; without a value, a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRecord {
    /// What a group has committed for a partition.
    Offset {
        /// The group.
        group_id: Rc<str>,
        /// Name of the topic.
        topic: Rc<str>,
        /// Number of the partition.
        partition: i32,
        /// What was committed.
        value: Option<CommittedOffset>,
    },
    /// A record of a consumer group.
    Consumer {
        /// The group.
        group_id: Rc<str>,
        /// What it says.
        record: Box<ConsumerRecord>,
    },
    /// A record of a streams group.
    Streams {
        /// The group.
        group_id: Rc<str>,
        /// What it says.
        record: Box<StreamsRecord>,
    },
    /// A classic group after a completed rebalance, or without members.
    Group {
        /// The group.
        group_id: Rc<str>,
        /// Its generation, members and what they were assigned.
        value: Option<GroupMetadataValue>,
    },
}

impl GroupRecord {
    /// An offset, or its tombstone.
    pub fn offset(group_id: &Rc<str>, topic: &Rc<str>, partition: i32, value: Option<CommittedOffset>) -> GroupRecord {
        GroupRecord::Offset { group_id: group_id.clone(), topic: topic.clone(), partition, value }
    }

    /// A record of a consumer group.
    pub fn consumer(group_id: &Rc<str>, record: ConsumerRecord) -> GroupRecord {
        GroupRecord::Consumer { group_id: group_id.clone(), record: Box::new(record) }
    }

    /// A record of a streams group.
    pub fn streams(group_id: &Rc<str>, record: StreamsRecord) -> GroupRecord {
        GroupRecord::Streams { group_id: group_id.clone(), record: Box::new(record) }
    }
}

impl InternalRecord for GroupRecord {
    type Error = DecodeError;

    fn bytes(&self) -> usize {
        let frame = 40;
        match self {
            GroupRecord::Offset { group_id, topic, value, .. } => {
                let value = value.as_ref().map_or(0, |offset| offset.metadata.len() + 64);
                frame + group_id.len() + topic.len() + value
            }
            GroupRecord::Consumer { group_id, record } => frame + group_id.len() + record.bytes(),
            GroupRecord::Streams { group_id, record } => frame + group_id.len() + record.bytes(),
            GroupRecord::Group { group_id, value } => {
                let members = value.iter().flat_map(|value| &value.members);
                let of_member = |m: &protocol::messages::classic_group_records::MemberMetadata| {
                    let names = m.member_id.len() + m.client_id.len() + m.client_host.len();
                    64 + names
                        + m.group_instance_id.as_ref().map_or(0, String::len)
                        + m.subscription.len()
                        + m.assignment.len()
                };
                frame + group_id.len() + 512 + members.map(of_member).sum::<usize>()
            }
        }
    }

    fn encode(&self) -> (Bytes, Option<Bytes>) {
        match self {
            GroupRecord::Offset { group_id, topic, partition, value } => {
                let key =
                    OffsetCommitKey { group: group_id.to_string(), topic: topic.to_string(), partition: *partition };
                (typed(OFFSET, &key, 0), value.as_ref().map(encode_offset))
            }
            GroupRecord::Consumer { group_id, record } => record.encode(group_id),
            GroupRecord::Streams { group_id, record } => record.encode(group_id),
            GroupRecord::Group { group_id, value } => {
                let key = GroupMetadataKey { group: group_id.to_string() };
                (typed(GROUP, &key, 0), value.as_ref().map(|value| typed(GROUP_VERSION, value, GROUP_VERSION)))
            }
        }
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<GroupRecord>, DecodeError> {
        let mut key = Reader::new(Bytes::copy_from_slice(key));
        let mut value = value.map(|value| Reader::new(Bytes::copy_from_slice(value)));
        match key.read_i16()? {
            LEGACY_OFFSET | OFFSET => {
                let key = OffsetCommitKey::decode(&mut key, 0)?;
                let value = value.as_mut().map(decode_offset).transpose()?;
                let (group_id, topic) = (key.group.into(), key.topic.into());
                Ok(Some(GroupRecord::Offset { group_id, topic, partition: key.partition, value }))
            }
            GROUP => {
                let key = GroupMetadataKey::decode(&mut key, 0)?;
                let value = value.as_mut().map(decode_versioned::<GroupMetadataValue>).transpose()?;
                Ok(Some(GroupRecord::Group { group_id: key.group.into(), value }))
            }
            kind => {
                if let Some((group_id, record)) = ConsumerRecord::decode(kind, &mut key, value.as_mut())? {
                    return Ok(Some(GroupRecord::consumer(&group_id.into(), record)));
                }
                let decoded = StreamsRecord::decode(kind, &mut key, value.as_mut())?;
                Ok(decoded.map(|(group_id, record)| GroupRecord::streams(&group_id.into(), record)))
            }
        }
    }
}

fn typed(prefix: i16, message: &impl Message, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(prefix);
    message.encode(&mut writer, version);
    writer.into_bytes()
}

fn decode_versioned<M: Message>(reader: &mut Reader) -> Result<M, DecodeError> {
    let version = reader.read_i16()?;
    M::decode(reader, version)
}

fn encode_offset(offset: &CommittedOffset) -> Bytes {
    let value = OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch.unwrap_or(-1),
        metadata: offset.metadata.to_string(),
        commit_timestamp: offset.commit_timestamp_ms,
        expire_timestamp: offset.expire_timestamp_ms.unwrap_or(-1),
        topic_id: offset.topic_id,
    };
    let version = if offset.expire_timestamp_ms.is_some() { OFFSET_VERSION_WITH_EXPIRY } else { OFFSET_VERSION };
    typed(version, &value, version)
}

fn decode_offset(reader: &mut Reader) -> Result<CommittedOffset, DecodeError> {
    let value: OffsetCommitValue = decode_versioned(reader)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: (value.leader_epoch >= 0).then_some(value.leader_epoch),
        metadata: value.metadata.into(),
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
        topic_id: value.topic_id,
    })
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;
    use protocol::messages::classic_group_records::MemberMetadata;

    use super::*;

    fn committed(expire_timestamp_ms: Option<i64>, leader_epoch: Option<i32>, topic_id: Uuid) -> CommittedOffset {
        let metadata = "mé".into();
        CommittedOffset { offset: 42, leader_epoch, metadata, commit_timestamp_ms: 7, expire_timestamp_ms, topic_id }
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let (group, topic): (Rc<str>, Rc<str>) = ("g".into(), "t".into());
        let member = MemberMetadata {
            member_id: "m".to_owned(),
            group_instance_id: Some("i".to_owned()),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            rebalance_timeout: 5,
            session_timeout: 6,
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::from_static(b"a"),
        };
        let value = GroupMetadataValue {
            protocol_type: "consumer".to_owned(),
            generation: 3,
            protocol: Some("range".to_owned()),
            leader: None,
            current_state_timestamp: 9,
            members: vec![member],
        };
        for record in [
            GroupRecord::offset(&group, &topic, 3, Some(committed(None, Some(5), Uuid([7; 16])))),
            // Version 1 knows neither epoch nor topic id.
            GroupRecord::offset(&group, &topic, 3, Some(committed(Some(99), None, Uuid::ZERO))),
            GroupRecord::offset(&group, &topic, 3, None),
            GroupRecord::Group { group_id: group.clone(), value: Some(value) },
            GroupRecord::Group { group_id: group.clone(), value: None },
        ] {
            let (key, value) = record.encode();
            assert!(key.len() + value.as_ref().map_or(0, Bytes::len) + 20 <= record.bytes(), "{record:?}");
            assert_eq!(GroupRecord::decode(&key, value.as_deref()), Ok(Some(record)));
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let record = GroupRecord::offset(&"g".into(), &"t".into(), 3, Some(committed(None, Some(5), Uuid([7; 16]))));
        let (key, value) = record.encode();
        assert_eq!(&key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        let mut expected = b"\0\x04\0\0\0\0\0\0\0\x2a\0\0\0\x05\x04m\xc3\xa9\0\0\0\0\0\0\0\x07\x01\0\x10".to_vec();
        expected.extend([7; 16]);
        assert_eq!(value.as_deref(), Some(&expected[..]));
    }

    #[test]
    fn unknown_types_are_passed_over_and_broken_records_are_not() {
        assert_eq!(GroupRecord::decode(b"\0\x0b\0\x01g", Some(b"\0\0")), Ok(None), "a share group");
        let broken: &[(&[u8], Option<&[u8]>)] = &[
            (b"", None),
            (b"\0", None),
            (b"\0\x01\0\x09g", None),
            (b"\0\x02\0\x01g", Some(b"\0")),
            (b"\0\x02\0\x01g", Some(b"\0\x63")),
            (b"\0\x02\0\x01g", Some(b"\0\x03\0\x01")),
        ];
        for (key, value) in broken {
            assert!(GroupRecord::decode(key, *value).is_err(), "{key:?} {value:?}");
        }
    }
}
