//! Whether a set of configs may be in force, and the form it is kept in.

use std::sync::Arc;

use protocol::ErrorCode;

use crate::config::{
    Config, Settings, Update, Values, broken_rule, nearest_name, removed_topic_config, split_list, table,
};
use crate::metadata::decide::configs::row;
use crate::metadata::decide::{ApiError, Cluster};
use crate::metadata::record::{ResourceId, ResourceKind};
use crate::telemetry::Matching;

/// Checks everything that would be set on `resource` and returns it as it is kept.
pub(super) fn check(resource: &ResourceId, values: Values, cluster: &Cluster<'_>) -> Result<Values, ApiError> {
    match resource.kind {
        ResourceKind::Topic => check_topic_configs(values, &cluster.config.settings),
        ResourceKind::Broker => check_broker_configs(values, !resource.name.is_empty(), &cluster.config.settings),
        ResourceKind::Group => check_group_configs(values, &cluster.config.settings),
        ResourceKind::ClientMetrics => check_client_metrics(values),
    }
}

fn invalid_config(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::INVALID_CONFIG, message)
}

fn normalize(config: &Config, value: &str) -> Result<String, ApiError> {
    config.normalize(value).map_err(|error| invalid_config(error.to_string()))
}

/// Checks a topic's configs (LogConfig.validate). The two settings Kafka dropped with 4.0 are left out without an
/// error, because old manifests still carry them.
pub fn check_topic_configs(values: Values, settings: &Settings) -> Result<Values, ApiError> {
    let mut checked = Values::new();
    for (name, value) in values {
        match table::topic_config(&name) {
            Some(config) => {
                checked.insert(name, normalize(config, &value)?);
            }
            None if removed_topic_config(&name) => tracing::warn!(config = name, "a topic setting Kafka no longer has"),
            None => return Err(invalid_config(format!("Unknown topic config name: {name}"))),
        }
    }
    let number = |name: &str| -> i64 {
        let config = table::topic_config(name).expect("configs are read by names of the table");
        settings.resolve(config, &checked).and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
    if min > max {
        return Err(invalid_config(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    if checked.get("remote.storage.enable").is_some_and(|value| value == "true") {
        return Err(invalid_config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ));
    }
    Ok(checked)
}

/// Broker settings that Kafka can change while it runs and we cannot.
const NOT_DYNAMIC_YET: &[&str] = &["listeners", "listener.security.protocol.map"];

/// Secrets and certificates, which belong to a listener (SslConfigs.RECONFIGURABLE_CONFIGS).
const OF_A_LISTENER: &[&str] = &["ssl.key.password", "ssl.keystore.", "ssl.truststore."];

/// Limits that would keep everybody out at zero (SocketServer.scala: ListenerConnectionQuota).
const ABOVE_ZERO: &[&str] = &["max.connections", "max.connection.creation.rate"];

fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::INVALID_REQUEST, message)
}

/// Checks what is altered for one broker or for all (DynamicBrokerConfig.validateConfigs).
fn check_broker_configs(values: Values, for_one_broker: bool, settings: &Settings) -> Result<Values, ApiError> {
    let is_fixed = |config: &Config| config.update == Update::ReadOnly || NOT_DYNAMIC_YET.contains(&config.name);
    refuse(&values, "Cannot update these configs dynamically", is_fixed)?;
    let of_a_listener = |config: &Config| OF_A_LISTENER.iter().any(|prefix| config.name.starts_with(prefix));
    let per_listener = "These security configs can be dynamically updated only per-listener using the listener prefix";
    refuse(&values, per_listener, of_a_listener)?;
    let mut checked = Values::new();
    for (name, value) in values {
        let Some(config) = table::broker_config(&name) else {
            let hint = nearest_name(&name).map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default();
            return Err(invalid_request(format!("Unknown broker config name: {name}{hint}")));
        };
        checked.insert(name, config.normalize(&value).map_err(|error| invalid_request(error.to_string()))?);
    }
    let for_all = "Cannot update these configs at default cluster level, broker id must be specified";
    refuse(&checked, for_all, |config| config.update == Update::PerBroker && !for_one_broker)?;
    check_broker_rules(&checked, for_one_broker, settings)?;
    Ok(checked)
}

/// Refuses every config that `is_refused`, with `sentence` and their names.
fn refuse(values: &Values, sentence: &str, is_refused: impl Fn(&Config) -> bool) -> Result<(), ApiError> {
    let refused = values.keys().filter(|name| table::broker_config(name).is_some_and(&is_refused));
    let refused: Vec<_> = refused.map(String::as_str).collect();
    if refused.is_empty() { Ok(()) } else { Err(invalid_request(format!("{sentence}: [{}]", refused.join(", ")))) }
}

/// Whether the broker could run with these values and with what is set elsewhere.
fn check_broker_rules(checked: &Values, for_one_broker: bool, settings: &Settings) -> Result<(), ApiError> {
    let mut settings = settings.clone();
    let altered = if for_one_broker { &mut settings.node } else { &mut settings.cluster };
    *altered = Arc::new(checked.clone());
    if let Some(sentence) = broken_rule(&settings) {
        return Err(invalid_request(format!("requirement failed: {sentence}")));
    }
    match ABOVE_ZERO.iter().find(|name| settings.number(name) < 1) {
        // The clumsy words are Kafka's.
        Some(name) => Err(invalid_request(format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: Invalid {name} {} for configuration Invalid \
             dynamic configuration",
            settings.number(name)
        ))),
        None => Ok(()),
    }
}

