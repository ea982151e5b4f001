//! Topics that come into being because a client asked for them (`auto.create.topics.enable`), by the same decision as
//! CreateTopics makes with the broker's defaults.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::CreateTopicsRequest;
use protocol::messages::create_topics::CreatableTopic;
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::groups::OFFSETS_TOPIC;
use crate::handlers::ClusterFacts;
use crate::internal_topics::{self, TRANSACTION_STATE_TOPIC};
use crate::metadata::decide::topics::create_topics;
use crate::metadata::decide::unbounded;
use crate::metadata::is_internal_topic;

/// Creates those of `names` that are not there. What each is answered with: once it is made Kafka, too, says
/// UNKNOWN_TOPIC_OR_PARTITION once more, and clients ask again.
pub async fn create(context: &RequestContext, names: BTreeSet<String>) -> BTreeMap<String, ErrorCode> {
    let (internal, plain): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| is_internal_topic(name));
    for topic in [OFFSETS_TOPIC, TRANSACTION_STATE_TOPIC] {
        if internal.iter().any(|name| name == topic) {
            // A failure is told to whoever asks for a coordinator.
            let _ = internal_topics::ensure(&context.shard, topic).await;
        }
    }
    let internal = internal.into_iter().map(|name| (name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    create_plain(context, plain).await.into_iter().chain(internal).collect()
}

async fn create_plain(context: &RequestContext, names: Vec<String>) -> Vec<(String, ErrorCode)> {
    if names.is_empty() {
        return Vec::new();
    }
    let facts = ClusterFacts::of(context);
    let request = CreateTopicsRequest { topics: names.iter().map(|name| topic(name)).collect(), ..Default::default() };
    let mut ids: Vec<Uuid> = names.iter().map(|_| context.shard.random_id()).collect();
    let decided = context.shard.change_metadata(move |image| {
        let next_id = || ids.pop().expect("one id for each topic");
        create_topics(image, &facts.cluster(), &request, next_id, &mut unbounded)
    });
    match decided.await {
        Ok(results) => {
            results.into_iter().map(|(name, result)| (name, told(result.err().map(|error| error.code)))).collect()
        }
        Err(error) => {
            let code = metadata_error(&error).code;
            names.into_iter().map(|name| (name, code)).collect()
        }
    }
}

/// Partitions and replicas as the broker's settings have them.
fn topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions: -1, replication_factor: -1, ..Default::default() }
}

fn told(error: Option<ErrorCode>) -> ErrorCode {
    match error {
        // Made, by us or by another client meanwhile.
        None | Some(ErrorCode::TOPIC_ALREADY_EXISTS) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Some(code) => code,
    }
}
