//! The topic `__consumer_offsets`: made when somebody asks for a coordinator for the first time.

use std::rc::Rc;

use protocol::ErrorCode;

use super::OFFSETS_TOPIC;
use crate::internal_topic::{self, InternalTopic};
use crate::shard::Shard;

/// Makes the topic if it is not there; it is there, on all cores and durably, when this returns `Ok`. Kafka's own
/// settings of it (DefaultAutoTopicCreationManager.scala): compacted, never deleted from, so that an offset is kept as
/// long as its group.
pub async fn ensure(shard: &Rc<Shard>) -> Result<(), ErrorCode> {
    let config = shard.config();
    let topic = InternalTopic {
        name: OFFSETS_TOPIC,
        partitions: config.offsets_topic_partitions,
        configs: vec![
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ],
    };
    internal_topic::ensure(shard, topic).await
}
