//! What the cores count for themselves, gathered and written out when somebody scrapes. These series are not kept by the
//! recorder: those of a deleted topic are gone with it, and nothing grows between scrapes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use protocol::ErrorCode;
use protocol::messages::ApiKey;

use super::traffic::{self, Flow, Totals};
use super::{MetricKind, metric_of};
use crate::groups::state::ListFilter;
use crate::shard::Shard;
use crate::telemetry::TelemetryFigures;

/// Topics that have series of their own, first come by name; the others are in the totals without a topic only.
pub const TOPICS_MAX: usize = 1_000;
/// Partitions that have series of their own, of those topics.
pub const PARTITIONS_MAX: usize = 5_000;

/// Types of groups, and the metric that counts each by state.
const GROUP_COUNTS: [(&str, &str); 3] = [
    ("classic", "kafka_server_group_coordinator_metrics_classic_group_count"),
    ("consumer", "kafka_server_group_coordinator_metrics_consumer_group_count"),
    ("streams", "kafka_server_group_coordinator_metrics_streams_group_count"),
];

/// Where a partition's log begins and ends, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogFigures {
    /// First offset.
    pub start: i64,
    /// Offset after the last record.
    pub end: i64,
    /// Size in bytes.
    pub bytes: u64,
}

/// What groups have done on a core since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupActivity {
    /// Rebalances that ended with an assignment.
    pub rebalances: u64,
    /// Offsets committed.
    pub offset_commits: u64,
}

/// What one core has counted, or all of them together.
#[derive(Debug, Default)]
pub struct Report {
    /// All partitions there are and were.
    pub traffic: Totals,
    /// The partitions there are, by topic.
    pub topics: BTreeMap<String, Totals>,
    /// By topic and number.
    pub partitions: BTreeMap<(String, i32), LogFigures>,
    /// Requests by API and version.
    pub requests: BTreeMap<(i16, i16), u64>,
    /// Errors told to clients, by API and code.
    pub errors: BTreeMap<(i16, i16), u64>,
    /// Groups by type and state.
    pub groups: BTreeMap<(String, String), u64>,
    /// Committed offsets that are kept.
    pub offsets: u64,
    /// What the groups have done.
    pub activity: GroupActivity,
    /// Metrics of clients.
    pub telemetry: TelemetryFigures,
}

impl Report {
    /// Of one core.
    pub fn of(shard: &Shard) -> Report {
        let mut report = Report { traffic: shard.retired_traffic().totals(), ..Report::default() };
        for partition in shard.partitions() {
            let totals = partition.traffic().totals();
            traffic::add(&mut report.traffic, &totals);
            traffic::add(report.topics.entry(partition.topic().to_owned()).or_default(), &totals);
            let log = partition.log();
            let figures =
                LogFigures { start: log.log_start_offset().0, end: log.log_end_offset().0, bytes: log.bytes() };
            report.partitions.insert((partition.topic().to_owned(), partition.id().partition), figures);
        }
        shard.api_metrics().report(&mut report);
        report.activity = shard.groups().activity();
        report.telemetry = shard.telemetry().figures();
        for home in shard.groups().homes().all() {
            // A partition that is being read has nothing to tell yet.
            let Ok((listed, offsets)) = home.read(|state| (state.list(&ListFilter::default()), state.offsets().len()))
            else {
                continue;
            };
            report.offsets += offsets as u64;
            for group in listed {
                *report.groups.entry((group.group_type, group.group_state)).or_default() += 1;
            }
        }
        report
    }

    /// Adds another core's.
    pub fn merge(&mut self, other: Report) {
        traffic::add(&mut self.traffic, &other.traffic);
        for (topic, totals) in other.topics {
            traffic::add(self.topics.entry(topic).or_default(), &totals);
        }
        self.partitions.extend(other.partitions);
        let counts = [(&mut self.requests, other.requests), (&mut self.errors, other.errors)];
        for (into, from) in counts {
            from.into_iter().for_each(|(key, count)| *into.entry(key).or_default() += count);
        }
        other.groups.into_iter().for_each(|(key, count)| *self.groups.entry(key).or_default() += count);
        self.offsets += other.offsets;
        self.activity.rebalances += other.activity.rebalances;
        self.activity.offset_commits += other.activity.offset_commits;
        self.telemetry.add(&other.telemetry);
    }

    /// In Prometheus' text form.
    pub fn render(&self) -> String {
        let mut page = Page::default();
        let shown: BTreeSet<&str> = self.topics.keys().take(TOPICS_MAX).map(String::as_str).collect();
        for flow in Flow::ALL {
            page.metric(flow.metric());
            page.sample(&[], self.traffic[flow as usize]);
            for (topic, totals) in self.topics.iter().take(TOPICS_MAX) {
                page.sample(&[("topic", topic)], totals[flow as usize]);
            }
        }
        type Figure = fn(&LogFigures) -> u64;
        let of_log: [(&str, Figure); 3] = [
            ("kafka_log_log_logstartoffset", |figures| figures.start.unsigned_abs()),
            ("kafka_log_log_logendoffset", |figures| figures.end.unsigned_abs()),
            ("kafka_log_log_size", |figures| figures.bytes),
        ];
        for (name, value) in of_log {
            page.metric(name);
            let partitions = self.partitions.iter().filter(|((topic, _), _)| shown.contains(topic.as_str()));
            for ((topic, partition), figures) in partitions.take(PARTITIONS_MAX) {
                page.sample(&[("topic", topic), ("partition", &partition.to_string())], value(figures));
            }
        }
        self.render_requests(&mut page);
        self.render_groups(&mut page);
        for (name, value) in self.telemetry.rows() {
            page.metric(name);
            page.sample(&[], value);
        }
        page.text
    }

