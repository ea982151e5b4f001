//! What the metadata log holds: one [`MetadataRecord`] a change. Kafka's KRaft records carry much that only its
//! controllers need; these are our own, and small.
//!
//! A record's bytes are `version:u8 kind:u8 body`. Numbers are big-endian; texts and lists lead with their length as
//! u32. A reader refuses a version it does not know: an older program must not guess at a newer directory.

use bytes::Bytes;
use protocol::Uuid;
use thiserror::Error;

use crate::metadata::codec::{Input, Output};
use crate::metadata::quota::{self, QuotaEntity, QuotaValue};
use crate::metadata::scram::{self, ScramCredential, ScramMechanism};

/// Newest version of a record that this program reads. A record is written in the version that brought its kind.
pub const RECORD_VERSION: u8 = 2;

/// What a config belongs to; numbers are Kafka's (ConfigResource.Type).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceKind {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id as text; empty for all brokers.
    Broker = 4,
    /// A client metrics subscription.
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

impl ResourceKind {
    /// The kind of this number, if configs of it are kept.
    pub fn of(number: i8) -> Option<ResourceKind> {
        match number {
            2 => Some(ResourceKind::Topic),
            4 => Some(ResourceKind::Broker),
            16 => Some(ResourceKind::ClientMetrics),
            32 => Some(ResourceKind::Group),
            _ => None,
        }
    }
}

/// One thing that has configs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
}

impl ResourceId {
    /// A topic's configs.
    pub fn topic(name: &str) -> ResourceId {
        ResourceId { kind: ResourceKind::Topic, name: name.to_owned() }
    }

    /// One broker's configs.
    pub fn broker(node_id: i32) -> ResourceId {
        ResourceId { kind: ResourceKind::Broker, name: node_id.to_string() }
    }

    /// Configs of all brokers.
    pub fn all_brokers() -> ResourceId {
        ResourceId { kind: ResourceKind::Broker, name: String::new() }
    }
}

/// Who leads a partition and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecord {
    /// Node that leads; -1 for none.
    pub leader: i32,
    /// Reign of that leader.
    pub leader_epoch: i32,
    /// Counts every change of this record.
    pub partition_epoch: i32,
    /// Nodes that have a replica, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Log directory of each replica, in the order of `replicas`.
    pub directories: Vec<Uuid>,
}

/// A change of the cluster's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataRecord {
    /// The first record of a log: who this cluster is.
    ClusterCreated {
        /// Stable for the life of the cluster.
        cluster_id: Uuid,
    },
    /// A node took part, or its rack changed.
    BrokerRegistered {
        /// Its `node.id`.
        node_id: i32,
        /// Its `broker.rack`.
        rack: Option<String>,
    },
    /// A topic without partitions; [`MetadataRecord::PartitionsAdded`] follows in the same batch.
    TopicCreated {
        /// Its name.
        name: String,
        /// Its id, never used again.
        id: Uuid,
    },
    /// Partitions appended to a topic, numbered on from those it has.
    PartitionsAdded {
        /// The topic.
        topic: Uuid,
        /// The new ones.
        partitions: Vec<PartitionRecord>,
    },
    /// A partition has another leader, in-sync set or place.
    PartitionChanged {
        /// The topic.
        topic: Uuid,
        /// Number of the partition.
        partition: i32,
        /// What holds from now on.
        state: PartitionRecord,
    },
    /// A topic is gone, with its configs.
    TopicDeleted {
        /// Its id.
        id: Uuid,
    },
    /// A config got a value, or with `None` lost it.
    ConfigChanged {
        /// Whose config.
        resource: ResourceId,
        /// Its name.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// Producer ids below this are handed out or spent.
    ProducerIdsReserved {
        /// First id that is still free.
        next: i64,
    },
    /// A feature has this level from now on; 0 is without it.
    FeatureLevel {
        /// Name of the feature.
        name: String,
        /// Its level.
        level: i16,
    },
    /// A client quota got a value, or with `None` lost it.
    QuotaChanged {
        /// Whom it is for.
        entity: QuotaEntity,
        /// Kafka's name of the quota.
        key: String,
        /// Its value.
        value: Option<QuotaValue>,
    },
    /// A user got a SCRAM credential, or with `None` lost it.
    ScramCredentialChanged {
        /// The user.
        user: String,
        /// Each mechanism has its own.
        mechanism: ScramMechanism,
        /// What is kept of the password.
        credential: Option<ScramCredential>,
    },
    /// What follows, up to [`MetadataRecord::SnapshotEnd`], replaces everything before.
    SnapshotBegin,
    /// The snapshot is whole.
    SnapshotEnd,
}

