//! The broker settings the group coordinator acts on.

use super::consumer::Assignor;
use super::streams::StreamsSettings;
use crate::config::BrokerConfig;
use crate::coordinator::BATCH_BYTES_MAX;

/// `group.consumer.migration.policy`: which way a group with members may change its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migration {
    /// Not at all.
    Disabled,
    /// From the consumer to the classic protocol.
    Downgrade,
    /// From the classic to the consumer protocol.
    Upgrade,
    /// Both ways.
    Bidirectional,
}

impl Migration {
    /// The policy of this name, whatever its case; `Disabled` for a name that is none, which the settings do not let in.
    pub fn of(name: &str) -> Migration {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => Migration::Bidirectional,
            "upgrade" => Migration::Upgrade,
            "downgrade" => Migration::Downgrade,
            _ => Migration::Disabled,
        }
    }

    /// Whether a classic group may become a consumer group.
    pub fn may_upgrade(self) -> bool {
        matches!(self, Migration::Upgrade | Migration::Bidirectional)
    }

    /// Whether a consumer group may become a classic group.
    pub fn may_downgrade(self) -> bool {
        matches!(self, Migration::Downgrade | Migration::Bidirectional)
    }

    /// Whether members of both protocols may share a group.
    pub fn is_possible(self) -> bool {
        self != Migration::Disabled
    }
}

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
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `group.consumer.assignors`, the default first.
    pub consumer_assignors: Vec<Assignor>,
    /// `group.consumer.max.size`: members of one consumer group.
    pub consumer_group_size_max: usize,
    /// `group.consumer.session.timeout.ms`, unless the group sets its own.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`, unless the group sets its own.
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`, unless the group sets its own.
    pub consumer_assignment_interval_ms: i32,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub consumer_regex_refresh_interval_ms: i64,
    /// `group.consumer.migration.policy`.
    pub migration: Migration,
    /// `group.streams.*`.
    pub streams: StreamsSettings,
    /// Bound on what the groups and offsets of one `__consumer_offsets` partition may hold in memory. Beyond it new
    /// members and newly committed partitions are refused with COORDINATOR_NOT_AVAILABLE, which clients retry.
    pub state_bytes_max: usize,
    /// What a batch holds; a larger change of a group needs several.
    pub batch_bytes_max: usize,
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
            offsets_retention_ms: config.offsets_retention_ms,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            consumer_assignors: assignors(&config.group_consumer_assignors),
            consumer_group_size_max: config.group_consumer_size_max,
            consumer_session_timeout_ms: config.group_consumer_session_timeout_ms,
            consumer_heartbeat_interval_ms: config.group_consumer_heartbeat_interval_ms,
            consumer_assignment_interval_ms: config.group_consumer_assignment_interval_ms,
            consumer_regex_refresh_interval_ms: config.group_consumer_regex_refresh_interval_ms,
            migration: Migration::of(&config.group_consumer_migration_policy),
            streams: StreamsSettings::of(config),
            ..GroupSettings::default()
        }
    }
}

/// Those of the names that are ours; all of ours if none is, so that groups can be assigned at all.
fn assignors(names: &[String]) -> Vec<Assignor> {
    let known: Vec<Assignor> = names.iter().filter_map(|name| Assignor::of(name.trim())).collect();
    if known.is_empty() { vec![Assignor::Uniform, Assignor::Range] } else { known }
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
            offsets_retention_ms: 10_080 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
            consumer_assignors: vec![Assignor::Uniform, Assignor::Range],
            consumer_group_size_max: i32::MAX as usize,
            consumer_session_timeout_ms: 45_000,
            consumer_heartbeat_interval_ms: 5_000,
            consumer_assignment_interval_ms: 1_000,
            consumer_regex_refresh_interval_ms: 600_000,
            migration: Migration::Bidirectional,
            streams: StreamsSettings::default(),
            state_bytes_max: 64 * 1024 * 1024,
            batch_bytes_max: BATCH_BYTES_MAX,
        }
    }
}
