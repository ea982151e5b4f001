//! What clients pushed, as series of Prometheus, and the shelf of a core that keeps the last push of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use protocol::Uuid;
use protocol::otlp::{self, Attributes, OtlpError, Point, PointKind};
use storage::runtime::{HashMap, Monotonic};

use super::matching::address;
use super::{Client, cut};

/// Points looked at in one push, and series kept of one client; what it pushes beyond is counted and left out.
const SERIES_MAX: usize = 2_000;
/// Memory for the series of one client.
pub(super) const CLIENT_BYTES_MAX: usize = 512 * 1024;
/// Longest name of a metric, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// All labels of a series together, in bytes.
const LABELS_BYTES_MAX: usize = 1024;
/// Longest label that only describes a client, in bytes; longer ones are cut.
const ABOUT_BYTES_MAX: usize = 256;
/// Attributes that describe a client beside those the broker knows.
const RESOURCE_ATTRIBUTES_MAX: usize = 16;
/// What a series takes beside its texts, about.
const SERIES_BYTES: usize = 112;

/// A value and what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) is_counter: bool,
    /// It goes on from push to push: what comes is added.
    is_sum_of_deltas: bool,
    pub(super) value: f64,
}

/// Everything one client pushed last.
#[derive(Debug, Default)]
pub struct PushedSeries {
    /// Labels that say which client this is, in every series.
    pub(super) identity: String,
    /// Labels that say more about it.
    pub(super) about: String,
    /// By name, then by labels.
    pub(super) samples: BTreeMap<String, BTreeMap<String, Sample>>,
    points: usize,
    series: usize,
    bytes: usize,
    left_out: u64,
}

impl PushedSeries {
    /// Reads a push. Sums that come as differences are added to what was there `before`.
    pub(super) fn read(client: &Client, data: &[u8], before: Option<&PushedSeries>) -> Result<PushedSeries, OtlpError> {
        let mut series = PushedSeries { identity: identity(client), ..PushedSeries::default() };
        let mut resource = None;
        otlp::walk(data, &mut |point| {
            resource.get_or_insert(point.resource);
            series.take(&point, before);
        })?;
        series.about = about(client, resource.unwrap_or_default());
        series.keep_sums(before);
        series.bytes += series.identity.len() + series.about.len();
        Ok(series)
    }

    fn take(&mut self, point: &Point<'_>, before: Option<&PushedSeries>) {
        self.points += 1;
        if self.points > SERIES_MAX {
            self.left_out += 1;
            return;
        }
        let (is_counter, is_sum_of_deltas) = match point.kind {
            PointKind::Gauge => (false, false),
            PointKind::Sum { is_monotonic, is_delta } => (is_monotonic, is_delta),
        };
        let name = name_of(point.metric, is_counter);
        let labels = labels_of(point.attributes, LABELS_BYTES_MAX);
        let (Some(name), Some(labels)) = (name, labels) else {
            self.left_out += 1;
            return;
        };
        let so_far = if is_sum_of_deltas { before.and_then(|before| before.sum(&name, &labels)) } else { None };
        let value = point.value + so_far.unwrap_or_default();
        self.insert(name, labels, Sample { is_counter, is_sum_of_deltas, value });
    }

    fn insert(&mut self, name: String, labels: String, sample: Sample) {
        let bytes = name.len() + labels.len() + SERIES_BYTES;
        if self.series >= SERIES_MAX || self.bytes + bytes > CLIENT_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        if self.samples.entry(name).or_default().insert(labels, sample).is_none() {
            self.series += 1;
            self.bytes += bytes;
        }
    }

    fn sum(&self, name: &str, labels: &str) -> Option<f64> {
        let sample = self.samples.get(name)?.get(labels)?;
        sample.is_sum_of_deltas.then_some(sample.value)
    }

    /// A client need not tell of sums to which nothing was added.
    fn keep_sums(&mut self, before: Option<&PushedSeries>) {
        let Some(before) = before else { return };
        for (name, samples) in &before.samples {
            for (labels, sample) in samples.iter().filter(|(_, sample)| sample.is_sum_of_deltas) {
                if self.sum(name, labels).is_none() {
                    self.insert(name.clone(), labels.clone(), *sample);
                }
            }
        }
    }
}

/// Dots and whatever else Prometheus does not take become underscores; counters end with `_total`, as OpenTelemetry
/// wants it. `None` for a name that is empty or too long.
fn name_of(metric: &str, is_counter: bool) -> Option<String> {
    if metric.is_empty() || metric.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = plain(metric);
    Some(if is_counter && !name.ends_with("_total") { name + "_total" } else { name })
}

