//! The cluster as it is after the last record: immutable, shared by all cores, replaced as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Uuid;
use storage::{LeaderEpoch, LogId, Offset};
use thiserror::Error;

use crate::config::Values;
use crate::metadata::quota::{QuotaEntity, QuotaValue, Quotas};
use crate::metadata::record::{MetadataRecord, PartitionRecord, ResourceId, ResourceKind};
use crate::metadata::scram::{ScramCredential, ScramMechanism};

/// A partition's place in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionImage {
    /// Node that leads; -1 for none.
    pub leader: i32,
    /// Reign of that leader; only ever grows.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of this partition.
    pub partition_epoch: i32,
    /// Nodes that have a replica, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Log directory of each replica, in the order of `replicas`.
    pub directories: Vec<Uuid>,
}

impl PartitionImage {
    /// The directory `node_id` keeps its replica in.
    pub fn directory_of(&self, node_id: i32) -> Option<Uuid> {
        let index = self.replicas.iter().position(|&replica| replica == node_id)?;
        self.directories.get(index).copied()
    }
}

/// A topic and its partitions, numbered from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// Its id: another incarnation of the name has another.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: Vec<PartitionImage>,
}

impl TopicImage {
    /// The partition of this number.
    pub fn partition(&self, partition: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    /// Kafka's own topics, which clients may not write to at will (Topic.INTERNAL_TOPICS).
    pub fn is_internal(&self) -> bool {
        is_internal_topic(&self.name)
    }

    /// Ids of its partitions.
    pub fn log_ids(&self) -> impl Iterator<Item = LogId> + '_ {
        (0..self.partitions.len() as i32).map(|partition| LogId { topic_id: self.id, partition })
    }
}

/// Whether `name` is one of Kafka's own topics.
pub fn is_internal_topic(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerImage {
    /// Its rack.
    pub rack: Option<String>,
}

/// All metadata after some record. Cloning is cheap in topics (they are shared); see [`MetadataImage::apply`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataImage {
    /// Offset of the next record in the metadata log.
    pub next_offset: Offset,
    /// Who this cluster is; zero before the first record.
    pub cluster_id: Uuid,
    /// Nodes by id.
    pub brokers: BTreeMap<i32, BrokerImage>,
    by_name: BTreeMap<Arc<str>, Arc<TopicImage>>,
    names_by_id: BTreeMap<Uuid, Arc<str>>,
    /// What was set on topics, brokers, groups and client metrics subscriptions.
    pub configs: BTreeMap<ResourceId, Arc<Values>>,
    /// First producer id not yet reserved.
    pub next_producer_id: i64,
    /// Levels of the features that were changed; 0 is off. See [`crate::metadata::features::Feature::level`].
    pub features: BTreeMap<String, i16>,
    /// Client quotas.
    pub quotas: Arc<BTreeMap<QuotaEntity, Quotas>>,
    /// SCRAM credentials by user and mechanism.
    pub scram_credentials: Arc<BTreeMap<(String, ScramMechanism), ScramCredential>>,
}

/// A record that does not fit what came before it: the log is damaged or from another program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// Names a topic that is not there.
    #[error("metadata names the topic id {0}, which does not exist")]
    UnknownTopic(Uuid),
    /// Names a partition that is not there.
    #[error("metadata names partition {1} of topic id {0}, which does not exist")]
    UnknownPartition(Uuid, i32),
    /// Creates what is there already.
    #[error("metadata creates the topic {0} twice")]
    TopicTwice(String),
    /// A second identity.
    #[error("metadata names a second cluster id {0}")]
    ClusterTwice(Uuid),
    /// Snapshot marks are for the reader of the log.
    #[error("metadata has a snapshot mark out of place")]
    SnapshotMark,
}

impl MetadataImage {
    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.by_name.get(self.names_by_id.get(&id)?)
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// The id of a partition of the topic called `name`; `None` if there is no such partition.
    pub fn log_id(&self, name: &str, partition: i32) -> Option<LogId> {
        let topic = self.topic(name)?;
        topic.partition(partition).map(|_| LogId { topic_id: topic.id, partition })
    }