/// Bounds a broker sets for its groups: config, lower bound, upper bound.
const GROUP_BOUNDS: &[(&str, Option<&str>, Option<&str>)] = &[
    (
        "consumer.heartbeat.interval.ms",
        Some("group.consumer.min.heartbeat.interval.ms"),
        Some("group.consumer.max.heartbeat.interval.ms"),
    ),
    (
        "consumer.session.timeout.ms",
        Some("group.consumer.min.session.timeout.ms"),
        Some("group.consumer.max.session.timeout.ms"),
    ),
    (
        "consumer.assignment.interval.ms",
        Some("group.consumer.min.assignment.interval.ms"),
        Some("group.consumer.max.assignment.interval.ms"),
    ),
    (
        "share.heartbeat.interval.ms",
        Some("group.share.min.heartbeat.interval.ms"),
        Some("group.share.max.heartbeat.interval.ms"),
    ),
    (
        "share.session.timeout.ms",
        Some("group.share.min.session.timeout.ms"),
        Some("group.share.max.session.timeout.ms"),
    ),
    (
        "share.record.lock.duration.ms",
        Some("group.share.min.record.lock.duration.ms"),
        Some("group.share.max.record.lock.duration.ms"),
    ),
    (
        "share.delivery.count.limit",
        Some("group.share.min.delivery.count.limit"),
        Some("group.share.max.delivery.count.limit"),
    ),
    (
        "share.partition.max.record.locks",
        Some("group.share.min.partition.max.record.locks"),
        Some("group.share.max.partition.max.record.locks"),
    ),
    (
        "share.assignment.interval.ms",
        Some("group.share.min.assignment.interval.ms"),
        Some("group.share.max.assignment.interval.ms"),
    ),
    (
        "streams.heartbeat.interval.ms",
        Some("group.streams.min.heartbeat.interval.ms"),
        Some("group.streams.max.heartbeat.interval.ms"),
    ),
    (
        "streams.session.timeout.ms",
        Some("group.streams.min.session.timeout.ms"),
        Some("group.streams.max.session.timeout.ms"),
    ),
    ("streams.num.standby.replicas", None, Some("group.streams.max.standby.replicas")),
    (
        "streams.assignment.interval.ms",
        Some("group.streams.min.assignment.interval.ms"),
        Some("group.streams.max.assignment.interval.ms"),
    ),
    ("streams.task.offset.interval.ms", Some("group.streams.min.task.offset.interval.ms"), None),
    ("streams.num.warmup.replicas", None, Some("group.streams.max.warmup.replicas")),
];

/// Checks a group's configs (GroupConfig.validate).
fn check_group_configs(values: Values, settings: &Settings) -> Result<Values, ApiError> {
    let mut checked = Values::new();
    for (name, value) in values {
        let config = row(ResourceKind::Group, &name)
            .ok_or_else(|| invalid_config(format!("Unknown group config name: {name}")))?;
        checked.insert(name, normalize(config, &value)?);
    }
    for (name, min, max) in GROUP_BOUNDS {
        let Some(value) = checked.get(*name).and_then(|value| value.parse::<i64>().ok()) else { continue };
        let min = min.map(|name| settings.number(name));
        let max = max.map(|name| settings.number(name));
        let fits = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
        if !fits {
            return Err(invalid_config(match (min, max) {
                (Some(min), Some(max)) => format!("{name} must be in the range {min} to {max} inclusive."),
                (Some(min), None) => format!("{name} must be greater than or equal to {min}"),
                (None, max) => format!("{name} must be less than or equal to {}", max.unwrap_or(i64::MAX)),
            }));
        }
    }
    for kind in ["consumer", "share", "streams"] {
        check_session(kind, &checked, settings)?;
    }
    Ok(checked)
}

/// A session must outlast a heartbeat, whichever of the two is set.
fn check_session(kind: &str, checked: &Values, settings: &Settings) -> Result<(), ApiError> {
    let (session, heartbeat) = (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
    if !checked.contains_key(&session) && !checked.contains_key(&heartbeat) {
        return Ok(());
    }
    let effective = |name: &str| -> i64 {
        let set = checked.get(name).and_then(|value| value.parse().ok());
        set.unwrap_or_else(|| settings.number(&format!("group.{name}")))
    };
    if effective(&session) > effective(&heartbeat) {
        return Ok(());
    }
    Err(invalid_config(format!("{session} must be greater than {heartbeat}")))
}

fn check_client_metrics(values: Values) -> Result<Values, ApiError> {
    let mut checked = Values::new();
    for (name, value) in values {
        let config = row(ResourceKind::ClientMetrics, &name).ok_or_else(|| {
            ApiError::new(ErrorCode::INVALID_REQUEST, format!("Unknown client metrics configuration: {name}"))
        })?;
        checked.insert(name, normalize(config, &value)?);
    }
    if let Some(interval) = checked.get("interval.ms")
        && !interval.parse::<i64>().is_ok_and(|interval| (100..=3_600_000).contains(&interval))
    {
        let message =
            format!("Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)");
        return Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    }
    let patterns = checked.get("match").map(|patterns| split_list(patterns)).unwrap_or_default();
    Matching::parse(&patterns)
        .map_err(|pattern| invalid_config(format!("Illegal client matching pattern: {pattern}")))?;
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_outlasts_a_heartbeat_whoever_set_them() {
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let check = |broker: &[(&str, &str)], group: &[(&str, &str)], fits: bool| {
            let result = check_session("consumer", &values(group), &Settings::fixed(values(broker)));
            assert_eq!(result.is_ok(), fits, "{broker:?} {group:?}");
        };
        let (session, heartbeat) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
        check(&[], &[(session, "5001")], true);
        check(&[], &[(session, "5000")], false);
        check(&[], &[(session, "9000"), (heartbeat, "9000")], false);
        check(&[("group.consumer.heartbeat.interval.ms", "100")], &[(session, "5000")], true);
        check(&[("group.consumer.session.timeout.ms", "100")], &[], true);
    }
}
