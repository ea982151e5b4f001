//! The broker settings the group coordinator acts on.

use crate::config::BrokerConfig;

/// Values of `group.*` and `offset*`; names, units and defaults are Kafka's (GroupCoordinatorConfig.java).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members.
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.max.size`: members of one group.
    pub max_size: usize,
    /// How long a member that joins for the first time may stay in an unfinished join phase. Kafka has no setting for
    /// it: a client whose request timed out would come back under new ids without end.
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`; counted in UTF-16 units, as Kafka does.
    pub offset_metadata_max: usize,
    /// `offsets.load.buffer.size`.
    pub load_buffer_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// Bound on what the groups and offsets of one `__consumer_offsets` partition may hold in memory. Beyond it new
    /// members and newly committed partitions are refused with COORDINATOR_NOT_AVAILABLE, which clients retry.
    pub state_bytes_max: usize,
}

impl GroupSettings {
    /// As the broker is configured.
    pub fn of(config: &BrokerConfig) -> GroupSettings {
        GroupSettings {
            initial_rebalance_delay_ms: i32::try_from(config.group_initial_rebalance_delay_ms).unwrap_or(i32::MAX),
            min_session_timeout_ms: config.group_session_timeout_ms_min,
            max_session_timeout_ms: config.group_session_timeout_ms_max,
            max_size: config.group_size_max,
            offset_metadata_max: config.offset_metadata_bytes_max,
            load_buffer_bytes: config.offsets_load_buffer_bytes,
            offsets_retention_ms: config.offsets_retention_ms,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            ..GroupSettings::default()
        }
    }
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings {
            initial_rebalance_delay_ms: 3_000,
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            max_size: i32::MAX as usize,
            new_member_join_timeout_ms: 5 * 60 * 1_000,
            offset_metadata_max: 4_096,
            load_buffer_bytes: 5 * 1024 * 1024,
            offsets_retention_ms: 10_080 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
            state_bytes_max: 64 * 1024 * 1024,
        }
    }
}
