//! ListConfigResources (key 74, versions 0-1): everything that has configs, by type.
//!
//! - v0: client metrics subscriptions only. v1: the types asked for, or all: topics, brokers, broker loggers, client
//!   metrics subscriptions and groups that have configs. A type there is not: UNSUPPORTED_VERSION.

use protocol::ErrorCode;
use protocol::messages::list_config_resources::ConfigResource;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::broker_loggers::BROKER_LOGGER;
use crate::context::RequestContext;
use crate::metadata::{MetadataImage, ResourceKind};

const TOPIC: i8 = ResourceKind::Topic as i8;
const BROKER: i8 = ResourceKind::Broker as i8;
const CLIENT_METRICS: i8 = ResourceKind::ClientMetrics as i8;
const GROUP: i8 = ResourceKind::Group as i8;

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    let supported: &[i8] = match context.api_version {
        0 => &[CLIENT_METRICS],
        _ => &[GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC],
    };
    if request.resource_types.iter().any(|wanted| !supported.contains(wanted)) {
        return ListConfigResourcesResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..Default::default() };
    }
    let image = context.shard.image();
    let wanted = |kind: &&i8| request.resource_types.is_empty() || request.resource_types.contains(*kind);
    let resources = supported.iter().filter(wanted).flat_map(|&resource_type| {
        let names = names(&image, resource_type).into_iter();
        names.map(move |resource_name| ConfigResource { resource_name, resource_type })
    });
    ListConfigResourcesResponse { config_resources: resources.collect(), ..Default::default() }
}

fn names(image: &MetadataImage, resource_type: i8) -> Vec<String> {
    match resource_type {
        TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
        BROKER | BROKER_LOGGER => image.brokers.keys().map(ToString::to_string).collect(),
        CLIENT_METRICS => image.configured(ResourceKind::ClientMetrics).map(str::to_owned).collect(),
        _ => image.configured(ResourceKind::Group).map(str::to_owned).collect(),
    }
}
