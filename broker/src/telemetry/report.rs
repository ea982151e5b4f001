//! What operators see of client metrics: figures among the broker's own, and a page of what clients pushed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::series::{PushedSeries, Sample};

/// What one core did for client metrics, or all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TelemetryFigures {
    /// Client instances that are known.
    pub instances: u64,
    /// Pushes for a subscription that is not, or no longer, the client's.
    pub unknown_subscriptions: u64,
    /// Requests that came too early.
    pub throttled: u64,
    /// Pushes whose series are, or were, served.
    pub exported: u64,
    /// Pushes that could not be read.
    pub failed: u64,
    /// Series that are served.
    pub series: u64,
    /// Series that were pushed and are not, or no longer, served for want of room.
    pub left_out: u64,
}

impl TelemetryFigures {
    /// Each figure with its metric.
    pub fn rows(&self) -> [(&'static str, u64); 7] {
        [
            ("kafka_server_client_metrics_instance_count", self.instances),
            ("kafka_server_client_metrics_unknown_subscription_request_count", self.unknown_subscriptions),
            ("kafka_server_client_metrics_throttle_count", self.throttled),
            ("kafka_server_client_metrics_plugin_export_count", self.exported),
            ("kafka_server_client_metrics_plugin_error_count", self.failed),
            ("msgloop_client_series", self.series),
            ("msgloop_client_series_left_out_total", self.left_out),
        ]
    }

    /// Adds another core's.
    pub fn add(&mut self, other: &TelemetryFigures) {
        self.instances += other.instances;
        self.unknown_subscriptions += other.unknown_subscriptions;
        self.throttled += other.throttled;
        self.exported += other.exported;
        self.failed += other.failed;
        self.series += other.series;
        self.left_out += other.left_out;
    }
}

/// Metric with one series a client, which says more about it.
const CLIENT_INFO: &str = "msgloop_client_info";

/// Who pushed a metric, and its samples by their labels.
type Pushed<'a> = (&'a PushedSeries, &'a BTreeMap<String, Sample>);

/// What `clients` pushed, in Prometheus' text form: the series of a metric together, each with the labels of its client.
pub fn page(clients: &[Arc<PushedSeries>]) -> String {
    let mut text = format!("# HELP {CLIENT_INFO} 1 for each client that pushes metrics.\n# TYPE {CLIENT_INFO} gauge\n");
    for client in clients {
        let _ = writeln!(text, "{CLIENT_INFO}{{{},{}}} 1", client.identity, client.about);
    }
    let mut by_name: BTreeMap<&str, Vec<Pushed<'_>>> = BTreeMap::new();
    for client in clients {
        for (name, samples) in client.samples.iter().filter(|(name, _)| *name != CLIENT_INFO) {
            by_name.entry(name).or_default().push((client, samples));
        }
    }
    for (name, clients) in by_name {
        let mut samples = clients.iter().flat_map(|(_, samples)| samples.values());
        // A name has one type; clients that disagree about it are shown under that of the first.
        let kind = if samples.next().is_some_and(|sample| sample.is_counter) { "counter" } else { "gauge" };
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for (client, samples) in clients {
            for (labels, sample) in samples {
                let comma = if labels.is_empty() { "" } else { "," };
                let _ = writeln!(text, "{name}{{{}{comma}{labels}}} {}", client.identity, number(sample.value));
            }
        }
    }
    text
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
