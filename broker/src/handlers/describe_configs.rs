//! DescribeConfigs (key 32, versions 1-4): every config of a topic, of this broker, of a group or a client metrics
//! subscription, with its value and where it comes from.
//!
//! - All known configs are told, set or not; a list of names narrows them. Secrets are told as null.
//! - v1: synonyms, the winner first. v3: type and documentation.
//! - Broker "" tells what was altered for all brokers; another broker's id is INVALID_REQUEST. Broker loggers (type 8) and
//!   their levels are told in the same form.

use protocol::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::broker_loggers::{self, BROKER_LOGGER};
use crate::config::describe::{
    Wanted, describe_all_brokers, describe_broker, describe_client_metrics, describe_group, describe_topic,
};
use crate::context::RequestContext;
use crate::metadata::decide::ApiError;
use crate::metadata::{ResourceId, ResourceKind};
use crate::topic_name;

/// Reads the image and the settings.
pub async fn handle(context: &RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let describe_one = |resource: DescribeConfigsResource| {
        let wanted = Wanted { names: resource.configuration_keys.as_deref(), synonyms, documentation };
        let described = describe(context, &resource, wanted);
        let (error_code, error_message, configs) = match described {
            Ok(configs) => (ErrorCode::NONE, None, configs),
            Err(error) => (error.code, Some(error.message), Vec::new()),
        };
        DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs,
        }
    };
    DescribeConfigsResponse { results: request.resources.into_iter().map(describe_one).collect(), ..Default::default() }
}

fn describe(
    context: &RequestContext,
    resource: &DescribeConfigsResource,
    wanted: Wanted<'_>,
) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::INVALID_REQUEST, message);
    let name = &resource.resource_name;
    if resource.resource_type == BROKER_LOGGER {
        if name.is_empty() {
            return Err(invalid("Broker id must not be empty".to_owned()));
        }
        ensure_this_broker(context, name, "")?;
        return Ok(broker_loggers::describe(wanted.names));
    }
    let kind = ResourceKind::of(resource.resource_type)
        .ok_or_else(|| invalid(ErrorCode::INVALID_REQUEST.message().to_owned()))?;
    let (image, config) = (context.shard.image(), context.shard.config());
    let overrides = image.config(&ResourceId { kind, name: name.clone() });
    match kind {
        ResourceKind::Topic => {
            topic_name::check(name).map_err(|error| {
                ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic name is invalid: {error}"))
            })?;
            // Kafka sends no words along with this one.
            image.topic(name).ok_or_else(|| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ""))?;
            Ok(describe_topic(&overrides, &config.settings, wanted))
        }
        ResourceKind::Broker if name.is_empty() => Ok(describe_all_brokers(&config.settings, wanted)),
        ResourceKind::Broker => {
            ensure_this_broker(context, name, " or empty string,")?;
            Ok(describe_broker(&config.settings, wanted))
        }
        ResourceKind::Group if name.is_empty() => Err(invalid("Group name must not be empty".to_owned())),
        ResourceKind::Group => Ok(describe_group(&overrides, &config.settings, wanted)),
        ResourceKind::ClientMetrics if name.is_empty() => {
            Err(invalid("Client metrics subscription name must not be empty".to_owned()))
        }
        ResourceKind::ClientMetrics => Ok(describe_client_metrics(&overrides, wanted)),
    }
}

/// `else_allowed` is what else the name could have been, in the words of the error.
fn ensure_this_broker(context: &RequestContext, name: &str, else_allowed: &str) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let node_id = context.shard.identity().node_id;
    match name.parse::<i32>() {
        Ok(id) if id == node_id => Ok(()),
        Ok(_) => invalid(format!("Unexpected broker id, expected {node_id}{else_allowed} but received {name}")),
        Err(_) => invalid(format!("Broker id must be an integer, but it is: {name}")),
    }
}