    /// A partition by topic id and number.
    pub fn partition(&self, id: LogId) -> Option<&PartitionImage> {
        self.topic_by_id(id.topic_id)?.partition(id.partition)
    }

    /// What was set on `resource`; empty when nothing was.
    pub fn config(&self, resource: &ResourceId) -> Arc<Values> {
        self.configs.get(resource).cloned().unwrap_or_default()
    }

    /// What was set on the topic of this name.
    pub fn topic_config(&self, name: &str) -> Arc<Values> {
        self.config(&ResourceId::topic(name))
    }

    /// Partitions in all.
    pub fn partition_count(&self) -> usize {
        self.by_name.values().map(|topic| topic.partitions.len()).sum()
    }

    /// Takes in one record. `next_offset` is left to the reader of the log.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::ClusterCreated { cluster_id } => self.apply_cluster(*cluster_id)?,
            MetadataRecord::BrokerRegistered { node_id, rack } => {
                self.brokers.insert(*node_id, BrokerImage { rack: rack.clone() });
            }
            MetadataRecord::TopicCreated { name, id } => self.apply_topic_created(name, *id)?,
            MetadataRecord::PartitionsAdded { topic, partitions } => {
                self.topic_mut(*topic)?.partitions.extend(partitions.iter().map(PartitionImage::from));
            }
            MetadataRecord::PartitionChanged { topic, partition, state } => {
                let partitions = &mut self.topic_mut(*topic)?.partitions;
                let slot = usize::try_from(*partition).ok().and_then(|index| partitions.get_mut(index));
                *slot.ok_or(ApplyError::UnknownPartition(*topic, *partition))? = PartitionImage::from(state);
            }
            MetadataRecord::TopicDeleted { id } => self.apply_topic_deleted(*id)?,
            MetadataRecord::ConfigChanged { resource, name, value } => {
                self.apply_config(resource, name, value.as_deref());
            }
            MetadataRecord::ProducerIdsReserved { next } => self.next_producer_id = *next,
            MetadataRecord::FeatureLevel { name, level } => {
                self.features.insert(name.clone(), *level);
            }
            MetadataRecord::QuotaChanged { entity, key, value } => self.apply_quota(entity, key, *value),
            MetadataRecord::ScramCredentialChanged { user, mechanism, credential } => {
                let credentials = Arc::make_mut(&mut self.scram_credentials);
                match credential {
                    Some(credential) => credentials.insert((user.clone(), *mechanism), credential.clone()),
                    None => credentials.remove(&(user.clone(), *mechanism)),
                };
            }
            MetadataRecord::SnapshotBegin | MetadataRecord::SnapshotEnd => return Err(ApplyError::SnapshotMark),
        }
        Ok(())
    }

    fn apply_cluster(&mut self, cluster_id: Uuid) -> Result<(), ApplyError> {
        if self.cluster_id != Uuid::ZERO {
            return Err(ApplyError::ClusterTwice(cluster_id));
        }
        self.cluster_id = cluster_id;
        Ok(())
    }

    fn apply_topic_created(&mut self, name: &str, id: Uuid) -> Result<(), ApplyError> {
        if self.by_name.contains_key(name) || self.names_by_id.contains_key(&id) {
            return Err(ApplyError::TopicTwice(name.to_owned()));
        }
        let name: Arc<str> = Arc::from(name);
        self.names_by_id.insert(id, name.clone());
        self.by_name.insert(name.clone(), Arc::new(TopicImage { id, name, partitions: Vec::new() }));
        Ok(())
    }

    fn apply_topic_deleted(&mut self, id: Uuid) -> Result<(), ApplyError> {
        let name = self.names_by_id.remove(&id).ok_or(ApplyError::UnknownTopic(id))?;
        self.by_name.remove(&name);
        self.configs.remove(&ResourceId::topic(&name));
        Ok(())
    }

    fn apply_config(&mut self, resource: &ResourceId, name: &str, value: Option<&str>) {
        let mut values = (*self.config(resource)).clone();
        match value {
            Some(value) => values.insert(name.to_owned(), value.to_owned()),
            None => values.remove(name),
        };
        if values.is_empty() {
            self.configs.remove(resource);
        } else {
            self.configs.insert(resource.clone(), Arc::new(values));
        }
    }

    fn apply_quota(&mut self, entity: &QuotaEntity, key: &str, value: Option<QuotaValue>) {
        let all = Arc::make_mut(&mut self.quotas);
        let quotas = all.entry(entity.clone()).or_default();
        match value {
            Some(value) => quotas.insert(key.to_owned(), value),
            None => quotas.remove(key),
        };
        if quotas.is_empty() {
            all.remove(entity);
        }
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, ApplyError> {
        let name = self.names_by_id.get(&id).ok_or(ApplyError::UnknownTopic(id))?;
        let topic = self.by_name.get_mut(name).ok_or(ApplyError::UnknownTopic(id))?;
        Ok(Arc::make_mut(topic))
    }

    /// The shortest list of records that leads to this image from an empty one.
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        if self.cluster_id != Uuid::ZERO {
            records.push(MetadataRecord::ClusterCreated { cluster_id: self.cluster_id });
        }
        for (&node_id, broker) in &self.brokers {
            records.push(MetadataRecord::BrokerRegistered { node_id, rack: broker.rack.clone() });
        }
        for topic in self.by_name.values() {
            records.push(MetadataRecord::TopicCreated { name: topic.name.to_string(), id: topic.id });
            let partitions = topic.partitions.iter().map(PartitionRecord::from).collect();
            records.push(MetadataRecord::PartitionsAdded { topic: topic.id, partitions });
        }
        for (resource, values) in &self.configs {
            records.extend(values.iter().map(|(name, value)| MetadataRecord::ConfigChanged {
                resource: resource.clone(),
                name: name.clone(),
                value: Some(value.clone()),
            }));
        }
        if self.next_producer_id != 0 {
            records.push(MetadataRecord::ProducerIdsReserved { next: self.next_producer_id });
        }
        for (name, &level) in &self.features {
            records.push(MetadataRecord::FeatureLevel { name: name.clone(), level });
        }
        for (entity, quotas) in &*self.quotas {
            records.extend(quotas.iter().map(|(key, value)| MetadataRecord::QuotaChanged {
                entity: entity.clone(),
                key: key.clone(),
                value: Some(*value),
            }));
        }
        let credentials = self.scram_credentials.iter();
        records.extend(credentials.map(|((user, mechanism), credential)| MetadataRecord::ScramCredentialChanged {
            user: user.clone(),
            mechanism: *mechanism,
            credential: Some(credential.clone()),
        }));
        records
    }

    /// Names of everything of `kind` that has configs.
    pub fn configured(&self, kind: ResourceKind) -> impl Iterator<Item = &str> {
        self.configs.keys().filter(move |resource| resource.kind == kind).map(|resource| resource.name.as_str())
    }
}

