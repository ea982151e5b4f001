//! IncrementalAlterConfigs (key 44, versions 0-1): configs set, unset, and lists grown or shrunk.
//!
//! - Operations: SET 0, DELETE 1 (of what is not set: nothing happens), APPEND 2 and SUBTRACT 3 for lists only.
//! - Each resource (topic, broker, all brokers, group, client metrics) changes as a whole or not at all.
//! - `validate_only` stops after the checks. Levels of broker loggers (type 8) change at once and last until the end of the
//!   process, as in Kafka.

use protocol::ErrorCode;
use protocol::messages::alter_configs::AlterConfigsResourceResponse;
use protocol::messages::incremental_alter_configs::AlterConfigsResource;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::alter_configs::{alter, response};
use super::broker_loggers::{self, BROKER_LOGGER};
use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::metadata::decide::configs::incremental_alter_configs;
use crate::metadata::decide::{ApiError, Cluster};

/// Decides, writes, publishes, answers: loggers first, then what is kept in the metadata.
pub async fn handle(
    context: &RequestContext,
    mut request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let validate_only = request.validate_only;
    let (loggers, configs) = request.resources.into_iter().partition(|one| one.resource_type == BROKER_LOGGER);
    let mut responses = alter_loggers(context, loggers, validate_only);
    request.resources = configs;
    let named = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let resources = request.resources.iter().map(named).collect();
    let decide = move |image: &MetadataImage, cluster: &Cluster<'_>| incremental_alter_configs(image, cluster, request);
    responses.extend(alter(context, resources, validate_only, decide).await);
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

fn alter_loggers(
    context: &RequestContext,
    loggers: Vec<AlterConfigsResource>,
    validate_only: bool,
) -> Vec<AlterConfigsResourceResponse> {
    let node_id = context.shard.identity().node_id;
    let doubled = |name: &str| loggers.iter().filter(|other| other.resource_name == name).count() > 1;
    let result = |resource: &AlterConfigsResource| {
        if doubled(&resource.resource_name) {
            return Err(ApiError::new(ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."));
        }
        broker_loggers::alter(resource, node_id, validate_only)
    };
    let results: Vec<_> = loggers.iter().map(result).collect();
    let answered = loggers.into_iter().zip(results);
    answered.map(|(resource, result)| response(resource.resource_type, resource.resource_name, result)).collect()
}
