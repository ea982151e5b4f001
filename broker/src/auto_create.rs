//! Topics that come into being because a client asked for them (`auto.create.topics.enable`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::{ErrorCode, Uuid};

use crate::metadata::{MetadataImage, MetadataRecord, PartitionRecord};
use crate::shard::Shard;

/// Creates those of `names` that are not there, with the broker's defaults. What each is answered with: Kafka, too,
/// says UNKNOWN_TOPIC_OR_PARTITION once more, and clients ask again.
pub async fn create(shard: &Rc<Shard>, names: BTreeSet<String>) -> BTreeMap<String, ErrorCode> {
    let config = shard.config();
    let (node_id, partitions, directory) = (config.node_id, config.num_partitions, shard.directories()[0].id);
    let ids: Vec<Uuid> = names.iter().map(|_| shard.random_id()).collect();
    let wanted: Vec<(String, Uuid)> = names.iter().cloned().zip(ids).collect();
    let created = shard.change_metadata(move |image| (records(image, &wanted, node_id, partitions, directory), ()));
    let code = match created.await {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(error) => {
            tracing::error!(%error, "topics cannot be created");
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    };
    names.into_iter().map(|name| (name, code)).collect()
}

fn records(
    image: &MetadataImage,
    wanted: &[(String, Uuid)],
    node_id: i32,
    partitions: i32,
    directory: Uuid,
) -> Vec<MetadataRecord> {
    let partition = PartitionRecord {
        leader: node_id,
        leader_epoch: 0,
        partition_epoch: 0,
        replicas: vec![node_id],
        isr: vec![node_id],
        directories: vec![directory],
    };
    let partitions = vec![partition; usize::try_from(partitions).unwrap_or(1)];
    let missing = wanted.iter().filter(|(name, _)| image.topic(name).is_none());
    let topic = |(name, id): &(String, Uuid)| {
        [
            MetadataRecord::TopicCreated { name: name.clone(), id: *id },
            MetadataRecord::PartitionsAdded { topic: *id, partitions: partitions.clone() },
        ]
    };
    missing.flat_map(topic).collect()
}
