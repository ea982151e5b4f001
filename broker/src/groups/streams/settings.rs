//! The settings of streams groups: a group's own (`streams.*`), else the broker's (`group.streams.*`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::config::BrokerConfig;
use crate::groups::consumer::Turn;
use crate::metadata::{ResourceId, ResourceKind};

/// Under this name the number of standby copies is recorded with an epoch.
const STANDBYS: &str = "num.standby.replicas";
/// Under this name the tags that members must have are recorded with an epoch.
const TAGS: &str = "rack.aware.assignment.tags";

/// Values of `group.streams.*`; names, units and defaults are Kafka's (GroupCoordinatorConfig.java).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsSettings {
    /// `group.streams.max.size`: members of one group.
    pub size_max: usize,
    /// `group.streams.session.timeout.ms`, unless the group sets its own; so are all below. What a group has set is kept
    /// to the bounds in force, which may be others than when it was set.
    pub session_timeout_ms: i64,
    /// `group.streams.{min,max}.session.timeout.ms`.
    pub session_timeout_ms_bounds: RangeInclusive<i64>,
    /// `group.streams.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i64,
    /// `group.streams.{min,max}.heartbeat.interval.ms`.
    pub heartbeat_interval_ms_bounds: RangeInclusive<i64>,
    /// `group.streams.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i64,
    /// `group.streams.assignment.interval.ms`.
    pub assignment_interval_ms: i64,
    /// `group.streams.{min,max}.assignment.interval.ms`.
    pub assignment_interval_ms_bounds: RangeInclusive<i64>,
    /// `group.streams.task.offset.interval.ms`.
    pub task_offset_interval_ms: i64,
    /// `group.streams.min.task.offset.interval.ms`.
    pub task_offset_interval_ms_min: i64,
    /// `group.streams.acceptable.recovery.lag`, in records.
    pub acceptable_recovery_lag: i64,
    /// `group.streams.num.standby.replicas`.
    pub standby_replicas: i64,
    /// `group.streams.max.standby.replicas`.
    pub standby_replicas_max: i64,
    /// `group.streams.rack.aware.assignment.tags`.
    pub rack_tags: Vec<String>,
}

impl StreamsSettings {
    /// As the broker is configured.
    pub fn of(config: &BrokerConfig) -> StreamsSettings {
        StreamsSettings {
            size_max: config.group_streams_size_max,
            session_timeout_ms: config.group_streams_session_timeout_ms,
            session_timeout_ms_bounds: config.group_streams_session_timeout_ms_bounds.clone(),
            heartbeat_interval_ms: config.group_streams_heartbeat_interval_ms,
            heartbeat_interval_ms_bounds: config.group_streams_heartbeat_interval_ms_bounds.clone(),
            initial_rebalance_delay_ms: config.group_streams_initial_rebalance_delay_ms,
            assignment_interval_ms: config.group_streams_assignment_interval_ms,
            assignment_interval_ms_bounds: config.group_streams_assignment_interval_ms_bounds.clone(),
            task_offset_interval_ms: config.group_streams_task_offset_interval_ms,
            task_offset_interval_ms_min: config.group_streams_task_offset_interval_ms_min,
            acceptable_recovery_lag: config.group_streams_acceptable_recovery_lag,
            standby_replicas: config.group_streams_standby_replicas,
            standby_replicas_max: config.group_streams_standby_replicas_max,
            rack_tags: config.group_streams_rack_aware_tags.clone(),
        }
    }
}

impl Default for StreamsSettings {
    fn default() -> StreamsSettings {
        StreamsSettings {
            size_max: i32::MAX as usize,
            session_timeout_ms: 45_000,
            session_timeout_ms_bounds: 45_000..=60_000,
            heartbeat_interval_ms: 5_000,
            heartbeat_interval_ms_bounds: 5_000..=15_000,
            initial_rebalance_delay_ms: 3_000,
            assignment_interval_ms: 1_000,
            assignment_interval_ms_bounds: 0..=15_000,
            task_offset_interval_ms: 60_000,
            task_offset_interval_ms_min: 15_000,
            acceptable_recovery_lag: 10_000,
            standby_replicas: 0,
            standby_replicas_max: 2,
            rack_tags: Vec::new(),
        }
    }
}

