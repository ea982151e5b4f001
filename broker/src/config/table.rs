//! The one table of configs, in files by subject. Start-up files, DescribeConfigs, AlterConfigs, `docs/configs.md` and
//! the typed settings are all read off it; no default or bound is written anywhere else.

mod broker;
mod cleaner;
mod client_metrics;
mod controller;
mod group;
mod groups;
mod log;
mod msgloop;
mod network;
mod remote;
mod replication;
mod sasl;
mod share_groups;
mod ssl;
mod streams_groups;
mod topic;
mod transactions;

pub use msgloop::IO_BACKENDS;

use crate::config::definition::Config;

/// Rows of one subject.
pub struct Section {
    /// Heading in the documentation.
    pub title: &'static str,
    /// Its rows.
    pub configs: &'static [Config],
}

const fn section(title: &'static str, configs: &'static [Config]) -> Section {
    Section { title, configs }
}

/// What a node is started with, and what can be altered of it while it runs.
pub const BROKER: &[Section] = &[
    section("Ours", msgloop::CONFIGS),
    section("Listeners and requests", network::CONFIGS),
    section("Node and topics", broker::CONFIGS),
    section("Log", log::CONFIGS),
    section("Log cleaner", cleaner::CONFIGS),
    section("Groups and offsets", groups::CONFIGS),
    section("Share groups", share_groups::CONFIGS),
    section("Streams groups", streams_groups::CONFIGS),
    section("Transactions", transactions::CONFIGS),
    section("Replication and quotas", replication::CONFIGS),
    section("Controller", controller::CONFIGS),
    section("Tiered storage", remote::CONFIGS),
    section("SASL and authorization", sasl::CONFIGS),
    section("TLS", ssl::CONFIGS),
];

/// Settings of a topic.
pub const TOPIC: &[Section] =
    &[section("Topic settings of Kafka", topic::CONFIGS), section("Topic settings of ours", msgloop::TOPIC_CONFIGS)];

/// Settings of a group.
pub const GROUP: &[Section] = &[section("Group settings", group::CONFIGS)];

/// Settings of a client metrics subscription.
pub const CLIENT_METRICS: &[Section] = &[section("Client metrics settings", client_metrics::CONFIGS)];

/// Every broker config.
pub fn broker_configs() -> impl Iterator<Item = &'static Config> {
    BROKER.iter().flat_map(|section| section.configs)
}

/// Every topic config.
pub fn topic_configs() -> impl Iterator<Item = &'static Config> {
    TOPIC.iter().flat_map(|section| section.configs)
}

/// Every group config.
pub fn group_configs() -> impl Iterator<Item = &'static Config> {
    GROUP.iter().flat_map(|section| section.configs)
}

/// Every client metrics config.
pub fn client_metrics_configs() -> impl Iterator<Item = &'static Config> {
    CLIENT_METRICS.iter().flat_map(|section| section.configs)
}

/// The client metrics config of this name.
pub fn client_metrics_config(name: &str) -> Option<&'static Config> {
    client_metrics_configs().find(|config| config.name == name)
}

/// The broker config of this name.
pub fn broker_config(name: &str) -> Option<&'static Config> {
    broker_configs().find(|config| config.name == name)
}

/// The topic config of this name.
pub fn topic_config(name: &str) -> Option<&'static Config> {
    topic_configs().find(|config| config.name == name)
}

/// The group config of this name.
pub fn group_config(name: &str) -> Option<&'static Config> {
    group_configs().find(|config| config.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_unique_documented_and_has_a_default_that_passes_its_own_check() {
        for configs in [broker_configs().collect::<Vec<_>>(), topic_configs().collect(), group_configs().collect()] {
            let mut names = BTreeSet::new();
            for config in configs {
                assert!(names.insert(config.name), "{} twice", config.name);
                assert!(config.doc.ends_with('.'), "{}", config.name);
                if let Some(default) = config.default {
                    let checked = config.normalize(default);
                    // Kafka's own defaults of these two are empty lists its check would refuse.
                    let exempt = ["controller.quorum.voters", "controller.quorum.bootstrap.servers"];
                    assert!(checked.is_ok() || exempt.contains(&config.name), "{checked:?}");
                }
            }
        }
    }

    #[test]
    fn every_synonym_is_a_broker_config_of_the_same_default() {
        for config in topic_configs().chain(group_configs()) {
            for synonym in config.synonyms {
                let Some(behind) = broker_config(synonym.name) else {
                    panic!("{} has no {}", config.name, synonym.name)
                };
                assert!(synonym.factor == 1 || behind.kind != config.kind, "{}", config.name);
            }
        }
    }
}
