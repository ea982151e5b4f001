//! The broker's settings as plain fields, read from the table's names in one place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::config::listeners::{Listener, ListenerError, parse_listeners};
use crate::config::settings::Settings;

macro_rules! broker_config {
    ($($(#[$doc:meta])* $field:ident: $type:ty = |$settings:ident| $read:expr;)*) => {
        /// What the broker acts on. Built again whenever a setting is altered; names, units and bounds are those of the
        /// config each field is read from. Not public: the compiler then tells of a field that nothing acts on.
        #[derive(Debug, Clone)]
        pub struct BrokerConfig {
            /// Everything that is set, for topics and DescribeConfigs.
            pub settings: Settings,
            /// Where to listen, controller listeners left out.
            pub listeners: Vec<Listener>,
            $($(#[$doc])* pub(crate) $field: $type,)*
        }

        impl BrokerConfig {
            /// Reads every field; fails only on listeners that cannot be served.
            pub fn new(settings: Settings) -> Result<BrokerConfig, ListenerError> {
                let listeners = parse_listeners(&settings)?;
                $(let $field = { let $settings = &settings; $read };)*
                Ok(BrokerConfig { listeners, $($field,)* settings })
            }

            /// `msgloop.admin.listener` as host:port.
            pub fn admin_listener(&self) -> Option<&str> {
                self.admin_listener.as_deref()
            }
        }
    };
}

broker_config! {
    /// `node.id`, or the older `broker.id`.
    node_id: i32 = |s| int(s, if s.fixed.contains_key("node.id") || s.number("broker.id") < 0 { "node.id" } else { "broker.id" });
    /// `broker.rack`.
    rack: Option<String> = |s| s.optional_text("broker.rack");
    /// `log.dirs`, else `log.dir`; never empty.
    log_dirs: Vec<PathBuf> = |s| log_dirs(s);

    /// `msgloop.cores`; 0 for every core there is.
    cores: usize = |s| s.count("msgloop.cores");
    /// `msgloop.pinning`.
    pinning: bool = |s| s.boolean("msgloop.pinning");
    /// `msgloop.io.backend`: auto, uring, threads or glommio.
    io_backend: String = |s| s.text("msgloop.io.backend");
    /// `msgloop.admin.listener` as host:port.
    admin_listener: Option<String> = |s| s.optional_text("msgloop.admin.listener");
    /// `msgloop.wal.bytes`, all cores together.
    wal_bytes: u64 = |s| bytes(s, "msgloop.wal.bytes");
    /// `msgloop.wal.file.bytes`.
    wal_file_bytes: u64 = |s| bytes(s, "msgloop.wal.file.bytes");
    /// `msgloop.tail.memory.bytes`, all cores together.
    tail_memory_bytes: usize = |s| s.count("msgloop.tail.memory.bytes");
    /// `msgloop.request.memory.bytes`, never below one request.
    request_memory_bytes: usize = |s| s.count("msgloop.request.memory.bytes").max(s.count("socket.request.max.bytes"));
    /// `msgloop.connection.requests.max`.
    connection_requests_max: usize = |s| s.count("msgloop.connection.requests.max");

    /// `socket.request.max.bytes`.
    request_bytes_max: usize = |s| s.count("socket.request.max.bytes");
    /// `socket.listen.backlog.size`.
    listen_backlog: i32 = |s| int(s, "socket.listen.backlog.size");
    /// `socket.receive.buffer.bytes`; -1 for the system's default.
    socket_receive_buffer_bytes: i32 = |s| int(s, "socket.receive.buffer.bytes");
    /// `socket.send.buffer.bytes`; -1 for the system's default.
    socket_send_buffer_bytes: i32 = |s| int(s, "socket.send.buffer.bytes");
    /// `connections.max.idle.ms`; negative for never.
    connection_idle_ms_max: i64 = |s| s.number("connections.max.idle.ms");
    /// `max.connections`.
    connections_max: usize = |s| s.count("max.connections");
    /// `max.connections.per.ip`.
    connections_per_ip_max: usize = |s| s.count("max.connections.per.ip");
    /// `max.connections.per.ip.overrides`, by host.
    connections_per_ip_overrides: BTreeMap<String, usize> = |s| per_ip_overrides(s);
    /// `max.connection.creation.rate`.
    connection_creation_rate_max: usize = |s| s.count("max.connection.creation.rate");
    /// `fetch.max.bytes`.
    fetch_bytes_max: usize = |s| s.count("fetch.max.bytes");
    /// `max.incremental.fetch.session.cache.slots`.
    fetch_sessions_max: usize = |s| s.count("max.incremental.fetch.session.cache.slots");
    /// `max.request.partition.size.limit`.
    request_partitions_max: usize = |s| s.count("max.request.partition.size.limit");

    /// `quota.window.num`.
    quota_samples: usize = |s| s.count("quota.window.num");
    /// `quota.window.size.seconds`.
    quota_sample_seconds: u64 = |s| bytes(s, "quota.window.size.seconds");
    /// `controller.quota.window.num`.
    controller_quota_samples: usize = |s| s.count("controller.quota.window.num");
    /// `controller.quota.window.size.seconds`.
    controller_quota_sample_seconds: u64 = |s| bytes(s, "controller.quota.window.size.seconds");

    /// `auto.create.topics.enable`.
    auto_create_topics: bool = |s| s.boolean("auto.create.topics.enable");
    /// `delete.topic.enable`.
    delete_topic_enable: bool = |s| s.boolean("delete.topic.enable");
    /// `num.partitions`.
    num_partitions: i32 = |s| int(s, "num.partitions");
    /// `default.replication.factor`.
    default_replication_factor: i16 = |s| short(s, "default.replication.factor");
    /// `metadata.log.max.record.bytes.between.snapshots`.
    metadata_snapshot_bytes: u64 = |s| bytes(s, "metadata.log.max.record.bytes.between.snapshots");

    /// `log.retention.check.interval.ms`.
    retention_check_interval_ms: i64 = |s| s.number("log.retention.check.interval.ms");

    /// `group.initial.rebalance.delay.ms`.
    group_initial_rebalance_delay_ms: i64 = |s| s.number("group.initial.rebalance.delay.ms");
    /// `group.min.session.timeout.ms`.
    group_session_timeout_ms_min: i32 = |s| int(s, "group.min.session.timeout.ms");
    /// `group.max.session.timeout.ms`.
    group_session_timeout_ms_max: i32 = |s| int(s, "group.max.session.timeout.ms");
    /// `group.max.size`.
    group_size_max: usize = |s| s.count("group.max.size");
    /// `group.coordinator.rebalance.protocols`.
    group_protocols: Vec<String> = |s| s.list("group.coordinator.rebalance.protocols");
    /// `group.consumer.assignors`, the default first.
    group_consumer_assignors: Vec<String> = |s| s.list("group.consumer.assignors");
    /// `group.consumer.max.size`.
    group_consumer_size_max: usize = |s| s.count("group.consumer.max.size");
    /// `group.consumer.session.timeout.ms`.
    group_consumer_session_timeout_ms: i32 = |s| int(s, "group.consumer.session.timeout.ms");
    /// `group.consumer.heartbeat.interval.ms`.
    group_consumer_heartbeat_interval_ms: i32 = |s| int(s, "group.consumer.heartbeat.interval.ms");
    /// `group.consumer.assignment.interval.ms`.
    group_consumer_assignment_interval_ms: i32 = |s| int(s, "group.consumer.assignment.interval.ms");
    /// `group.consumer.regex.refresh.interval.ms`.
    group_consumer_regex_refresh_interval_ms: i64 = |s| s.number("group.consumer.regex.refresh.interval.ms");
    /// `group.consumer.migration.policy`.
    group_consumer_migration_policy: String = |s| s.text("group.consumer.migration.policy");
    /// `group.streams.max.size`.
    group_streams_size_max: usize = |s| s.count("group.streams.max.size");
    /// `group.streams.session.timeout.ms`.
    group_streams_session_timeout_ms: i64 = |s| s.number("group.streams.session.timeout.ms");
    /// `group.streams.min.session.timeout.ms` to `group.streams.max.session.timeout.ms`.
    group_streams_session_timeout_ms_bounds: RangeInclusive<i64> = |s| bounds(s, "group.streams", "session.timeout.ms");
    /// `group.streams.heartbeat.interval.ms`.
    group_streams_heartbeat_interval_ms: i64 = |s| s.number("group.streams.heartbeat.interval.ms");
    /// `group.streams.min.heartbeat.interval.ms` to `group.streams.max.heartbeat.interval.ms`.
    group_streams_heartbeat_interval_ms_bounds: RangeInclusive<i64> = |s| bounds(s, "group.streams", "heartbeat.interval.ms");
    /// `group.streams.initial.rebalance.delay.ms`.
    group_streams_initial_rebalance_delay_ms: i64 = |s| s.number("group.streams.initial.rebalance.delay.ms");
    /// `group.streams.assignment.interval.ms`.
    group_streams_assignment_interval_ms: i64 = |s| s.number("group.streams.assignment.interval.ms");
    /// `group.streams.min.assignment.interval.ms` to `group.streams.max.assignment.interval.ms`.
    group_streams_assignment_interval_ms_bounds: RangeInclusive<i64> = |s| bounds(s, "group.streams", "assignment.interval.ms");
    /// `group.streams.task.offset.interval.ms`.
    group_streams_task_offset_interval_ms: i64 = |s| s.number("group.streams.task.offset.interval.ms");
    /// `group.streams.min.task.offset.interval.ms`.
    group_streams_task_offset_interval_ms_min: i64 = |s| s.number("group.streams.min.task.offset.interval.ms");
    /// `group.streams.acceptable.recovery.lag`, in records.
    group_streams_acceptable_recovery_lag: i64 = |s| s.number("group.streams.acceptable.recovery.lag");
    /// `group.streams.num.standby.replicas`.
    group_streams_standby_replicas: i64 = |s| s.number("group.streams.num.standby.replicas");
    /// `group.streams.max.standby.replicas`.
    group_streams_standby_replicas_max: i64 = |s| s.number("group.streams.max.standby.replicas");
    /// `group.streams.rack.aware.assignment.tags`.
    group_streams_rack_aware_tags: Vec<String> = |s| s.list("group.streams.rack.aware.assignment.tags");
    /// `offset.metadata.max.bytes`.
    offset_metadata_bytes_max: usize = |s| s.count("offset.metadata.max.bytes");
    /// `offsets.topic.num.partitions`.
    offsets_topic_partitions: i32 = |s| int(s, "offsets.topic.num.partitions");
    /// `offsets.topic.replication.factor`.
    offsets_topic_replication_factor: i16 = |s| short(s, "offsets.topic.replication.factor");
    /// `offsets.topic.segment.bytes`.
    offsets_topic_segment_bytes: i32 = |s| int(s, "offsets.topic.segment.bytes");
    /// `offsets.load.buffer.size`.
    offsets_load_buffer_bytes: usize = |s| s.count("offsets.load.buffer.size");
    /// `offsets.retention.minutes`, in milliseconds.
    offsets_retention_ms: i64 = |s| s.number("offsets.retention.minutes") * 60_000;
    /// `offsets.retention.check.interval.ms`.
    offsets_retention_check_interval_ms: i64 = |s| s.number("offsets.retention.check.interval.ms");
    /// `transaction.max.timeout.ms`.
    transaction_timeout_ms_max: i32 = |s| int(s, "transaction.max.timeout.ms");
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    transaction_abort_interval_ms: u64 = |s| bytes(s, "transaction.abort.timed.out.transaction.cleanup.interval.ms");
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    transactional_id_removal_interval_ms: u64 = |s| bytes(s, "transaction.remove.expired.transaction.cleanup.interval.ms");
    /// `transactional.id.expiration.ms`.
    transactional_id_expiration_ms: i64 = |s| s.number("transactional.id.expiration.ms");
    /// `transaction.partition.verification.enable`.
    transaction_partition_verification: bool = |s| s.boolean("transaction.partition.verification.enable");
    /// `telemetry.max.bytes`.
    telemetry_bytes_max: usize = |s| s.count("telemetry.max.bytes");
    /// `request.timeout.ms`.
    request_timeout_ms: i64 = |s| s.number("request.timeout.ms");
    /// `add.partitions.to.txn.retry.backoff.max.ms`.
    add_partitions_retry_ms_max: u64 = |s| bytes(s, "add.partitions.to.txn.retry.backoff.max.ms");
    /// `offsets.commit.timeout.ms`.
    offsets_commit_timeout_ms: i64 = |s| s.number("offsets.commit.timeout.ms");

    /// `transaction.state.log.num.partitions`.
    transaction_topic_partitions: i32 = |s| int(s, "transaction.state.log.num.partitions");
    /// `transaction.state.log.replication.factor`.
    transaction_topic_replication_factor: i16 = |s| short(s, "transaction.state.log.replication.factor");
    /// `transaction.state.log.min.isr`.
    transaction_topic_in_sync_replicas_min: i32 = |s| int(s, "transaction.state.log.min.isr");
    /// `transaction.state.log.segment.bytes`.
    transaction_topic_segment_bytes: i32 = |s| int(s, "transaction.state.log.segment.bytes");
}

fn int(settings: &Settings, name: &str) -> i32 {
    i32::try_from(settings.number(name)).unwrap_or_default()
}

/// From `{prefix}.min.{name}` to `{prefix}.max.{name}`.
fn bounds(settings: &Settings, prefix: &str, name: &str) -> RangeInclusive<i64> {
    settings.number(&format!("{prefix}.min.{name}"))..=settings.number(&format!("{prefix}.max.{name}"))
}

fn short(settings: &Settings, name: &str) -> i16 {
    i16::try_from(settings.number(name)).unwrap_or_default()
}

fn bytes(settings: &Settings, name: &str) -> u64 {
    u64::try_from(settings.number(name)).unwrap_or_default()
}

fn log_dirs(settings: &Settings) -> Vec<PathBuf> {
    let dirs = settings.list("log.dirs");
    let dirs = if dirs.is_empty() { settings.list("log.dir") } else { dirs };
    dirs.into_iter().map(PathBuf::from).collect()
}

fn per_ip_overrides(settings: &Settings) -> BTreeMap<String, usize> {
    let pairs = settings.list("max.connections.per.ip.overrides");
    let pair = |text: &String| {
        let (host, count) = text.rsplit_once(':')?;
        Some((host.trim().to_owned(), count.trim().parse().ok()?))
    };
    pairs.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Values;

    #[test]
    fn defaults_are_kafkas_and_every_field_names_a_row_of_the_table() {
        let config = BrokerConfig::new(Settings::default()).expect("defaults are valid");
        assert_eq!(config.node_id, 1);
        assert_eq!(config.log_dirs, [PathBuf::from("./msgloop-data")]);
        assert_eq!(config.request_bytes_max, 104_857_600);
        assert_eq!(config.offsets_retention_ms, 604_800_000);
    }

    #[test]
    fn log_dirs_hide_log_dir_and_node_id_hides_broker_id() {
        let set = |pairs: &[(&str, &str)]| {
            let values: Values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            BrokerConfig::new(Settings::fixed(values)).expect("valid")
        };
        let config = set(&[("log.dir", "/a"), ("log.dirs", "/b,/c"), ("broker.id", "7")]);
        assert_eq!((config.log_dirs, config.node_id), (vec![PathBuf::from("/b"), PathBuf::from("/c")], 7));
        let config = set(&[("log.dir", "/a"), ("node.id", "3"), ("broker.id", "7")]);
        assert_eq!((config.log_dirs, config.node_id), (vec![PathBuf::from("/a")], 3));
    }
}