/// The settings of one group.
pub(super) struct GroupValues<'a> {
    turn: &'a Turn<'a>,
    group_id: &'a str,
}

impl<'a> GroupValues<'a> {
    pub(super) fn of(turn: &'a Turn<'a>, group_id: &'a str) -> GroupValues<'a> {
        GroupValues { turn, group_id }
    }

    fn text(&self, name: &str) -> Option<String> {
        let resource = ResourceId { kind: ResourceKind::Group, name: self.group_id.to_owned() };
        self.turn.image.config(&resource).get(name).cloned()
    }

    /// What the group has set, within `bounds`, or else `default`.
    fn number(&self, name: &str, bounds: &RangeInclusive<i64>, default: i64) -> i64 {
        let own: Option<i64> = self.text(name).and_then(|value| value.parse().ok());
        // Not `clamp`, which panics where a broker is given a smallest value above the largest.
        own.map_or(default, |own| own.max(*bounds.start()).min(*bounds.end()))
    }

    fn broker(&self) -> &StreamsSettings {
        &self.turn.settings.streams
    }

    pub(super) fn session_timeout_ms(&self) -> i64 {
        let broker = self.broker();
        self.number("streams.session.timeout.ms", &broker.session_timeout_ms_bounds, broker.session_timeout_ms)
    }

    pub(super) fn heartbeat_interval_ms(&self) -> i32 {
        let (name, broker) = ("streams.heartbeat.interval.ms", self.broker());
        saturated(self.number(name, &broker.heartbeat_interval_ms_bounds, broker.heartbeat_interval_ms))
    }

    pub(super) fn initial_rebalance_delay_ms(&self) -> i64 {
        let default = self.broker().initial_rebalance_delay_ms;
        self.number("streams.initial.rebalance.delay.ms", &(0..=i64::MAX), default)
    }

    pub(super) fn assignment_interval_ms(&self) -> i64 {
        let (name, broker) = ("streams.assignment.interval.ms", self.broker());
        self.number(name, &broker.assignment_interval_ms_bounds, broker.assignment_interval_ms)
    }

    pub(super) fn task_offset_interval_ms(&self) -> i32 {
        let (name, broker) = ("streams.task.offset.interval.ms", self.broker());
        let bounds = broker.task_offset_interval_ms_min..=i64::MAX;
        saturated(self.number(name, &bounds, broker.task_offset_interval_ms))
    }

    pub(super) fn acceptable_recovery_lag(&self) -> i64 {
        let default = self.broker().acceptable_recovery_lag;
        self.number("streams.acceptable.recovery.lag", &(0..=i64::MAX), default)
    }

    /// What an assignment is made by, as it is recorded with the epoch: another value begins another epoch.
    pub(super) fn assignment_configs(&self) -> BTreeMap<String, String> {
        let broker = self.broker();
        let bounds = 0..=broker.standby_replicas_max;
        let standbys = self.number("streams.num.standby.replicas", &bounds, broker.standby_replicas);
        let tags = match self.text("streams.rack.aware.assignment.tags") {
            Some(own) => tags_of(&own).collect::<Vec<&str>>().join(","),
            None => broker.rack_tags.join(","),
        };
        let mut configs = BTreeMap::from([(STANDBYS.to_owned(), standbys.to_string())]);
        if !tags.is_empty() {
            configs.insert(TAGS.to_owned(), tags);
        }
        configs
    }
}

fn saturated(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn tags_of(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|tag| !tag.is_empty())
}

/// Standby copies of each task, by the configs of an epoch.
pub(super) fn standbys(configs: &BTreeMap<String, String>) -> usize {
    configs.get(STANDBYS).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Tags that members must have, by the configs of an epoch.
pub(super) fn required_tags(configs: &BTreeMap<String, String>) -> Vec<&str> {
    configs.get(TAGS).map(|list| tags_of(list).collect()).unwrap_or_default()
}
