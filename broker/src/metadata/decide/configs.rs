//! Setting and unsetting configs of topics, brokers, groups and client metrics subscriptions
//! (ConfigAdminManager.scala, ControllerConfigurationValidator.scala, ConfigurationControlManager.java).

mod check;

use std::collections::BTreeSet;

use protocol::ErrorCode;
use protocol::messages::{alter_configs, incremental_alter_configs};

use crate::config::{Config, Kind, Values, split_list, table};
use crate::metadata::decide::{ApiError, Cluster};
use crate::metadata::image::MetadataImage;
use crate::metadata::record::{MetadataRecord, ResourceId, ResourceKind};
use crate::topic_name;

pub use check::check_topic_configs;

/// Longest value of a config.
const VALUE_BYTES_MAX: usize = i16::MAX as usize;

const SET: i8 = 0;
const DELETE: i8 = 1;

/// What to do with one config (AlterConfigOp.OpType).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

/// One resource of either request.
struct Alteration {
    kind: i8,
    name: String,
    /// Operation, config, value.
    configs: Vec<(i8, String, Option<String>)>,
    /// Configs that are not named are unset (the older AlterConfigs).
    replaces_all: bool,
}

/// Results in the order of the request.
pub type AlterResults = Vec<Result<(), ApiError>>;

/// Decides on an IncrementalAlterConfigs request; each resource changes as a whole or not at all.
pub fn incremental_alter_configs(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    request: incremental_alter_configs::IncrementalAlterConfigsRequest,
) -> (Vec<MetadataRecord>, AlterResults) {
    let alteration = |resource: incremental_alter_configs::AlterConfigsResource| {
        let configs = resource.configs.into_iter().map(|config| (config.config_operation, config.name, config.value));
        Alteration {
            kind: resource.resource_type,
            name: resource.resource_name,
            configs: configs.collect(),
            replaces_all: false,
        }
    };
    alter(image, cluster, &request.resources.into_iter().map(alteration).collect::<Vec<_>>())
}

/// Decides on an AlterConfigs request: what is not named is unset.
pub fn alter_configs(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    request: alter_configs::AlterConfigsRequest,
) -> (Vec<MetadataRecord>, AlterResults) {
    let alteration = |resource: alter_configs::AlterConfigsResource| {
        let configs = resource.configs.into_iter().map(|config| (SET, config.name, config.value));
        Alteration {
            kind: resource.resource_type,
            name: resource.resource_name,
            configs: configs.collect(),
            replaces_all: true,
        }
    };
    alter(image, cluster, &request.resources.into_iter().map(alteration).collect::<Vec<_>>())
}

