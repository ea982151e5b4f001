//! CreateTopics (key 19, versions 2-7): topics with partitions, placed by the broker or by hand, and with configs.
//!
//! - Each topic is checked and answered on its own; those that pass are created together, durably, and open on their
//!   cores when the answer leaves. `validate_only` stops after the checks.
//! - v4: -1 partitions or replicas stand for the broker's defaults. v5: the answer has the configs in force and the
//!   numbers. v6: THROTTLING_QUOTA_EXCEEDED for what exceeds `controller_mutation_rate`; older clients are told to pause.
//!   v7: topic ids.
//! - A name twice in a request fails with INVALID_REQUEST, as in Kafka.

use protocol::messages::create_topics::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use crate::config::Settings;
use crate::config::describe::{Wanted, describe_topic};
use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::handlers::ClusterFacts;
use crate::metadata::decide::ApiError;
use crate::metadata::decide::topics::{CreatedTopic, create_topics};
use crate::quotas::mutations::MutationQuota;

const STRICT_QUOTA_SINCE: i16 = 6;

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let facts = ClusterFacts::of(context);
    let settings = facts.config.settings.clone();
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let mut ids: Vec<_> = request.topics.iter().map(|_| context.shard.random_id()).collect();
    let mut quota = MutationQuota::of(context, STRICT_QUOTA_SINCE);
    let decided = context.shard.change_metadata_counted(move |shard, image| {
        let next_id = || ids.pop().expect("one id for each topic of the request");
        let mut permit = |partitions| quota.take(shard, partitions);
        let (records, results) = create_topics(image, &facts.cluster(), &request, next_id, &mut permit);
        (if request.validate_only { Vec::new() } else { records }, (results, quota))
    });
    let decided = decided.await.map(|(results, quota)| {
        quota.settle(&context.pause);
        results
    });
    let results = decided.unwrap_or_else(|error| {
        let error = metadata_error(&error);
        names.into_iter().map(|name| (name, Err(error.clone()))).collect()
    });
    CreateTopicsResponse {
        topics: results.into_iter().map(|(name, result)| answer(name, result, &settings)).collect(),
        ..Default::default()
    }
}

fn answer(name: String, result: Result<CreatedTopic, ApiError>, settings: &Settings) -> CreatableTopicResult {
    match result {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.id,
            error_message: None,
            num_partitions: created.partitions,
            replication_factor: created.replication_factor,
            configs: Some(configs(&created, settings)),
            ..Default::default()
        },
        Err(error) => CreatableTopicResult {
            name,
            error_code: error.code,
            error_message: Some(error.message),
            ..Default::default()
        },
    }
}

fn configs(created: &CreatedTopic, settings: &Settings) -> Vec<CreatableTopicConfigs> {
    let rows = describe_topic(&created.configs, settings, Wanted::default()).into_iter();
    let config = |row: protocol::messages::describe_configs::DescribeConfigsResourceResult| CreatableTopicConfigs {
        name: row.name,
        value: row.value,
        read_only: row.read_only,
        config_source: row.config_source,
        is_sensitive: row.is_sensitive,
    };
    let mut configs: Vec<_> = rows.map(config).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    configs
}
