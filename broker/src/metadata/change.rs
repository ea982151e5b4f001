//! What a new image means for a node: logs to open, to delete, to configure anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::Uuid;
use storage::{LeaderEpoch, LogId};

use crate::metadata::image::{MetadataImage, TopicImage};
use crate::metadata::record::{ResourceId, ResourceKind};

/// A partition this node has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartition {
    /// Topic id and number.
    pub id: LogId,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Log directory it lives in.
    pub directory: Uuid,
    /// Epoch its leader leads under.
    pub leader_epoch: LeaderEpoch,
}

/// Everything a node has to do before an image is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageChange {
    /// Partitions to open.
    pub opened: Vec<NewPartition>,
    /// Partitions to delete.
    pub deleted: Vec<LogId>,
    /// Topics whose configs changed; those just created are not among them.
    pub reconfigured: Vec<Arc<str>>,
    /// Configs of brokers changed: settings and all topics' configs are to be read anew.
    pub broker_configs: bool,
}

/// What `node_id` has to do to get from `old` to `new`.
pub fn change_between(old: &MetadataImage, new: &MetadataImage, node_id: i32) -> ImageChange {
    let mut change = ImageChange::default();
    for topic in new.topics() {
        let before = old.topic_by_id(topic.id);
        // Unchanged topics are shared between images, so that a change costs what it touches.
        if before.is_none_or(|before| !Arc::ptr_eq(before, topic)) {
            change.opened.extend(new_partitions(before, topic, node_id));
        }
    }
    for topic in old.topics().filter(|topic| new.topic_by_id(topic.id).is_none()) {
        let held = topic.log_ids().filter(|id| holds(topic, id.partition, node_id));
        change.deleted.extend(held);
    }
    let changed = changed_configs(old, new);
    change.broker_configs = changed.iter().any(|resource| resource.kind == ResourceKind::Broker);
    change.reconfigured = changed
        .into_iter()
        .filter(|resource| resource.kind == ResourceKind::Topic)
        .filter_map(|resource| {
            let (before, after) = (old.topic(&resource.name)?, new.topic(&resource.name)?);
            (before.id == after.id).then(|| after.name.clone())
        })
        .collect();
    change
}

fn new_partitions<'a>(
    before: Option<&'a Arc<TopicImage>>,
    topic: &'a TopicImage,
    node_id: i32,
) -> impl Iterator<Item = NewPartition> + 'a {
    topic.log_ids().zip(&topic.partitions).filter_map(move |(id, partition)| {
        if before.is_some_and(|before| holds(before, id.partition, node_id)) {
            return None;
        }
        let directory = partition.directory_of(node_id)?;
        Some(NewPartition { id, topic: topic.name.clone(), directory, leader_epoch: partition.leader_epoch })
    })
}

fn holds(topic: &TopicImage, partition: i32, node_id: i32) -> bool {
    topic.partition(partition).is_some_and(|partition| partition.replicas.contains(&node_id))
}

fn changed_configs(old: &MetadataImage, new: &MetadataImage) -> BTreeSet<ResourceId> {
    let differs = |resource: &&ResourceId| {
        let (before, after) = (old.configs.get(*resource), new.configs.get(*resource));
        match (before, after) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after) && before != after,
            (before, after) => before.is_some() != after.is_some(),
        }
    };
    old.configs.keys().chain(new.configs.keys()).filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::{MetadataRecord, PartitionRecord};

    fn partition(node_id: i32) -> PartitionRecord {
        PartitionRecord {
            leader: node_id,
            leader_epoch: 3,
            partition_epoch: 0,
            replicas: vec![node_id],
            isr: vec![node_id],
            directories: vec![Uuid::from_random(9, 9)],
        }
    }

    fn after(image: &MetadataImage, records: &[MetadataRecord]) -> MetadataImage {
        let mut image = image.clone();
        records.iter().for_each(|record| image.apply(record).expect("fits"));
        image
    }

    #[test]
    fn a_node_opens_deletes_and_reconfigures_what_is_its_own() {
        let (a, b) = (Uuid::from_random(1, 1), Uuid::from_random(2, 2));
        let set = |resource: ResourceId, value: Option<&str>| MetadataRecord::ConfigChanged {
            resource,
            name: "x".to_owned(),
            value: value.map(str::to_owned),
        };
        let empty = MetadataImage::default();
        let first = after(
            &empty,
            &[
                MetadataRecord::TopicCreated { name: "a".to_owned(), id: a },
                MetadataRecord::PartitionsAdded { topic: a, partitions: vec![partition(1), partition(2)] },
                set(ResourceId::topic("a"), Some("1")),
            ],
        );
        let ids = |change: &ImageChange| change.opened.iter().map(|one| one.id.partition).collect::<Vec<_>>();
        let change = change_between(&empty, &first, 1);
        assert_eq!((ids(&change), change.opened[0].leader_epoch), (vec![0], LeaderEpoch(3)));
        assert!(change.reconfigured.is_empty(), "a new topic opens with its configs");

        let second = after(
            &first,
            &[
                MetadataRecord::PartitionsAdded { topic: a, partitions: vec![partition(1)] },
                set(ResourceId::topic("a"), None),
                set(ResourceId::all_brokers(), Some("2")),
            ],
        );
        let change = change_between(&first, &second, 1);
        assert_eq!((ids(&change), change.broker_configs), (vec![2], true));
        assert_eq!(change.reconfigured, [Arc::from("a")]);

        // Deleted and made again under the same name: the old partitions go, the new ones come.
        let third = after(
            &second,
            &[
                MetadataRecord::TopicDeleted { id: a },
                MetadataRecord::TopicCreated { name: "a".to_owned(), id: b },
                MetadataRecord::PartitionsAdded { topic: b, partitions: vec![partition(1)] },
            ],
        );
        let change = change_between(&second, &third, 1);
        assert_eq!(change.deleted, [LogId { topic_id: a, partition: 0 }, LogId { topic_id: a, partition: 2 }]);
        assert_eq!(change.opened[0].id, LogId { topic_id: b, partition: 0 });
        assert_eq!(change_between(&third, &third, 1), ImageChange::default());
    }
}
