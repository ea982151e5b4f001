//! AlterConfigs (key 33, versions 0-2): the older way, which unsets what it does not name.
//!
//! - Each resource (topic, broker, all brokers, group, client metrics) changes as a whole or not at all.
//! - `validate_only` stops after the checks.

use protocol::ErrorCode;
use protocol::messages::alter_configs::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::handlers::ClusterFacts;
use crate::metadata::decide::configs::{AlterResults, alter_configs};
use crate::metadata::decide::{ApiError, Cluster};
use crate::metadata::{MetadataImage, MetadataRecord};

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let named = |resource: &protocol::messages::alter_configs::AlterConfigsResource| {
        (resource.resource_type, resource.resource_name.clone())
    };
    let resources = request.resources.iter().map(named).collect();
    let validate_only = request.validate_only;
    let decide = move |image: &MetadataImage, cluster: &Cluster<'_>| alter_configs(image, cluster, request);
    let responses = alter(context, resources, validate_only, decide).await;
    AlterConfigsResponse { responses, ..Default::default() }
}

/// Carries a decision out unless it is only to be checked; `resources` (type and name) are those of the request, in order.
pub(super) async fn alter(
    context: &RequestContext,
    resources: Vec<(i8, String)>,
    validate_only: bool,
    decide: impl FnOnce(&MetadataImage, &Cluster<'_>) -> (Vec<MetadataRecord>, AlterResults) + Send + 'static,
) -> Vec<AlterConfigsResourceResponse> {
    let facts = ClusterFacts::of(context);
    let decided = context.shard.change_metadata(move |image| {
        let (records, results) = decide(image, &facts.cluster());
        (if validate_only { Vec::new() } else { records }, results)
    });
    let results = decided.await.unwrap_or_else(|error| vec![Err(metadata_error(&error)); resources.len()]);
    resources.into_iter().zip(results).map(|((kind, name), result)| response(kind, name, result)).collect()
}

/// What became of one resource.
pub(super) fn response(
    resource_type: i8,
    resource_name: String,
    result: Result<(), ApiError>,
) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(error) => (error.code, Some(error.message)),
    };
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
}
