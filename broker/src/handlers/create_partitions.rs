//! CreatePartitions (key 37, versions 0-3): more partitions for a topic; never fewer.
//!
//! - One row per topic. A count that is no increase is INVALID_PARTITIONS; `validate_only` stops after the checks.
//! - The new partitions are durable and open when the answer leaves.
//! - v3: THROTTLING_QUOTA_EXCEEDED for what exceeds `controller_mutation_rate`; older clients are told to pause.

use protocol::ErrorCode;
use protocol::messages::create_partitions::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::handlers::ClusterFacts;
use crate::metadata::decide::ApiError;
use crate::metadata::decide::partitions::create_partitions;
use crate::quotas::mutations::MutationQuota;

const STRICT_QUOTA_SINCE: i16 = 3;

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let facts = ClusterFacts::of(context);
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let mut quota = MutationQuota::of(context, STRICT_QUOTA_SINCE);
    let decided = context.shard.change_metadata_counted(move |shard, image| {
        let mut permit = |partitions| quota.take(shard, partitions);
        let (records, results) = create_partitions(image, &facts.cluster(), &request, &mut permit);
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
    CreatePartitionsResponse {
        results: results.into_iter().map(|(name, result)| answer(name, result)).collect(),
        ..Default::default()
    }
}

fn answer(name: String, result: Result<(), ApiError>) -> CreatePartitionsTopicResult {
    match result {
        Ok(()) => CreatePartitionsTopicResult { name, error_code: ErrorCode::NONE, error_message: None },
        Err(error) => CreatePartitionsTopicResult { name, error_code: error.code, error_message: Some(error.message) },
    }
}
