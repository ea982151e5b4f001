//! The group coordinator: who is in a group, who does what, and how far each group has come.
//!
//! Start with [`state`], the state machine of one `__consumer_offsets` partition, and [`classic`], the group of members
//! that elect a leader. They do nothing by themselves: [`effects`] lists what they ask for, and [`coordinator`] carries
//! it out on the core that owns the partition. [`records`] is what is kept; reading and appending them is what every
//! coordinator has in common ([`crate::coordinator`]).

pub mod classic;
pub mod consumer;
pub mod coordinator;
pub mod effects;
pub mod group;
pub mod offsets;
mod pending;
pub mod records;
pub mod settings;
pub mod state;
pub mod streams;
#[cfg(test)]
mod tests;
pub mod timers;
mod topic_hash;

pub use coordinator::{GroupCoordinator, GroupHome, GroupHomes};
pub use settings::GroupSettings;

/// The topic that groups and offsets are recorded in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