/// Bytes that are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Written by a later program.
    #[error(
        "metadata record has version {0}, this program reads up to {RECORD_VERSION}: it was written by a newer msgloop"
    )]
    Newer(u8),
    /// Not a record at all.
    #[error("metadata record is damaged: {0}")]
    Damaged(&'static str),
}

const CLUSTER_CREATED: u8 = 1;
const BROKER_REGISTERED: u8 = 2;
const TOPIC_CREATED: u8 = 3;
const PARTITIONS_ADDED: u8 = 4;
const PARTITION_CHANGED: u8 = 5;
const TOPIC_DELETED: u8 = 6;
const CONFIG_CHANGED: u8 = 7;
const PRODUCER_IDS_RESERVED: u8 = 8;
const FEATURE_LEVEL: u8 = 9;
const SNAPSHOT_BEGIN: u8 = 10;
const SNAPSHOT_END: u8 = 11;
const QUOTA_CHANGED: u8 = 12;
const SCRAM_CREDENTIAL_CHANGED: u8 = 13;

impl MetadataRecord {
    /// The bytes of this record.
    pub fn encode(&self) -> Bytes {
        let mut output = Output::default();
        output.u8(self.version());
        output.u8(self.kind());
        match self {
            MetadataRecord::ClusterCreated { cluster_id } => output.uuid(*cluster_id),
            MetadataRecord::BrokerRegistered { node_id, rack } => {
                output.i32(*node_id);
                output.optional_text(rack.as_deref());
            }
            MetadataRecord::TopicCreated { name, id } => {
                output.text(name);
                output.uuid(*id);
            }
            MetadataRecord::PartitionsAdded { topic, partitions } => {
                output.uuid(*topic);
                output.list(partitions, encode_partition);
            }
            MetadataRecord::PartitionChanged { topic, partition, state } => {
                output.uuid(*topic);
                output.i32(*partition);
                encode_partition(&mut output, state);
            }
            MetadataRecord::TopicDeleted { id } => output.uuid(*id),
            MetadataRecord::ConfigChanged { resource, name, value } => {
                output.u8(resource.kind as u8);
                output.text(&resource.name);
                output.text(name);
                output.optional_text(value.as_deref());
            }
            MetadataRecord::ProducerIdsReserved { next } => output.i64(*next),
            MetadataRecord::FeatureLevel { name, level } => {
                output.text(name);
                output.i16(*level);
            }
            MetadataRecord::QuotaChanged { entity, key, value } => quota::encode(&mut output, entity, key, *value),
            MetadataRecord::ScramCredentialChanged { user, mechanism, credential } => {
                output.text(user);
                output.u8((*mechanism as i8).cast_unsigned());
                scram::encode(&mut output, credential.as_ref());
            }
            MetadataRecord::SnapshotBegin | MetadataRecord::SnapshotEnd => {}
        }
        output.finish()
    }

