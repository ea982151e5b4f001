//! The topic `__consumer_offsets`: made when somebody asks for a coordinator for the first time.

use std::rc::Rc;

use protocol::{ErrorCode, Uuid};

use super::OFFSETS_TOPIC;
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRecord, ResourceId};
use crate::shard::Shard;

/// What a topic that does not exist yet is made of.
struct Plan {
    id: Uuid,
    node_id: i32,
    directory: Uuid,
    partitions: i32,
    segment_bytes: i32,
}

/// Makes the topic if it is not there; it is there, on all cores and durably, when this returns `Ok`.
pub async fn ensure(shard: &Rc<Shard>) -> Result<(), ErrorCode> {
    if shard.image().topic(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let config = shard.config();
    let plan = Plan {
        id: shard.random_id(),
        node_id: config.node_id,
        directory: shard.directories()[0].id,
        partitions: config.offsets_topic_partitions,
        segment_bytes: config.offsets_topic_segment_bytes,
    };
    shard.change_metadata(move |image| (records(image, &plan), ())).await.map_err(|error| {
        tracing::error!(%error, "{OFFSETS_TOPIC} cannot be created");
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    })
}

/// Kafka's own settings of this topic (DefaultAutoTopicCreationManager.scala): compacted, never deleted from, so that an
/// offset is kept as long as its group.
fn records(image: &MetadataImage, plan: &Plan) -> Vec<MetadataRecord> {
    if image.topic(OFFSETS_TOPIC).is_some() {
        return Vec::new();
    }
    let partition = PartitionRecord {
        leader: plan.node_id,
        leader_epoch: 0,
        partition_epoch: 0,
        replicas: vec![plan.node_id],
        isr: vec![plan.node_id],
        directories: vec![plan.directory],
    };
    let partitions = vec![partition; usize::try_from(plan.partitions).unwrap_or(1)];
    let set = |name: &str, value: String| MetadataRecord::ConfigChanged {
        resource: ResourceId::topic(OFFSETS_TOPIC),
        name: name.to_owned(),
        value: Some(value),
    };
    vec![
        MetadataRecord::TopicCreated { name: OFFSETS_TOPIC.to_owned(), id: plan.id },
        MetadataRecord::PartitionsAdded { topic: plan.id, partitions },
        set("cleanup.policy", "compact".to_owned()),
        set("compression.type", "producer".to_owned()),
        set("segment.bytes", plan.segment_bytes.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_made_once_with_its_own_settings() {
        let mut image = MetadataImage::default();
        let plan = Plan {
            id: Uuid::from_random(1, 2),
            node_id: 1,
            directory: Uuid::from_random(3, 4),
            partitions: 50,
            segment_bytes: 1 << 20,
        };
        records(&image, &plan).iter().for_each(|record| image.apply(record).expect("fits"));
        assert_eq!(image.topic(OFFSETS_TOPIC).map(|topic| topic.partitions.len()), Some(50));
        assert_eq!(image.topic_config(OFFSETS_TOPIC).get("cleanup.policy").map(String::as_str), Some("compact"));
        assert!(records(&image, &plan).is_empty());
    }
}
