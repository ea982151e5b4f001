//! What can be watched: one table of metrics, the recorder behind `/metrics`, and what a core reports every second.
//! Where Kafka has a metric the name is the one jmx_exporter gives it, so that dashboards work as they are; ours begin
//! with `msgloop_`.

use std::fmt::Write;
use std::sync::OnceLock;

mod report;
pub mod traffic;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use storage::CleanerStatistics;

pub use report::{GroupActivity, Report};
use traffic::Flow;

use crate::metadata::MetadataImage;
use crate::shard::{METADATA_CORE, Shard};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Spread over buckets.
    Histogram,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Name in Prometheus.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// Unit of its values.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One sentence for people.
    pub doc: &'static str,
}

const fn metric(
    kind: MetricKind,
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    doc: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, doc }
}

use MetricKind::{Counter, Gauge, Histogram};

/// The table.
pub const METRICS: &[Metric] = &[
    metric(Counter, "msgloop_requests_total", Unit::Count, &["api"], "Requests answered."),
    metric(Histogram, "msgloop_request_seconds", Unit::Seconds, &["api"], "From a request's last byte to its answer."),
    metric(Histogram, "msgloop_loop_lag_seconds", Unit::Seconds, &["core"], "How late a core's timer runs: its queue."),
    metric(Gauge, "msgloop_connections", Unit::Count, &["core"], "Open client connections."),
    metric(Gauge, "msgloop_io_backend", Unit::Count, &["backend"], "1 for the I/O back end in use."),
    metric(Counter, "msgloop_wal_commits_total", Unit::Count, &["core"], "Commits of the write-ahead log."),
    metric(Counter, "msgloop_wal_commit_bytes_total", Unit::Bytes, &["core"], "Bytes committed."),
    metric(Histogram, "msgloop_wal_commit_seconds", Unit::Seconds, &["core"], "From a commit's write to durable."),
    metric(Histogram, "msgloop_wal_commit_group_bytes", Unit::Bytes, &["core"], "Bytes that one commit gathered."),
    metric(Gauge, "msgloop_wal_bytes", Unit::Bytes, &["core"], "Size of the write-ahead log's files."),
    metric(Gauge, "msgloop_wal_live_bytes", Unit::Bytes, &["core"], "Bytes a start would have to read."),
    metric(Gauge, "msgloop_tail_bytes", Unit::Bytes, &["core"], "Memory behind recent records and who reads them."),
    metric(Gauge, "msgloop_tail_bytes_max", Unit::Bytes, &["core"], "Bound of that memory."),
    metric(Gauge, "msgloop_appends_waiting", Unit::Count, &["core"], "Appends that wait for memory or for the ring."),
    metric(
        Gauge,
        "msgloop_write_back_lag_bytes",
        Unit::Bytes,
        &["core"],
        "Bytes that are in the write-ahead log only.",
    ),
    metric(Counter, "msgloop_write_back_bytes_total", Unit::Bytes, &["core"], "Bytes written to segments."),
    metric(Counter, "msgloop_compactions_total", Unit::Count, &["core"], "Passes of compaction over a log."),
    metric(Counter, "msgloop_compaction_read_bytes_total", Unit::Bytes, &["core"], "Bytes that compaction read."),
    metric(Counter, "msgloop_compaction_written_bytes_total", Unit::Bytes, &["core"], "Bytes that compaction wrote."),
    metric(
        Gauge,
        "kafka_log_logcleaner_cleaner_recopy_percent",
        Unit::Percent,
        &["core"],
        "Share of what the last compaction walked through that stayed.",
    ),
    metric(
        Gauge,
        "kafka_log_logcleaner_max_buffer_utilization_percent",
        Unit::Percent,
        &["core"],
        "How full the key table was in the last compaction.",
    ),
    metric(Gauge, "kafka_log_logcleaner_max_clean_time_secs", Unit::Seconds, &["core"], "Time the last one took."),
    metric(
        Gauge,
        "kafka_log_logcleanermanager_max_dirty_percent",
        Unit::Percent,
        &["core"],
        "Dirty share of the dirtiest log.",
    ),
    metric(
        Gauge,
        "kafka_log_logcleanermanager_time_since_last_run_ms",
        Unit::Milliseconds,
        &["core"],
        "Since compaction last looked for something to do.",
    ),
    metric(
        Gauge,
        "kafka_log_logcleanermanager_uncleanable_partitions_count",
        Unit::Count,
        &["core"],
        "Partitions that are not compacted because they are damaged.",
    ),
    metric(Gauge, "kafka_controller_kafkacontroller_activecontrollercount", Unit::Count, &[], "1 on the controller."),
    metric(Gauge, "kafka_controller_kafkacontroller_activebrokercount", Unit::Count, &[], "Brokers in service."),
    metric(Gauge, "kafka_controller_kafkacontroller_fencedbrokercount", Unit::Count, &[], "Brokers out of service."),
    metric(Gauge, "kafka_controller_kafkacontroller_globaltopiccount", Unit::Count, &[], "Topics of the cluster."),
    metric(
        Gauge,
        "kafka_controller_kafkacontroller_globalpartitioncount",
        Unit::Count,
        &[],
        "Partitions of the cluster.",
    ),
    metric(
        Gauge,
        "kafka_controller_kafkacontroller_offlinepartitionscount",
        Unit::Count,
        &[],
        "Partitions without a leader.",
    ),
    metric(Gauge, "kafka_server_replicamanager_partitioncount", Unit::Count, &[], "Partitions on this broker."),
    metric(Gauge, "kafka_server_replicamanager_leadercount", Unit::Count, &[], "Partitions this broker leads."),
    metric(
        Gauge,
        "kafka_server_replicamanager_underreplicatedpartitions",
        Unit::Count,
        &[],
        "Led partitions with replicas out of sync.",
    ),
    metric(Counter, Flow::MessagesIn.metric(), Unit::Count, &["topic"], "Records appended."),
    metric(Counter, Flow::BytesIn.metric(), Unit::Bytes, &["topic"], "Bytes of batches appended."),
    metric(Counter, Flow::BytesOut.metric(), Unit::Bytes, &["topic"], "Bytes of batches read by clients."),
    metric(
        Counter,
        Flow::BytesRejected.metric(),
        Unit::Bytes,
        &["topic"],
        "Bytes of batches larger than the topic takes.",
    ),
    metric(Counter, Flow::ProduceRequests.metric(), Unit::Count, &["topic"], "Batches that clients sent."),
    metric(Counter, Flow::FetchRequests.metric(), Unit::Count, &["topic"], "Reads of a partition by clients."),
    metric(Counter, Flow::FailedProduceRequests.metric(), Unit::Count, &["topic"], "Batches sent that were refused."),
    metric(
        Counter,
        Flow::FailedFetchRequests.metric(),
        Unit::Count,
        &["topic"],
        "Reads of a partition that were refused.",
    ),
    metric(Gauge, "kafka_log_log_logstartoffset", Unit::Count, &["topic", "partition"], "First offset of a partition."),
    metric(
        Gauge,
        "kafka_log_log_logendoffset",
        Unit::Count,
        &["topic", "partition"],
        "Offset after the last record of a partition.",
    ),
    metric(Gauge, "kafka_log_log_size", Unit::Bytes, &["topic", "partition"], "Size of a partition."),
    metric(
        Counter,
        "kafka_network_requestmetrics_requests_total",
        Unit::Count,
        &["request", "version"],
        "Requests answered.",
    ),
    metric(
        Counter,
        "kafka_network_requestmetrics_errors_total",
        Unit::Count,
        &["request", "error"],
        "Error codes told to clients.",
    ),
    metric(
        Gauge,
        "kafka_server_group_coordinator_metrics_group_count",
        Unit::Count,
        &["protocol"],
        "Groups by protocol.",
    ),
    metric(
        Gauge,
        "kafka_server_group_coordinator_metrics_classic_group_count",
        Unit::Count,
        &["state"],
        "Classic groups by state.",
    ),
    metric(
        Gauge,
        "kafka_server_group_coordinator_metrics_consumer_group_count",
        Unit::Count,
        &["state"],
        "Consumer groups by state.",
    ),
    metric(
        Gauge,
        "kafka_server_group_coordinator_metrics_streams_group_count",
        Unit::Count,
        &["state"],
        "Streams groups by state.",
    ),
    metric(
        Gauge,
        "kafka_coordinator_group_groupmetadatamanager_numgroups",
        Unit::Count,
        &[],
        "Groups of all protocols.",
    ),
    metric(
        Gauge,
        "kafka_coordinator_group_groupmetadatamanager_numoffsets",
        Unit::Count,
        &[],
        "Committed offsets that are kept.",
    ),
    metric(
        Counter,
        "kafka_server_group_coordinator_metrics_group_completed_rebalance_count",
        Unit::Count,
        &[],
        "Rebalances that ended with an assignment.",
    ),
    metric(
        Counter,
        "kafka_server_group_coordinator_metrics_offset_commit_count",
        Unit::Count,
        &[],
        "Offsets committed.",
    ),
    metric(
        Gauge,
        "kafka_server_client_metrics_instance_count",
        Unit::Count,
        &[],
        "Client instances that asked which metrics to push, or pushed, lately.",
    ),
    metric(
        Counter,
        "kafka_server_client_metrics_unknown_subscription_request_count",
        Unit::Count,
        &[],
        "Pushes for a subscription that is not, or no longer, the client's.",
    ),
    metric(
        Counter,
        "kafka_server_client_metrics_throttle_count",
        Unit::Count,
        &[],
        "Telemetry requests of clients that came too early.",
    ),
    metric(
        Counter,
        "kafka_server_client_metrics_plugin_export_count",
        Unit::Count,
        &[],
        "Pushes of clients that went to `/client-metrics`.",
    ),
    metric(
        Counter,
        "kafka_server_client_metrics_plugin_error_count",
        Unit::Count,
        &[],
        "Pushes of clients that could not be read.",
    ),
    metric(Gauge, "msgloop_client_series", Unit::Count, &[], "Series at `/client-metrics`."),
    metric(
        Counter,
        "msgloop_client_series_left_out_total",
        Unit::Count,
        &[],
        "Series of clients that are not, or no longer, at `/client-metrics` for want of room.",
    ),
];