    fn version(&self) -> u8 {
        match self {
            MetadataRecord::QuotaChanged { .. } | MetadataRecord::ScramCredentialChanged { .. } => 2,
            _ => 1,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            MetadataRecord::ClusterCreated { .. } => CLUSTER_CREATED,
            MetadataRecord::BrokerRegistered { .. } => BROKER_REGISTERED,
            MetadataRecord::TopicCreated { .. } => TOPIC_CREATED,
            MetadataRecord::PartitionsAdded { .. } => PARTITIONS_ADDED,
            MetadataRecord::PartitionChanged { .. } => PARTITION_CHANGED,
            MetadataRecord::TopicDeleted { .. } => TOPIC_DELETED,
            MetadataRecord::ConfigChanged { .. } => CONFIG_CHANGED,
            MetadataRecord::ProducerIdsReserved { .. } => PRODUCER_IDS_RESERVED,
            MetadataRecord::FeatureLevel { .. } => FEATURE_LEVEL,
            MetadataRecord::QuotaChanged { .. } => QUOTA_CHANGED,
            MetadataRecord::ScramCredentialChanged { .. } => SCRAM_CREDENTIAL_CHANGED,
            MetadataRecord::SnapshotBegin => SNAPSHOT_BEGIN,
            MetadataRecord::SnapshotEnd => SNAPSHOT_END,
        }
    }

    /// Reads a record back; every length is checked against the bytes there are.
    pub fn decode(bytes: &[u8]) -> Result<MetadataRecord, RecordError> {
        let mut input = Input::new(bytes);
        let version = input.u8()?;
        if version > RECORD_VERSION {
            return Err(RecordError::Newer(version));
        }
        if version == 0 {
            return Err(RecordError::Damaged("version 0"));
        }
        let record = Self::decode_body(&mut input)?;
        input.finish()?;
        Ok(record)
    }

    fn decode_body(input: &mut Input<'_>) -> Result<MetadataRecord, RecordError> {
        Ok(match input.u8()? {
            CLUSTER_CREATED => MetadataRecord::ClusterCreated { cluster_id: input.uuid()? },
            BROKER_REGISTERED => {
                MetadataRecord::BrokerRegistered { node_id: input.i32()?, rack: input.optional_text()? }
            }
            TOPIC_CREATED => MetadataRecord::TopicCreated { name: input.text()?, id: input.uuid()? },
            PARTITIONS_ADDED => {
                MetadataRecord::PartitionsAdded { topic: input.uuid()?, partitions: input.list(decode_partition)? }
            }
            PARTITION_CHANGED => MetadataRecord::PartitionChanged {
                topic: input.uuid()?,
                partition: input.i32()?,
                state: decode_partition(input)?,
            },
            TOPIC_DELETED => MetadataRecord::TopicDeleted { id: input.uuid()? },
            CONFIG_CHANGED => MetadataRecord::ConfigChanged {
                resource: decode_resource(input)?,
                name: input.text()?,
                value: input.optional_text()?,
            },
            PRODUCER_IDS_RESERVED => MetadataRecord::ProducerIdsReserved { next: input.i64()? },
            FEATURE_LEVEL => MetadataRecord::FeatureLevel { name: input.text()?, level: input.i16()? },
            QUOTA_CHANGED => {
                let (entity, key, value) = quota::decode(input)?;
                MetadataRecord::QuotaChanged { entity, key, value }
            }
            SCRAM_CREDENTIAL_CHANGED => MetadataRecord::ScramCredentialChanged {
                user: input.text()?,
                mechanism: scram::mechanism(input)?,
                credential: scram::decode(input)?,
            },
            SNAPSHOT_BEGIN => MetadataRecord::SnapshotBegin,
            SNAPSHOT_END => MetadataRecord::SnapshotEnd,
            _ => return Err(RecordError::Damaged("unknown kind")),
        })
    }
}

fn encode_partition(output: &mut Output, partition: &PartitionRecord) {
    output.i32(partition.leader);
    output.i32(partition.leader_epoch);
    output.i32(partition.partition_epoch);
    output.list(&partition.replicas, |output, id| output.i32(*id));
    output.list(&partition.isr, |output, id| output.i32(*id));
    output.list(&partition.directories, |output, id| output.uuid(*id));
}

fn decode_partition(input: &mut Input<'_>) -> Result<PartitionRecord, RecordError> {
    Ok(PartitionRecord {
        leader: input.i32()?,
        leader_epoch: input.i32()?,
        partition_epoch: input.i32()?,
        replicas: input.list(Input::i32)?,
        isr: input.list(Input::i32)?,
        directories: input.list(Input::uuid)?,
    })
}

