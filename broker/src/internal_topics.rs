//! The topics the broker itself needs: made when somebody needs them for the first time, or asks for them by name, with
//! settings of their own (DefaultAutoTopicCreationManager.java). Their partitions are spread as those of any topic.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::CreateTopicsRequest;

use crate::config::BrokerConfig;
use crate::groups::OFFSETS_TOPIC;
use crate::handlers::ClusterFacts;
use crate::metadata::MetadataImage;
use crate::metadata::decide::topics::{create_topics, internal_topic};
use crate::metadata::decide::unbounded;
use crate::shard::Shard;

/// The topic that transactions are recorded in.
pub const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";

/// Makes `topic` if it is not there; it is there, on all cores and durably, when this returns `Ok`. The code is the one for
/// a client that looks for a coordinator. A name that is none of these topics is refused.
pub async fn ensure(shard: &Rc<Shard>, topic: &'static str) -> Result<(), ErrorCode> {
    if shard.image().topic(topic).is_some() {
        return Ok(());
    }
    let facts = ClusterFacts::of_shard(shard);
    let mut id = Some(shard.random_id());
    let decided = shard.change_metadata(move |image| {
        let cluster = facts.cluster();
        let request = creation(image, cluster.config, topic);
        create_topics(image, &cluster, &request, || id.take().expect("one topic takes one id"), &mut unbounded)
    });
    let failed = |reason: String| {
        tracing::error!(topic, reason, "the topic cannot be created");
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    };
    let results = decided.await.map_err(|error| failed(error.to_string()))?;
    match results.into_iter().next() {
        Some((_, Ok(_))) => Ok(()),
        // Made by another client meanwhile.
        Some((_, Err(error))) if error.code == ErrorCode::TOPIC_ALREADY_EXISTS => Ok(()),
        Some((_, Err(error))) => Err(failed(error.message)),
        None => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
    }
}

/// Nothing for a name that is not in this table.
fn creation(image: &MetadataImage, config: &BrokerConfig, topic: &str) -> CreateTopicsRequest {
    match topic {
        OFFSETS_TOPIC => internal_topic(
            image,
            OFFSETS_TOPIC,
            config.offsets_topic_partitions,
            config.offsets_topic_replication_factor,
            &[
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
            ],
        ),
        TRANSACTION_STATE_TOPIC => {
            let replicas =
                i32::from(config.transaction_topic_replication_factor).min(image.brokers.len().max(1) as i32);
            // Kafka asks for two in-sync replicas and three brokers; one broker alone could then write nothing.
            let in_sync_min = config.transaction_topic_in_sync_replicas_min.min(replicas);
            internal_topic(
                image,
                TRANSACTION_STATE_TOPIC,
                config.transaction_topic_partitions,
                config.transaction_topic_replication_factor,
                &[
                    ("cleanup.policy", "compact".to_owned()),
                    ("compression.type", "uncompressed".to_owned()),
                    ("min.insync.replicas", in_sync_min.to_string()),
                    ("segment.bytes", config.transaction_topic_segment_bytes.to_string()),
                    ("unclean.leader.election.enable", "false".to_owned()),
                ],
            )
        }
        _ => CreateTopicsRequest::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::Uuid;

    use super::*;
    use crate::config::Settings;
    use crate::metadata::decide::Cluster;
    use crate::metadata::{MetadataRecord, ResourceId};

    /// Makes the topic in an image with two log directories, the first of which has more partitions.
    fn made(topic: &str) -> MetadataImage {
        let config = BrokerConfig::new(Settings::default()).expect("defaults are valid");
        let directories = [Uuid::from_random(1, 1), Uuid::from_random(2, 2)];
        let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
        let mut image = MetadataImage::default();
        image.apply(&MetadataRecord::BrokerRegistered { node_id: 1, rack: None }).expect("fits");
        let request = creation(&image, &config, topic);
        let (records, results) = create_topics(&image, &cluster, &request, || Uuid::from_random(3, 3), &mut unbounded);
        assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
        records.iter().for_each(|record| image.apply(record).expect("fits"));
        image
    }

    #[test]
    fn each_topic_has_kafkas_settings_and_is_spread_over_the_directories() {
        let check = |topic: &str, expected: &[(&str, &str)]| {
            let image = made(topic);
            let partitions = &image.topic(topic).expect("made").partitions;
            assert_eq!(partitions.len(), 50);
            assert!(partitions.iter().all(|partition| partition.replicas == [1]));
            let directories: BTreeSet<_> = partitions.iter().flat_map(|partition| &partition.directories).collect();
            assert_eq!(directories.len(), 2);
            let config = image.config(&ResourceId::topic(topic));
            let set: Vec<_> = config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(set, expected);
        };
        check(
            OFFSETS_TOPIC,
            &[("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")],
        );
        check(
            TRANSACTION_STATE_TOPIC,
            &[
                ("cleanup.policy", "compact"),
                ("compression.type", "uncompressed"),
                ("min.insync.replicas", "1"),
                ("segment.bytes", "104857600"),
                ("unclean.leader.election.enable", "false"),
            ],
        );
    }
}
