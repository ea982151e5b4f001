//! What every core knows about the cluster. Immutable: a change makes a new image, and who holds the old one finishes
//! with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Uuid;
use storage::LeaderEpoch;

/// Topics by name and by id. Cheap to clone: topics are shared.
#[derive(Debug, Clone, Default)]
pub struct MetadataImage {
    by_name: BTreeMap<String, Arc<TopicImage>>,
    by_id: BTreeMap<Uuid, Arc<TopicImage>>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// Its name.
    pub name: String,
    /// Its id: a topic deleted and made again has another.
    pub id: Uuid,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionImage>,
    /// The settings that were set on it, and no defaults.
    pub configs: BTreeMap<String, String>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionImage {
    /// Node that leads it.
    pub leader: i32,
    /// Epoch it leads under.
    pub leader_epoch: LeaderEpoch,
    /// Nodes that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync_replicas: Vec<i32>,
    /// Log directory on the leader.
    pub directory: Uuid,
}

impl MetadataImage {
    /// The topic called `name`.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic with `id`.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.by_id.get(&id)
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// Adds or replaces a topic.
    pub fn insert(&mut self, topic: TopicImage) {
        let topic = Arc::new(topic);
        self.by_id.insert(topic.id, topic.clone());
        if let Some(old) = self.by_name.insert(topic.name.clone(), topic.clone()) {
            if old.id != topic.id {
                self.by_id.remove(&old.id);
            }
        }
    }

    /// Removes the topic with `id`.
    pub fn remove(&mut self, id: Uuid) -> Option<Arc<TopicImage>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }
}

impl TopicImage {
    /// Partition `number`, if there is one.
    pub fn partition(&self, number: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(number).ok()?)
    }
}