fn decode_resource(input: &mut Input<'_>) -> Result<ResourceId, RecordError> {
    let kind = i8::try_from(input.u8()?).ok().and_then(ResourceKind::of);
    Ok(ResourceId { kind: kind.ok_or(RecordError::Damaged("unknown resource"))?, name: input.text()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::quota::EntityType;

    fn every_kind() -> Vec<MetadataRecord> {
        let id = Uuid::from_random(7, 8);
        let state = PartitionRecord {
            leader: 1,
            leader_epoch: 2,
            partition_epoch: 3,
            replicas: vec![1, 2],
            isr: vec![1],
            directories: vec![id, Uuid::ZERO],
        };
        vec![
            MetadataRecord::ClusterCreated { cluster_id: id },
            MetadataRecord::BrokerRegistered { node_id: 1, rack: Some("r".to_owned()) },
            MetadataRecord::BrokerRegistered { node_id: 1, rack: None },
            MetadataRecord::TopicCreated { name: "t".to_owned(), id },
            MetadataRecord::PartitionsAdded { topic: id, partitions: vec![state.clone(), state.clone()] },
            MetadataRecord::PartitionChanged { topic: id, partition: 1, state },
            MetadataRecord::TopicDeleted { id },
            MetadataRecord::ConfigChanged {
                resource: ResourceId::topic("t"),
                name: "retention.ms".to_owned(),
                value: Some("1".to_owned()),
            },
            MetadataRecord::ConfigChanged {
                resource: ResourceId { kind: ResourceKind::Group, name: "g".to_owned() },
                name: "x".to_owned(),
                value: None,
            },
            MetadataRecord::ProducerIdsReserved { next: 1000 },
            MetadataRecord::FeatureLevel { name: "group.version".to_owned(), level: 1 },
            MetadataRecord::QuotaChanged {
                entity: QuotaEntity([(EntityType::User, None), (EntityType::ClientId, Some("c".to_owned()))].into()),
                key: "producer_byte_rate".to_owned(),
                value: Some(QuotaValue::new(1.5)),
            },
            MetadataRecord::QuotaChanged { entity: QuotaEntity::default(), key: "k".to_owned(), value: None },
            MetadataRecord::ScramCredentialChanged {
                user: "u".to_owned(),
                mechanism: ScramMechanism::Sha512,
                credential: Some(ScramCredential {
                    iterations: 4096,
                    salt: Bytes::from_static(b"s"),
                    stored_key: Bytes::from_static(b"k"),
                    server_key: Bytes::new(),
                }),
            },
            MetadataRecord::ScramCredentialChanged {
                user: "u".to_owned(),
                mechanism: ScramMechanism::Sha256,
                credential: None,
            },
            MetadataRecord::SnapshotBegin,
            MetadataRecord::SnapshotEnd,
        ]
    }

    #[test]
    fn every_record_comes_back_and_no_part_of_one_does() {
        for record in every_kind() {
            let bytes = record.encode();
            assert_eq!(MetadataRecord::decode(&bytes), Ok(record.clone()));
            for length in 0..bytes.len() {
                assert!(MetadataRecord::decode(&bytes[..length]).is_err(), "{record:?} cut to {length}");
            }
            let mut longer = bytes.to_vec();
            longer.push(0);
            assert!(MetadataRecord::decode(&longer).is_err(), "{record:?} with a byte more");
        }
    }

    #[test]
    fn a_newer_version_and_a_claimed_length_are_refused() {
        assert_eq!(MetadataRecord::decode(&[3, 1]), Err(RecordError::Newer(3)));
        let mut bytes = vec![1, PARTITIONS_ADDED];
        bytes.extend([0; 16]);
        bytes.extend(u32::MAX.to_be_bytes());
        assert_eq!(MetadataRecord::decode(&bytes), Err(RecordError::Damaged("list longer than its record")));
    }
}