impl From<&PartitionRecord> for PartitionImage {
    fn from(record: &PartitionRecord) -> PartitionImage {
        PartitionImage {
            leader: record.leader,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            directories: record.directories.clone(),
        }
    }
}

impl From<&PartitionImage> for PartitionRecord {
    fn from(image: &PartitionImage) -> PartitionRecord {
        PartitionRecord {
            leader: image.leader,
            leader_epoch: image.leader_epoch.0,
            partition_epoch: image.partition_epoch,
            replicas: image.replicas.clone(),
            isr: image.isr.clone(),
            directories: image.directories.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::quota::EntityType;

    fn partition(leader: i32) -> PartitionRecord {
        PartitionRecord {
            leader,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: vec![leader],
            isr: vec![leader],
            directories: vec![Uuid::from_random(1, 1)],
        }
    }

    fn image(records: &[MetadataRecord]) -> Result<MetadataImage, ApplyError> {
        let mut image = MetadataImage::default();
        records.iter().try_for_each(|record| image.apply(record))?;
        Ok(image)
    }

    fn set(topic: &str, name: &str, value: Option<&str>) -> MetadataRecord {
        MetadataRecord::ConfigChanged {
            resource: ResourceId::topic(topic),
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    fn quota(user: &str, value: Option<f64>) -> MetadataRecord {
        let entity = QuotaEntity([(EntityType::User, Some(user.to_owned()))].into());
        MetadataRecord::QuotaChanged { entity, key: "k".to_owned(), value: value.map(QuotaValue::new) }
    }

    fn scram(user: &str, iterations: Option<i32>) -> MetadataRecord {
        let none = bytes::Bytes::new();
        let credential = iterations.map(|iterations| ScramCredential {
            iterations,
            salt: none.clone(),
            stored_key: none.clone(),
            server_key: none,
        });
        let mechanism = ScramMechanism::Sha256;
        MetadataRecord::ScramCredentialChanged { user: user.to_owned(), mechanism, credential }
    }

    #[test]
    fn records_lead_to_an_image_and_an_image_to_records_that_lead_to_it() {
        let (a, b) = (Uuid::from_random(1, 2), Uuid::from_random(3, 4));
        let image = image(&[
            MetadataRecord::ClusterCreated { cluster_id: b },
            MetadataRecord::BrokerRegistered { node_id: 1, rack: None },
            MetadataRecord::TopicCreated { name: "a".to_owned(), id: a },
            MetadataRecord::PartitionsAdded { topic: a, partitions: vec![partition(1)] },
            MetadataRecord::PartitionsAdded { topic: a, partitions: vec![partition(1)] },
            MetadataRecord::PartitionChanged { topic: a, partition: 1, state: partition(2) },
            MetadataRecord::TopicCreated { name: "b".to_owned(), id: b },
            set("a", "retention.ms", Some("1")),
            set("b", "retention.ms", Some("2")),
            set("a", "segment.ms", Some("3")),
            set("a", "segment.ms", None),
            MetadataRecord::TopicDeleted { id: b },
            MetadataRecord::ProducerIdsReserved { next: 5 },
            MetadataRecord::FeatureLevel { name: "f".to_owned(), level: 1 },
            quota("a", Some(1.0)),
            quota("b", Some(2.0)),
            quota("a", None),
            scram("u", Some(4096)),
            scram("v", Some(4096)),
            scram("u", None),
        ])
        .expect("they fit");
        assert_eq!(image.topics().count(), 1);
        assert_eq!(image.topic("a").expect("created").partitions[1].leader, 2);
        assert_eq!(image.topic_config("a").len(), 1);
        assert!(image.topic_config("b").is_empty(), "a deleted topic takes its configs along");
        assert_eq!((image.quotas.len(), image.scram_credentials.len()), (1, 1));
        assert_eq!(self::image(&image.to_records()), Ok(image));
    }

    #[test]
    fn records_that_do_not_fit_are_refused() {
        let id = Uuid::from_random(1, 2);
        let created = MetadataRecord::TopicCreated { name: "a".to_owned(), id };
        let check = |records: &[MetadataRecord], error: ApplyError| assert_eq!(image(records), Err(error));
        check(&[MetadataRecord::TopicDeleted { id }], ApplyError::UnknownTopic(id));
        check(&[created.clone(), created.clone()], ApplyError::TopicTwice("a".to_owned()));
        check(
            &[created, MetadataRecord::PartitionChanged { topic: id, partition: 0, state: partition(1) }],
            ApplyError::UnknownPartition(id, 0),
        );
        check(&[MetadataRecord::SnapshotEnd], ApplyError::SnapshotMark);
    }
}
