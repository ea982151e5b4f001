//! What clients are asked to push: the client metrics subscriptions of the metadata, made ready to be matched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use protocol::Uuid;
use storage::Offset;

use super::{Client, Matching};
use crate::config::{Settings, Values, split_list, table};
use crate::metadata::{MetadataImage, ResourceKind};

/// How often a client pushes that no subscription is for (ClientMetricsConfigs.java: INTERVAL_MS_DEFAULT).
const INTERVAL_MS_DEFAULT: i32 = 5 * 60 * 1000;
/// A client that is to push this pushes everything.
const ALL_METRICS: &str = "*";

/// What one client is to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Changes whenever anything of it does.
    pub id: i32,
    /// Prefixes of names; `*` alone for all.
    pub metrics: Vec<String>,
    /// How often.
    pub push_interval_ms: i32,
}

/// What is remembered of a subscription once it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) subscription_id: i32,
    pub(super) push_interval: Duration,
}

impl Subscription {
    pub(super) fn terms(&self) -> Terms {
        let push_interval = Duration::from_millis(self.push_interval_ms.unsigned_abs().into());
        Terms { subscription_id: self.id, push_interval }
    }
}

struct Prepared {
    name: String,
    values: Arc<Values>,
    metrics: Vec<String>,
    interval_ms: i32,
    matching: Option<Matching>,
}

/// All subscriptions, as of the last image that was looked at.
#[derive(Default)]
pub(super) struct Subscriptions {
    looked_at: Option<Offset>,
    version: u64,
    prepared: Vec<Prepared>,
}

impl Subscriptions {
    /// Takes over what `image` says; the number of times that this was something new.
    pub(super) fn refresh(&mut self, image: &MetadataImage) -> u64 {
        if self.looked_at == Some(image.next_offset) {
            return self.version;
        }
        self.looked_at = Some(image.next_offset);
        let of_clients = || image.configs.iter().filter(|(resource, _)| resource.kind == ResourceKind::ClientMetrics);
        let is_known = |(known, (resource, values)): (&Prepared, (&crate::metadata::ResourceId, &Arc<Values>))| {
            known.name == resource.name && Arc::ptr_eq(&known.values, values)
        };
        if of_clients().count() == self.prepared.len() && self.prepared.iter().zip(of_clients()).all(is_known) {
            return self.version;
        }
        self.prepared = of_clients().map(|(resource, values)| prepare(&resource.name, values)).collect();
        self.version += 1;
        self.version
    }

    /// What all subscriptions that are for `client` want of it, at the shortest of their intervals.
    pub(super) fn select(&self, client: &Client) -> Subscription {
        let (mut metrics, mut interval_ms) = (BTreeSet::new(), INTERVAL_MS_DEFAULT);
        let is_for = |matching: &Matching| matching.covers(client);
        for subscription in
            self.prepared.iter().filter(|subscription| subscription.matching.as_ref().is_some_and(is_for))
        {
            metrics.extend(subscription.metrics.iter().map(String::as_str));
            interval_ms = interval_ms.min(subscription.interval_ms);
        }
        if metrics.contains(ALL_METRICS) {
            metrics = BTreeSet::from([ALL_METRICS]);
        }
        let metrics: Vec<String> = metrics.into_iter().map(str::to_owned).collect();
        Subscription { id: id(&metrics, interval_ms, client.instance_id), metrics, push_interval_ms: interval_ms }
    }
}

fn prepare(name: &str, values: &Arc<Values>) -> Prepared {
    let value = |name: &str| {
        let config = table::client_metrics_config(name).expect("configs are read by names of the table");
        Settings::default().resolve(config, values).unwrap_or_default()
    };
    let patterns = value("match");
    Prepared {
        name: name.to_owned(),
        values: values.clone(),
        metrics: split_list(&value("metrics")).into_iter().map(str::to_owned).collect(),
        interval_ms: value("interval.ms").parse().unwrap_or(INTERVAL_MS_DEFAULT),
        // Checked when they were set. If an earlier version took more of them, nobody is meant rather than everybody.
        matching: Matching::parse(&split_list(&patterns)).ok(),
    }
}

/// CRC-32C of what is wanted, mixed with who is asked, as Kafka makes it.
fn id(metrics: &[String], interval_ms: i32, instance_id: Uuid) -> i32 {
    let wanted = format!("[{}]{interval_ms}", metrics.join(", "));
    let client = u128::from_be_bytes(instance_id.0);
    let folded = (client >> 96) ^ (client >> 64) ^ (client >> 32) ^ client;
    (crc32c::crc32c(wanted.as_bytes()) ^ folded as u32).cast_signed()
}
