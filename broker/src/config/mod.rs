//! Configs: one table ([`table`]), a start-up file and command line ([`load`]), what is set where ([`settings`]), and the
//! values in force as plain fields ([`BrokerConfig`], [`TopicConfig`]).

#[cfg(test)]
mod audit;
pub mod broker_config;
mod cleaner_config;
pub mod definition;
pub mod describe;
pub mod docs;
pub mod listeners;
pub mod load;
pub mod properties;
mod reasons;
mod rules;
pub mod settings;
pub mod table;
pub mod topic_config;
pub mod value;

pub use broker_config::BrokerConfig;
pub use cleaner_config::cleaner_config;
pub use definition::{Check, Config, Effect, Kind, Synonym, Update};
pub use listeners::{Listener, ListenerError};
pub use load::{LoadError, Loaded, load, nearest_name};
pub use reasons::removed_topic_config;
pub use rules::broken_rule;
pub use settings::{Found, Settings, Source, Values};
pub use topic_config::{TopicConfig, topic_config, topic_log_config};
pub use value::{ConfigError, split_list};
