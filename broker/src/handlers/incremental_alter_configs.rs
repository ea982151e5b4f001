//! IncrementalAlterConfigs (key 44, versions 0-1): configs set, unset, and lists grown or shrunk.
//!
//! - Operations: SET 0, DELETE 1 (of what is not set: nothing happens), APPEND 2 and SUBTRACT 3 for lists only.
//! - Each resource (topic, broker, all brokers, group, client metrics) changes as a whole or not at all.
//! - `validate_only` stops after the checks. Broker loggers (type 8) have fixed levels: INVALID_REQUEST.

use protocol::ErrorCode;
use protocol::messages::incremental_alter_configs::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::handlers::ClusterFacts;
use crate::metadata::decide::ApiError;
use crate::metadata::decide::configs::incremental_alter_configs;

/// Decides, writes, publishes, answers.
pub async fn handle(
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let facts = ClusterFacts::of(context);
    let resources: Vec<_> =
        request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name.clone())).collect();
    let validate_only = request.validate_only;
    let decided = context.shard.change_metadata(move |image| {
        let (records, results) = incremental_alter_configs(image, &facts.cluster(), request);
        (if validate_only { Vec::new() } else { records }, results)
    });
    let results = decided.await.unwrap_or_else(|error| vec![Err(metadata_error(&error)); resources.len()]);
    IncrementalAlterConfigsResponse {
        responses: resources.into_iter().zip(results).map(|(resource, result)| answer(resource, result)).collect(),
        ..Default::default()
    }
}

fn answer(resource: (i8, String), result: Result<(), ApiError>) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(error) => (error.code, Some(error.message)),
    };
    AlterConfigsResourceResponse { error_code, error_message, resource_type: resource.0, resource_name: resource.1 }
}
