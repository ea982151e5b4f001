//! Configs as DescribeConfigs tells them: every config of the table with its value, where it comes from and what stands
//! behind it (core/.../ConfigHelper.scala).

use protocol::messages::describe_configs::{DescribeConfigsResourceResult, DescribeConfigsSynonym};

use crate::config::definition::{Config, Update};
use crate::config::settings::{Found, Settings, Source, Values};
use crate::config::table;

/// What the client wants to see.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only these configs; `None` or an empty list is all of them.
    pub names: Option<&'a [String]>,
    /// Everything that stands behind a value.
    pub synonyms: bool,
    /// What it means.
    pub documentation: bool,
}

impl Wanted<'_> {
    fn takes(&self, name: &str) -> bool {
        self.names.is_none_or(|names| names.is_empty() || names.iter().any(|wanted| wanted == name))
    }
}

/// All configs of a topic on which `overrides` were set.
pub fn describe_topic(
    overrides: &Values,
    settings: &Settings,
    wanted: Wanted<'_>,
) -> Vec<DescribeConfigsResourceResult> {
    let configs = table::topic_configs().filter(|config| !config.internal && wanted.takes(config.name));
    configs.map(|config| inheriting(config, Source::Topic, overrides, settings, wanted)).collect()
}

/// All configs of a group on which `overrides` were set.
pub fn describe_group(
    overrides: &Values,
    settings: &Settings,
    wanted: Wanted<'_>,
) -> Vec<DescribeConfigsResourceResult> {
    let configs = table::group_configs().filter(|config| wanted.takes(config.name));
    configs
        .map(|config| {
            let mut row = inheriting(config, Source::Group, overrides, settings, wanted);
            if config.synonyms.is_empty()
                && wanted.synonyms
                && let Some(default) = config.default
            {
                row.synonyms.push(synonym(config.name, Some(default), Source::Default));
            }
            row
        })
        .collect()
}

/// All configs of a client metrics subscription on which `overrides` were set.
pub fn describe_client_metrics(overrides: &Values, wanted: Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    let configs = table::client_metrics_configs().filter(|config| wanted.takes(config.name));
    let settings = Settings::default();
    configs.map(|config| inheriting(config, Source::ClientMetrics, overrides, &settings, wanted)).collect()
}

/// All configs of this broker.
pub fn describe_broker(settings: &Settings, wanted: Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    let is_listed = |config: &Config| {
        let is_set = || settings.found(static_row(config)).iter().any(|found| found.source != Source::Default);
        !config.internal && (!config.unlisted || is_set())
    };
    let configs = table::broker_configs().filter(|config| is_listed(config) && wanted.takes(config.name));
    configs.map(|config| broker_row(config, settings.own_value(config), settings.found(config), wanted)).collect()
}

/// What was altered for all brokers, and nothing else.
pub fn describe_all_brokers(settings: &Settings, wanted: Wanted<'_>) -> Vec<DescribeConfigsResourceResult> {
    let configs = table::broker_configs().filter(|config| wanted.takes(config.name));
    let row = |config: &'static Config| {
        let value = settings.cluster.get(config.name)?.clone();
        let mut found = settings.found(config);
        found.retain(|found| found.source == Source::DynamicDefaultBroker);
        Some(broker_row(config, Some(value), found, wanted))
    };
    configs.filter_map(row).collect()
}

/// The table's own row of a config that was borrowed from it.
fn static_row(config: &Config) -> &'static Config {
    table::broker_config(config.name).expect("rows come from the table")
}

fn inheriting(
    config: &'static Config,
    own: Source,
    overrides: &Values,
    settings: &Settings,
    wanted: Wanted<'_>,
) -> DescribeConfigsResourceResult {
    let value = settings.resolve(config, overrides);
    let mut synonyms = Vec::new();
    if let Some(value) = overrides.get(config.name) {
        synonyms.push(shown(config, config.name, Some(value), own));
    }
    if let Some(first) = config.synonyms.first()
        && let Some(behind) = table::broker_config(first.name)
    {
        synonyms.extend(
            from_named(settings.found(behind), behind.name)
                .map(|found| shown(config, found.name, Some(&found.value), found.source)),
        );
    }
    row(config, value, synonyms, false, wanted)
}

