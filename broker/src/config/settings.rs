//! What is set where, and which value wins. A broker setting is looked for among the values altered for this broker,
//! then those altered for all brokers, then the start-up file, then the default; a topic's own value comes before all of
//! them (server/.../config/DynamicBrokerConfig.java, ConfigHelper.scala).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::definition::{Config, Synonym};
use crate::config::table;
use crate::config::value::split_list;

/// Names and values that were set.
pub type Values = BTreeMap<String, String>;

/// Where a value comes from; the number is DescribeConfigs' `ConfigSource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Altered for this broker.
    DynamicBroker = 2,
    /// Altered for all brokers.
    DynamicDefaultBroker = 3,
    /// Set in the start-up file or on the command line.
    StaticBroker = 4,
    /// The table's default.
    Default = 5,
    /// Set on the client metrics subscription.
    ClientMetrics = 7,
    /// Set on the group.
    Group = 8,
}

/// A value and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Name of the config that holds it, which may be a synonym of the one asked for.
    pub name: &'static str,
    /// The value as it was set, in the unit of `name`.
    pub value: String,
    /// Where it was set.
    pub source: Source,
}

/// Everything that is set for this broker; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// From the start-up file and the command line.
    pub fixed: Arc<Values>,
    /// Altered for all brokers.
    pub cluster: Arc<Values>,
    /// Altered for this broker.
    pub node: Arc<Values>,
}

/// Broker configs that stand in for each other, first come first served (DynamicBrokerConfig.brokerConfigSynonyms).
const BROKER_SYNONYMS: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

impl Settings {
    /// Settings of a start-up file only.
    pub fn fixed(values: Values) -> Settings {
        Settings { fixed: Arc::new(values), ..Settings::default() }
    }

    /// Every place that holds a value for the broker config `config` or one that stands in for it: by place, then in
    /// order of precedence of the names. Defaults of null are left out.
    pub fn found(&self, config: &'static Config) -> Vec<Found> {
        let names = broker_synonyms(config.name);
        let mut found = Vec::new();
        let places = [
            (&self.node, Source::DynamicBroker),
            (&self.cluster, Source::DynamicDefaultBroker),
            (&self.fixed, Source::StaticBroker),
        ];
        for (values, source) in places {
            let set = names.iter().filter_map(|name| Some((table::broker_config(name)?.name, values.get(*name)?)));
            found.extend(set.map(|(name, value)| Found { name, value: value.clone(), source }));
        }
        let defaults = names.iter().filter_map(|name| table::broker_config(name));
        found.extend(defaults.filter_map(|config| {
            Some(Found { name: config.name, value: config.default?.to_owned(), source: Source::Default })
        }));
        found
    }

    /// What was set for the broker config of this name and no other, or its default; `None` is null.
    pub fn own_value(&self, config: &'static Config) -> Option<String> {
        let places = [&self.node, &self.cluster, &self.fixed];
        let set = places.into_iter().find_map(|values| values.get(config.name)).cloned();
        set.or_else(|| config.default.map(str::to_owned))
    }

    /// The text in force; empty when null. A name that is not in the table is a bug.
    pub(super) fn text(&self, name: &str) -> String {
        let config = table::broker_config(name).expect("configs are read by names of the table");
        self.own_value(config).unwrap_or_default()
    }

    /// The text in force, `None` when null or empty.
    pub(super) fn optional_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The number in force. The table checked it when it was set.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A number that its check keeps from being negative.
    pub(super) fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or_default()
    }

    /// The boolean in force.
    pub(super) fn boolean(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// The list in force.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        split_list(&self.text(name)).into_iter().map(str::to_owned).collect()
    }

    /// The value in force of a topic or group config, in its own unit, given what was set on the topic or group.
    pub fn resolve(&self, config: &Config, overrides: &Values) -> Option<String> {
        if let Some(value) = overrides.get(config.name) {
            return Some(value.clone());
        }
        self.inherited(config)
    }

    /// What a topic or group config has when nothing is set on the topic or group.
    pub fn inherited(&self, config: &Config) -> Option<String> {
        let set = config.synonyms.iter().find_map(|synonym| self.set_value(synonym));
        let default = || config.synonyms.iter().find_map(default_value);
        set.or_else(default).or_else(|| config.default.map(str::to_owned))
    }

    fn set_value(&self, synonym: &Synonym) -> Option<String> {
        let places = [&self.node, &self.cluster, &self.fixed];
        let value = places.into_iter().find_map(|values| values.get(synonym.name))?;
        Some(scaled(value, synonym.factor))
    }
}

fn default_value(synonym: &Synonym) -> Option<String> {
    let default = table::broker_config(synonym.name)?.default?;
    Some(scaled(default, synonym.factor))
}

/// Hours or minutes as milliseconds; negative values (no limit) stay -1.
fn scaled(value: &str, factor: i64) -> String {
    if factor == 1 {
        return value.to_owned();
    }
    let number: i64 = value.parse().unwrap_or_default();
    if number < 0 { "-1".to_owned() } else { number.saturating_mul(factor).to_string() }
}

/// `name` and the broker configs that stand in for it, in order of precedence.
pub fn broker_synonyms(name: &str) -> Vec<&str> {
    // log.flush.scheduler.interval.ms is a setting of its own, and stands in for log.flush.interval.ms only.
    if name != "log.flush.scheduler.interval.ms"
        && let Some(group) = BROKER_SYNONYMS.iter().find(|group| group.contains(&name))
    {
        return group.to_vec();
    }
    vec![name]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Values {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').expect("name=value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn the_most_specific_value_wins() {
        let check = |fixed: &str, cluster: &str, node: &str, topic: &str, expected: &str| {
            let settings = Settings {
                fixed: Arc::new(values(fixed)),
                cluster: Arc::new(values(cluster)),
                node: Arc::new(values(node)),
            };
            let config = table::topic_config("retention.ms").expect("known");
            assert_eq!(settings.resolve(config, &values(topic)).as_deref(), Some(expected));
        };
        check("", "", "", "", "604800000");
        check("log.retention.hours=2", "", "", "", "7200000");
        check("log.retention.hours=2 log.retention.minutes=3", "", "", "", "180000");
        check("log.retention.hours=2 log.retention.minutes=3 log.retention.ms=4", "", "", "", "4");
        check("log.retention.hours=-1", "", "", "", "-1");
        check("log.retention.minutes=3", "log.retention.ms=5", "", "", "5");
        check("log.retention.ms=4", "log.retention.ms=5", "log.retention.ms=6", "", "6");
        check("log.retention.ms=4", "log.retention.ms=5", "log.retention.ms=6", "retention.ms=7", "7");
    }

    #[test]
    fn every_holder_of_a_broker_value_is_listed_with_the_winner_first() {
        let settings = Settings {
            fixed: Arc::new(values("log.retention.hours=2")),
            cluster: Arc::new(values("log.retention.ms=5")),
            node: Arc::default(),
        };
        let config = table::broker_config("log.retention.ms").expect("known");
        let found: Vec<_> = settings.found(config).into_iter().map(|found| (found.name, found.source)).collect();
        assert_eq!(
            found,
            [
                ("log.retention.ms", Source::DynamicDefaultBroker),
                ("log.retention.hours", Source::StaticBroker),
                ("log.retention.hours", Source::Default),
            ]
        );
    }
}
