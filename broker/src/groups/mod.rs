//! The group coordinator: who is in a group, who does what, and how far each group has come.
//!
//! Start with [`state`], the state machine of one `__consumer_offsets` partition, and [`classic`], the group of members
//! that elect a leader. They do nothing by themselves: [`effects`] lists what they ask for, and [`coordinator`] carries
//! it out on the core that owns the partition. [`records`] is what is kept.

pub mod classic;
pub mod consumer;
pub mod coordinator;
pub mod effects;
pub mod group;
pub mod home;
mod loading;
pub mod offsets;
mod pending;
pub mod records;
pub mod route;
pub mod settings;
pub mod state;
pub mod streams;
#[cfg(test)]
mod tests;
pub mod timers;
mod topic_hash;
mod writer;

pub use coordinator::GroupCoordinator;
pub use settings::GroupSettings;

/// The topic that groups and offsets are recorded in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The `__consumer_offsets` partition a group belongs to: Java's `String.hashCode` of its name, made positive
/// (GroupCoordinatorService.partitionFor). Clients find the coordinator through us, but tools work it out themselves.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash = group_id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod partition_tests {
    use super::partition_for;

    #[test]
    fn groups_land_where_kafka_puts_them() {
        for (group_id, partitions, expected) in [
            ("", 50, 0),
            ("a", 50, 47),
            ("my-group", 50, 12),
            // hashCode is the smallest integer, which has no absolute value.
            ("polygenelubricants", 50, 0),
            ("\u{1f600}", 50, 49),
            ("console-consumer-1", 1, 0),
        ] {
            assert_eq!(partition_for(group_id, partitions), expected, "{group_id}");
        }
    }
}
