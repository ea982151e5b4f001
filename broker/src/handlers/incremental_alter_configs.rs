//! IncrementalAlterConfigs (key 44, versions 0-1): configs set, unset, and lists grown or shrunk.
//!
//! - Operations: SET 0, DELETE 1 (of what is not set: nothing happens), APPEND 2 and SUBTRACT 3 for lists only.
//! - Each resource (topic, broker, all brokers, group, client metrics) changes as a whole or not at all.
//! - `validate_only` stops after the checks. Broker loggers (type 8) have fixed levels: INVALID_REQUEST.

use protocol::messages::incremental_alter_configs::AlterConfigsResource;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::alter_configs::alter;
use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::metadata::decide::Cluster;
use crate::metadata::decide::configs::incremental_alter_configs;

/// Decides, writes, publishes, answers.
pub async fn handle(
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let named = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let resources = request.resources.iter().map(named).collect();
    let validate_only = request.validate_only;
    let decide = move |image: &MetadataImage, cluster: &Cluster<'_>| incremental_alter_configs(image, cluster, request);
    let responses = alter(context, resources, validate_only, decide).await;
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}