fn alter(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    alterations: &[Alteration],
) -> (Vec<MetadataRecord>, AlterResults) {
    let mut records = Vec::new();
    let mut results = AlterResults::new();
    for alteration in alterations {
        let times = alterations.iter().filter(|other| (other.kind, &other.name) == (alteration.kind, &alteration.name));
        let result = if times.count() > 1 {
            Err(ApiError::new(ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."))
        } else {
            alter_resource(image, cluster, alteration)
        };
        results.push(result.map(|changes| records.extend(changes)));
    }
    (records, results)
}

fn alter_resource(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    alteration: &Alteration,
) -> Result<Vec<MetadataRecord>, ApiError> {
    check_request(alteration)?;
    let kind = ResourceKind::of(alteration.kind).ok_or_else(|| {
        ApiError::new(ErrorCode::INVALID_REQUEST, format!("Unknown resource type {}", alteration.kind))
    })?;
    let resource = ResourceId { kind, name: alteration.name.clone() };
    check_resource_name(&resource, cluster)?;
    let before = image.config(&resource);
    let mut after = if alteration.replaces_all { Values::new() } else { (*before).clone() };
    for (operation, name, value) in &alteration.configs {
        apply(kind, &mut after, operation_of(*operation)?, name, value.as_deref().unwrap_or_default())?;
    }
    if after.values().any(|value| value.len() > VALUE_BYTES_MAX) {
        let message = format!(
            "The configuration value cannot be added because it exceeds the maximum value size of {VALUE_BYTES_MAX} bytes."
        );
        return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
    }
    let after = check::check(&resource, after, cluster)?;
    ensure_exists(&resource, image)?;
    Ok(changes(&resource, &before, &after))
}

fn check_request(alteration: &Alteration) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let mut names = BTreeSet::new();
    if !alteration.configs.iter().all(|(_, name, _)| names.insert(name)) {
        return invalid("Error due to duplicate config keys".to_owned());
    }
    let nulls = alteration.configs.iter().filter(|(operation, _, value)| *operation != DELETE && value.is_none());
    let nulls: Vec<_> = nulls.map(|(_, name, _)| name.as_str()).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    invalid(format!("Null value not supported for : {}", nulls.join(", ")))
}

fn check_resource_name(resource: &ResourceId, cluster: &Cluster<'_>) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let name = &resource.name;
    match resource.kind {
        ResourceKind::Topic if name.is_empty() => invalid("Default topic resources are not allowed.".to_owned()),
        ResourceKind::Topic => topic_name::check(name).map_err(|error| {
            ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic name is invalid: {error}"))
        }),
        ResourceKind::Broker if name.is_empty() => Ok(()),
        ResourceKind::Broker => match name.parse::<i32>() {
            Ok(id) if id == cluster.node_id => Ok(()),
            Ok(_) => invalid(format!("Unexpected broker id, expected {}, but received {name}", cluster.node_id)),
            Err(_) => invalid(format!("Node id must be an integer, but it is: {name}")),
        },
        ResourceKind::Group if name.is_empty() => invalid("Default group resources are not allowed.".to_owned()),
        ResourceKind::ClientMetrics if name.is_empty() => invalid("Subscription name can't be empty".to_owned()),
        ResourceKind::Group | ResourceKind::ClientMetrics => Ok(()),
    }
}

fn operation_of(number: i8) -> Result<Operation, ApiError> {
    match number {
        SET => Ok(Operation::Set),
        DELETE => Ok(Operation::Delete),
        2 => Ok(Operation::Append),
        3 => Ok(Operation::Subtract),
        _ => Err(ApiError::new(ErrorCode::INVALID_REQUEST, format!("Unknown operations type {number}"))),
    }
}

/// The row of a config of `kind`.
pub(super) fn row(kind: ResourceKind, name: &str) -> Option<&'static Config> {
    match kind {
        ResourceKind::Topic => table::topic_config(name),
        ResourceKind::Broker => table::broker_config(name),
        ResourceKind::Group => table::group_config(name),
        ResourceKind::ClientMetrics => table::client_metrics_config(name),
    }
}

fn apply(
    kind: ResourceKind,
    values: &mut Values,
    operation: Operation,
    name: &str,
    value: &str,
) -> Result<(), ApiError> {
    match operation {
        Operation::Set => drop(values.insert(name.to_owned(), value.to_owned())),
        Operation::Delete => drop(values.remove(name)),
        Operation::Append | Operation::Subtract => {
            let changed = change_list(kind, values.get(name), operation, name, value)?;
            values.insert(name.to_owned(), changed);
        }
    }
    Ok(())
}

fn change_list(
    kind: ResourceKind,
    current: Option<&String>,
    operation: Operation,
    name: &str,
    value: &str,
) -> Result<String, ApiError> {
    let config =
        row(kind, name).filter(|config| config.kind == Kind::List).ok_or_else(|| not_a_list(kind, operation, name))?;
    let current = current.map_or(config.default.unwrap_or_default(), String::as_str);
    let mut items = split_list(current);
    items.retain(|item| !item.is_empty());
    for item in split_list(value) {
        match operation {
            Operation::Append if items.contains(&item) => {}
            Operation::Append => items.push(item),
            _ => items.retain(|present| *present != item),
        }
    }
    Ok(items.join(","))
}

fn not_a_list(kind: ResourceKind, operation: Operation, name: &str) -> ApiError {
    let word = if operation == Operation::Append { "append" } else { "subtract" };
    let message = match kind {
        ResourceKind::Broker if row(kind, name).is_none() => format!("Unknown config name: {name}"),
        ResourceKind::Broker => format!("Config value {word} is not allowed for config key: {name}"),
        _ => format!("Can't {} to key {name} because its type is not LIST.", word.to_uppercase()),
    };
    ApiError::new(ErrorCode::INVALID_CONFIG, message)
}

fn ensure_exists(resource: &ResourceId, image: &MetadataImage) -> Result<(), ApiError> {
    if resource.kind == ResourceKind::Topic && image.topic(&resource.name).is_none() {
        let message = format!("The topic '{}' does not exist.", resource.name);
        return Err(ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message));
    }
    Ok(())
}

fn changes(resource: &ResourceId, before: &Values, after: &Values) -> Vec<MetadataRecord> {
    let change = |name: &String, value: Option<&String>| MetadataRecord::ConfigChanged {
        resource: resource.clone(),
        name: name.clone(),
        value: value.cloned(),
    };
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let unset = before.keys().filter(|name| !after.contains_key(*name));
    set.map(|(name, value)| change(name, Some(value))).chain(unset.map(|name| change(name, None))).collect()
}

#[cfg(test)]
mod tests;