fn broker_row(
    config: &'static Config,
    value: Option<String>,
    found: Vec<Found>,
    wanted: Wanted<'_>,
) -> DescribeConfigsResourceResult {
    let synonyms = from_named(found, config.name);
    let synonyms = synonyms.map(|found| shown(config, found.name, Some(&found.value), found.source)).collect();
    row(config, value, synonyms, config.update == Update::ReadOnly, wanted)
}

/// Kafka lists what stands behind a config from the first that bears the very name on: `log.retention.hours` alone is
/// not told as what stands behind `log.retention.ms`.
fn from_named(found: Vec<Found>, name: &'static str) -> impl Iterator<Item = Found> {
    found.into_iter().skip_while(move |found| found.name != name)
}

fn row(
    config: &Config,
    value: Option<String>,
    synonyms: Vec<DescribeConfigsSynonym>,
    read_only: bool,
    wanted: Wanted<'_>,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: config.name.to_owned(),
        value: value.filter(|_| !config.is_sensitive()),
        read_only,
        config_source: synonyms.first().map_or(Source::Default as i8, |first| first.source),
        is_sensitive: config.is_sensitive(),
        synonyms: if wanted.synonyms { synonyms } else { Vec::new() },
        config_type: config.kind as i8,
        documentation: wanted.documentation.then(|| config.doc.to_owned()),
    }
}

fn shown(config: &Config, name: &str, value: Option<&String>, source: Source) -> DescribeConfigsSynonym {
    synonym(name, value.map(String::as_str).filter(|_| !config.is_sensitive()), source)
}

fn synonym(name: &str, value: Option<&str>, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym { name: name.to_owned(), value: value.map(str::to_owned), source: source as i8 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const ALL: Wanted<'static> = Wanted { names: None, synonyms: true, documentation: true };

    fn show(rows: &[DescribeConfigsResourceResult], name: &str) -> String {
        let row = rows.iter().find(|row| row.name == name).expect("listed");
        let synonyms: Vec<_> = row
            .synonyms
            .iter()
            .map(|one| format!("{}={}@{}", one.name, one.value.as_deref().unwrap_or("null"), one.source))
            .collect();
        format!("{}@{} [{}]", row.value.as_deref().unwrap_or("null"), row.config_source, synonyms.join(" "))
    }

    #[test]
    fn a_topics_values_tell_where_they_come_from() {
        let settings = Settings {
            fixed: Arc::new(values(&[("log.retention.hours", "2"), ("log.segment.bytes", "2000000")])),
            cluster: Arc::new(values(&[("message.max.bytes", "5")])),
            node: Arc::default(),
        };
        let rows = describe_topic(&values(&[("segment.bytes", "3000000")]), &settings, ALL);
        let check = |name: &str, expected: &str| assert_eq!(show(&rows, name), expected, "{name}");
        check(
            "segment.bytes",
            "3000000@1 [segment.bytes=3000000@1 log.segment.bytes=2000000@4 log.segment.bytes=1073741824@5]",
        );
        check("max.message.bytes", "5@3 [message.max.bytes=5@3 message.max.bytes=1048588@5]");
        check("retention.ms", "7200000@5 []");
        check("cleanup.policy", "delete@5 [log.cleanup.policy=delete@5]");
        check("remote.storage.enable", "false@5 []");
        assert!(rows.iter().all(|row| !row.read_only && row.documentation.is_some() && row.config_type > 0));
        let some = Wanted { names: Some(&["retention.ms".to_owned()]), ..Wanted::default() };
        assert_eq!(describe_topic(&Values::new(), &settings, some).len(), 1);
    }

    #[test]
    fn a_brokers_secrets_are_never_told_and_unlisted_configs_only_when_set() {
        let settings = Settings::fixed(values(&[("ssl.keystore.password", "secret"), ("super.users", "User:a")]));
        let rows = describe_broker(&settings, ALL);
        assert_eq!(show(&rows, "ssl.keystore.password"), "null@4 [ssl.keystore.password=null@4]");
        assert_eq!(show(&rows, "super.users"), "User:a@4 [super.users=User:a@4]");
        assert!(!rows.iter().any(|row| row.name == "leader.replication.throttled.rate"));
        let read_only = |name: &str| rows.iter().find(|row| row.name == name).expect("listed").read_only;
        assert!(read_only("num.partitions") && !read_only("message.max.bytes"));
        assert!(describe_all_brokers(&settings, ALL).is_empty());
    }
}
