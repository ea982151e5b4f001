//! Metadata (key 3, versions 0-13): brokers, topics, partitions and who leads them; the first thing every client asks,
//! and where topics come into being by being asked for.
//!
//! - v0: no topics asked for means all. From v1 on null means all, and none means none.
//! - An unknown topic is created if the broker (`auto.create.topics.enable`) and, from v4 on, the client allow it; the
//!   answer then is UNKNOWN_TOPIC_OR_PARTITION once more, as Kafka's, and clients ask again. An impossible name is
//!   INVALID_TOPIC_EXCEPTION.
//! - v10: topic ids. v12: topics may be asked for by id; an unknown id is UNKNOWN_TOPIC_ID.
//! - Brokers are told with the endpoint of the listener the client came in by.
//! - Authorized operations are not known: the fields say so (v8).

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{MetadataRequest, MetadataResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::metadata::{MetadataImage, PartitionImage, TopicImage};
use crate::shard::Endpoint;

/// Says what the image says, creating what is missing.
pub async fn handle(context: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let image = context.shard.image();
    let asks_all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && context.api_version == 0,
    };
    let topics = match request.topics {
        _ if asks_all => image.topics().map(known).collect(),
        Some(asked) => {
            let may_create = request.allow_auto_topic_creation || context.api_version < 4;
            answer(context, &image, asked, may_create).await
        }
        None => Vec::new(),
    };
    let identity = context.shard.identity();
    MetadataResponse {
        brokers: brokers(context, &image),
        cluster_id: Some(identity.cluster_id.clone()),
        controller_id: identity.node_id,
        topics,
        ..Default::default()
    }
}

async fn answer(
    context: &RequestContext,
    image: &MetadataImage,
    asked: Vec<MetadataRequestTopic>,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut rows: Vec<MetadataResponseTopic> = asked.iter().map(|topic| look_up(image, topic)).collect();
    if may_create && context.shard.config().auto_create_topics {
        create_missing(context, &mut rows).await;
    }
    rows
}

fn look_up(image: &MetadataImage, asked: &MetadataRequestTopic) -> MetadataResponseTopic {
    if !asked.topic_id.is_zero() {
        let missing = || unknown_id(asked.topic_id);
        return image.topic_by_id(asked.topic_id).map_or_else(missing, known);
    }
    let name = asked.name.as_deref().unwrap_or_default();
    image.topic(name).map_or_else(|| unknown_name(name), known)
}

/// Creates the unknown topics that have a name a topic may have.
async fn create_missing(context: &RequestContext, rows: &mut [MetadataResponseTopic]) {
    let is_missing = |row: &&mut MetadataResponseTopic| row.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let names: BTreeSet<String> = rows.iter_mut().filter(is_missing).filter_map(|row| row.name.clone()).collect();
    if names.is_empty() {
        return;
    }
    let results = crate::auto_create::create(context, names).await;
    for row in rows.iter_mut().filter(is_missing) {
        let result = row.name.as_ref().and_then(|name| results.get(name)).copied();
        row.error_code = result.unwrap_or(row.error_code);
    }
}

fn known(topic: &Arc<TopicImage>) -> MetadataResponseTopic {
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: topic.partitions.iter().zip(0..).map(|(partition, number)| row(partition, number)).collect(),
        ..Default::default()
    }
}

fn row(partition: &PartitionImage, partition_index: i32) -> MetadataResponsePartition {
    MetadataResponsePartition {
        error_code: if partition.leader < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE },
        partition_index,
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        offline_replicas: Vec::new(),
    }
}

fn unknown_id(topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code: ErrorCode::UNKNOWN_TOPIC_ID, topic_id, name: None, ..Default::default() }
}

fn unknown_name(name: &str) -> MetadataResponseTopic {
    let error_code = match crate::topic_name::check(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    MetadataResponseTopic { error_code, name: Some(name.to_owned()), ..Default::default() }
}

fn brokers(context: &RequestContext, image: &MetadataImage) -> Vec<MetadataResponseBroker> {
    let node_id = context.shard.identity().node_id;
    let endpoint = context.shard.endpoint(&context.connection.listener);
    let rack = image.brokers.get(&node_id).and_then(|broker| broker.rack.clone());
    let row = |endpoint: &Endpoint| MetadataResponseBroker {
        node_id,
        host: endpoint.host.clone(),
        port: i32::from(endpoint.port),
        rack,
    };
    endpoint.map(row).into_iter().collect()
}