/// The row of this name.
fn metric_of(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Seconds, from 50 µs to 10 s.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Bytes, from one block to 16 MiB.
const BYTES: &[f64] = &[4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// Takes up every metric from here on; once per process, before anything is counted.
pub fn install() -> Result<(), String> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS);
    let builder =
        builder.and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES));
    let recorder = builder.map_err(|error| error.to_string())?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
    for metric in METRICS {
        match metric.kind {
            Counter => describe_counter!(metric.name, metric.unit, metric.doc),
            Gauge => describe_gauge!(metric.name, metric.unit, metric.doc),
            Histogram => describe_histogram!(metric.name, metric.unit, metric.doc),
        }
    }
    HANDLE.get_or_init(|| handle);
    Ok(())
}

/// Everything in Prometheus' text form; empty without [`install`].
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// What a core tells: every second, and when it is asked.
pub fn observe(shard: &Shard) {
    observe_engine(shard);
    if shard.core() != METADATA_CORE {
        return;
    }
    observe_image(&shard.image(), shard.identity().node_id);
    gauge!("msgloop_io_backend", "backend" => shard.runtime().backend()).set(1.0);
    // Histograms keep every sample until somebody reads them: without this, memory would grow where nobody scrapes.
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

fn observe_engine(shard: &Shard) {
    let core = shard.core().to_string();
    let statistics = shard.engine().statistics();
    let set = |name: &'static str, value: u64| gauge!(name, "core" => core.clone()).set(value as f64);
    let count = |name: &'static str, value: u64| counter!(name, "core" => core.clone()).absolute(value);
    count("msgloop_wal_commits_total", statistics.commits);
    count("msgloop_wal_commit_bytes_total", statistics.commit_bytes);
    count("msgloop_write_back_bytes_total", statistics.write_back_bytes);
    set("msgloop_wal_bytes", statistics.wal_bytes);
    set("msgloop_wal_live_bytes", statistics.wal_live_bytes);
    set("msgloop_tail_bytes", statistics.tail_bytes);
    set("msgloop_tail_bytes_max", statistics.tail_bytes_max);
    set("msgloop_appends_waiting", statistics.reservations_waiting);
    set("msgloop_write_back_lag_bytes", statistics.write_back_lag_bytes);
    observe_cleaner(shard, &statistics.cleaner, &core);
    let latency = histogram!("msgloop_wal_commit_seconds", "core" => core.clone());
    let group = histogram!("msgloop_wal_commit_group_bytes", "core" => core);
    for sample in &statistics.commit_samples {
        latency.record(sample.latency);
        group.record(sample.bytes as f64);
    }
}

fn observe_cleaner(shard: &Shard, cleaner: &CleanerStatistics, core: &str) {
    let set = |name: &'static str, value: f64| gauge!(name, "core" => core.to_owned()).set(value);
    let count = |name: &'static str, value: u64| counter!(name, "core" => core.to_owned()).absolute(value);
    count("msgloop_compactions_total", cleaner.runs);
    count("msgloop_compaction_read_bytes_total", cleaner.bytes_read);
    count("msgloop_compaction_written_bytes_total", cleaner.bytes_written);
    set("kafka_log_logcleaner_cleaner_recopy_percent", (100.0 * cleaner.last_recopy_ratio).floor());
    set("kafka_log_logcleaner_max_buffer_utilization_percent", (100.0 * cleaner.last_utilization).floor());
    set("kafka_log_logcleaner_max_clean_time_secs", cleaner.last_duration.as_secs_f64().floor());
    set("kafka_log_logcleanermanager_max_dirty_percent", (100.0 * cleaner.max_dirty_ratio).floor());
    let since = shard.runtime().now().since(cleaner.last_looked);
    set("kafka_log_logcleanermanager_time_since_last_run_ms", since.as_millis() as f64);
    set("kafka_log_logcleanermanager_uncleanable_partitions_count", cleaner.uncleanable as f64);
}

fn observe_image(image: &MetadataImage, node_id: i32) {
    let partitions = || image.topics().flat_map(|topic| &topic.partitions);
    let led = || partitions().filter(|partition| partition.leader == node_id);
    let set = |name: &'static str, value: usize| gauge!(name).set(value as f64);
    set("kafka_controller_kafkacontroller_activecontrollercount", 1);
    set("kafka_controller_kafkacontroller_activebrokercount", image.brokers.len());
    set("kafka_controller_kafkacontroller_fencedbrokercount", 0);
    set("kafka_controller_kafkacontroller_globaltopiccount", image.topics().count());
    set("kafka_controller_kafkacontroller_globalpartitioncount", image.partition_count());
    let offline = partitions().filter(|partition| partition.leader < 0).count();
    set("kafka_controller_kafkacontroller_offlinepartitionscount", offline);
    let here = partitions().filter(|partition| partition.replicas.contains(&node_id)).count();
    set("kafka_server_replicamanager_partitioncount", here);
    set("kafka_server_replicamanager_leadercount", led().count());
    let lagging = led().filter(|partition| partition.isr.len() < partition.replicas.len()).count();
    set("kafka_server_replicamanager_underreplicatedpartitions", lagging);
}

/// `docs/metrics.md`.
pub fn render_docs() -> String {
    let mut page = "# Metrics\n\nMade from the table in `broker/src/metrics/`; do not edit (`UPDATE_DOCS=1 cargo test -p \
        broker docs` rewrites it).\n\nServed at `/metrics` of `msgloop.admin.listener` in Prometheus' text form. Names \
        that begin with `kafka_` are those jmx_exporter gives Kafka's metrics. Those with a topic come without one, too: \
        the sum of all, deleted ones included. At most 1,000 topics and 5,000 partitions have series of their own, the \
        first by name.\n\nAt `/client-metrics` are the metrics that clients push (KIP-714), where a client metrics subscription \
        asks for them: `kafka-client-metrics --alter --name all --metrics '*' --interval 30000`. Names and labels are the \
        clients', with `_` for what Prometheus does not take and `_total` behind counters; each series has \
        `client_instance_id` and `client_id`, and `msgloop_client_info` says more about each client. Gauges and sums are \
        shown as they were pushed last, until three intervals, at least a minute, have passed without a push. A client \
        has at most 2,000 series and 512 KiB of them, all clients together 16 MiB (1 MiB a core at least): beyond that, \
        those that pushed longest ago go. At most 16,384 client instances are known at a time.\n\n| name | kind | unit | labels | meaning \
        |\n| --- | --- | --- | --- | --- |\n"
        .to_owned();
    for metric in METRICS {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            format!("{:?}", metric.kind).to_lowercase(),
            metric.unit.as_str(),
            metric.labels.join(", "),
            metric.doc
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_of_metrics_are_fresh() {
        crate::docs::assert_fresh("metrics.md", &render_docs());
    }

    #[test]
    fn names_follow_prometheus_habits_and_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for metric in METRICS {
            assert!(names.insert(metric.name), "{} twice", metric.name);
            // What Kafka calls a count is one.
            let is_named_so = metric.name.ends_with("_total") || metric.name.ends_with("rebalance_count");
            let is_named_so = is_named_so || metric.name.ends_with("commit_count");
            let of_clients = metric.name.strip_prefix("kafka_server_client_metrics_");
            let is_named_so = is_named_so || of_clients.is_some_and(|count| count != "instance_count");
            assert_eq!(is_named_so, metric.kind == Counter, "{}", metric.name);
            assert!(metric.doc.ends_with('.'), "{}", metric.name);
        }
    }
}