/// Letters, digits and underscores, not a digit first.
fn plain(text: &str) -> String {
    let allowed = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let name: String = text.chars().map(allowed).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// In the order of their names, each once; `None` when they are too long. Those that say who pushes are the broker's.
fn labels_of(attributes: Attributes<'_>, bytes_max: usize) -> Option<String> {
    let mut labels = BTreeMap::new();
    let mut bytes = 0;
    for (key, value) in attributes.iter() {
        let name = plain(key);
        if name.is_empty() || IDENTITY.contains(&name.as_str()) {
            continue;
        }
        let value = value.to_string();
        bytes += name.len() + value.len();
        if bytes > bytes_max {
            return None;
        }
        labels.entry(name).or_insert(value);
    }
    let mut text = String::new();
    labels.iter().for_each(|(name, value)| label(&mut text, name, value));
    Some(text)
}

const IDENTITY: [&str; 2] = ["client_instance_id", "client_id"];

fn identity(client: &Client) -> String {
    let mut text = String::new();
    label(&mut text, IDENTITY[0], &client.instance_id.to_string());
    label(&mut text, IDENTITY[1], &cut(client.client_id.as_deref().unwrap_or_default(), ABOUT_BYTES_MAX));
    text
}

fn about(client: &Client, resource: Attributes<'_>) -> String {
    let mut text = String::new();
    let known = [
        ("client_software_name", client.software.name.clone()),
        ("client_software_version", client.software.version.clone()),
        ("client_source_address", address(client.source.ip())),
    ];
    known.iter().for_each(|(name, value)| label(&mut text, name, value));
    let mut names: BTreeSet<String> =
        IDENTITY.into_iter().chain(known.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    for (key, value) in resource.iter().take(RESOURCE_ATTRIBUTES_MAX) {
        let name = cut(&plain(key), ABOUT_BYTES_MAX);
        if !name.is_empty() && names.insert(name.clone()) {
            label(&mut text, &name, &cut(&value.to_string(), ABOUT_BYTES_MAX));
        }
    }
    text
}

fn label(text: &mut String, name: &str, value: &str) {
    let comma = if text.is_empty() { "" } else { "," };
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let _ = write!(text, "{comma}{name}=\"{value}\"");
}

struct Shelved {
    series: Arc<PushedSeries>,
    pushed: Monotonic,
    kept: Duration,
}

/// The last push of each client, in bounded memory.
#[derive(Default)]
pub(super) struct Shelf {
    clients: HashMap<Uuid, Shelved>,
    by_push: BTreeSet<(Monotonic, Uuid)>,
    bytes: usize,
    left_out: u64,
}

impl Shelf {
    pub(super) fn get(&self, id: Uuid) -> Option<&PushedSeries> {
        self.clients.get(&id).map(|shelved| &*shelved.series)
    }

    /// Keeps a push for `kept`. Beyond `bytes_max` those go that were pushed longest ago.
    pub(super) fn put(&mut self, id: Uuid, series: PushedSeries, bytes_max: usize, now: Monotonic, kept: Duration) {
        self.remove(id);
        self.left_out += series.left_out;
        while self.bytes + series.bytes > bytes_max
            && let Some((_, oldest)) = self.by_push.first().copied()
        {
            self.left_out += self.remove(oldest) as u64;
        }
        self.bytes += series.bytes;
        self.by_push.insert((now, id));
        self.clients.insert(id, Shelved { series: Arc::new(series), pushed: now, kept });
    }

    /// The number of series that are gone with it.
    fn remove(&mut self, id: Uuid) -> usize {
        let Some(shelved) = self.clients.remove(&id) else { return 0 };
        self.by_push.remove(&(shelved.pushed, id));
        self.bytes -= shelved.series.bytes;
        shelved.series.series
    }

    pub(super) fn expire(&mut self, now: Monotonic) {
        let is_over = |shelved: &Shelved| now.since(shelved.pushed) >= shelved.kept;
        let over: Vec<Uuid> = self.clients.iter().filter(|(_, shelved)| is_over(shelved)).map(|(id, _)| *id).collect();
        for id in over {
            self.remove(id);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<PushedSeries>> {
        self.clients.values().map(|shelved| shelved.series.clone()).collect()
    }

    pub(super) fn series_count(&self) -> usize {
        self.clients.values().map(|shelved| shelved.series.series).sum()
    }

    /// Series that came and are not kept, for want of room.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}
