//! The broker: connections, API handlers, partitions, groups, transactions, metadata, admin HTTP.
//!
//! Start with [`api`], the table of everything a client can ask for; follow a request from [`net`] through a file of
//! [`handlers`] to [`shard`] (one core and what it owns) and [`partition`] (the only caller of an append).

pub mod admin;
pub mod allocator;
pub mod api;
pub mod api_docs;
pub mod api_metrics;
pub mod assignments;
pub mod auto_create;
pub mod check;
pub mod cli;
pub mod config;
pub mod context;
pub mod coordinator;
pub mod delayed;
pub mod error;
pub mod failures;
pub mod fetch_sessions;
pub mod groups;
pub mod handlers;
pub mod housekeeping;
pub mod internal_topics;
pub mod logging;
pub mod metadata;
pub mod metrics;
pub mod net;
pub mod open_files;
pub mod partition;
pub mod producer_ids;
pub mod quotas;
pub mod read_everywhere;
pub mod read_partitions;
pub mod ready;
pub mod server;
pub mod shard;
pub mod telemetry;
pub mod topic_name;
pub mod transactions;

#[cfg(test)]
mod docs;