    fn render_requests(&self, page: &mut Page) {
        let name = |code: i16| ApiKey::from_code(code).map_or_else(|| code.to_string(), |key| key.name().to_owned());
        page.metric("kafka_network_requestmetrics_requests_total");
        for ((key, version), count) in &self.requests {
            page.sample(&[("request", &name(*key)), ("version", &version.to_string())], *count);
        }
        page.metric("kafka_network_requestmetrics_errors_total");
        for ((key, code), count) in &self.errors {
            page.sample(&[("request", &name(*key)), ("error", ErrorCode(*code).name())], *count);
        }
    }

    fn render_groups(&self, page: &mut Page) {
        let of_type =
            |wanted: &str| self.groups.iter().filter(move |((kind, _), _)| kind == wanted).collect::<Vec<_>>();
        let sum = |rows: &[(&(String, String), &u64)]| rows.iter().map(|(_, count)| **count).sum::<u64>();
        page.metric("kafka_server_group_coordinator_metrics_group_count");
        for (protocol, _) in GROUP_COUNTS {
            page.sample(&[("protocol", protocol)], sum(&of_type(protocol)));
        }
        for (protocol, metric) in GROUP_COUNTS {
            page.metric(metric);
            for ((_, state), count) in of_type(protocol) {
                page.sample(&[("state", state)], *count);
            }
        }
        for (name, value) in [
            ("kafka_coordinator_group_groupmetadatamanager_numgroups", self.groups.values().sum()),
            ("kafka_coordinator_group_groupmetadatamanager_numoffsets", self.offsets),
            ("kafka_server_group_coordinator_metrics_group_completed_rebalance_count", self.activity.rebalances),
            ("kafka_server_group_coordinator_metrics_offset_commit_count", self.activity.offset_commits),
        ] {
            page.metric(name);
            page.sample(&[], value);
        }
    }
}

/// Text being written; every name is one of the table.
#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    fn metric(&mut self, name: &'static str) {
        let metric = metric_of(name).expect("every series is of the table");
        let kind = if metric.kind == MetricKind::Counter { "counter" } else { "gauge" };
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", metric.doc);
        self.name = name;
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.text.push_str(self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(topic: &str, messages: u64) -> Report {
        let mut totals = Totals::default();
        totals[Flow::MessagesIn as usize] = messages;
        Report {
            traffic: totals,
            topics: BTreeMap::from([(topic.to_owned(), totals)]),
            partitions: BTreeMap::from([(
                (topic.to_owned(), messages as i32),
                LogFigures { start: 1, end: 9, bytes: 7 },
            )]),
            requests: BTreeMap::from([((0, 9), 2)]),
            errors: BTreeMap::from([((1, 6), messages)]),
            groups: [("classic", "Stable"), ("streams", "NotReady")]
                .map(|(kind, state)| ((kind.to_owned(), state.to_owned()), 1))
                .into(),
            offsets: 3,
            activity: GroupActivity { rebalances: 1, offset_commits: 5 },
            telemetry: TelemetryFigures { instances: 2, ..TelemetryFigures::default() },
        }
    }

    #[test]
    fn cores_are_added_up_under_kafkas_names() {
        let mut all = report("a", 1);
        all.merge(report("a", 2));
        all.merge(report("b", 4));
        let text = all.render();
        for line in [
            "# TYPE kafka_server_brokertopicmetrics_messagesin_total counter",
            "kafka_server_brokertopicmetrics_messagesin_total 7",
            "kafka_server_brokertopicmetrics_messagesin_total{topic=\"a\"} 3",
            "kafka_server_brokertopicmetrics_messagesin_total{topic=\"b\"} 4",
            "kafka_log_log_logendoffset{topic=\"a\",partition=\"2\"} 9",
            "kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"} 6",
            "kafka_network_requestmetrics_errors_total{request=\"Fetch\",error=\"NOT_LEADER_OR_FOLLOWER\"} 7",
            "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\"} 3",
            "kafka_server_group_coordinator_metrics_group_count{protocol=\"consumer\"} 0",
            "kafka_server_group_coordinator_metrics_group_count{protocol=\"streams\"} 3",
            "kafka_server_group_coordinator_metrics_streams_group_count{state=\"NotReady\"} 3",
            "kafka_server_group_coordinator_metrics_classic_group_count{state=\"Stable\"} 3",
            "kafka_coordinator_group_groupmetadatamanager_numoffsets 9",
            "kafka_server_group_coordinator_metrics_offset_commit_count 15",
            "kafka_server_client_metrics_instance_count 6",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn topics_beyond_the_bound_are_in_the_total_only() {
        let mut all = Report::default();
        for index in 0..=TOPICS_MAX {
            all.merge(report(&format!("topic{index:05}"), 1));
        }
        let text = all.render();
        let name = Flow::MessagesIn.metric();
        assert_eq!(text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count(), TOPICS_MAX);
        assert!(text.contains(&format!("{name} {}", TOPICS_MAX + 1)));
    }
}
