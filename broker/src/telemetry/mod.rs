//! Metrics of clients (KIP-714): which of them a client is to push, how often, and what became of what it pushed.
//!
//! Subscriptions are configs in the metadata log. What is known of a client instance, and its series, are on one core,
//! a function of its id: a client may ask by one connection and push by another. Both are bounded, and forgotten when
//! nothing comes any more (ClientMetricsManager.java).

mod instances;
mod matching;
mod report;
mod series;
mod subscriptions;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use protocol::records::{CompressionType, decompress};
use protocol::{ErrorCode, Uuid};
use storage::runtime::Monotonic;

use crate::context::{ConnectionInfo, RequestContext};
use crate::metadata::MetadataImage;
use crate::shard::Shard;
use instances::{Instances, Push};
use series::Shelf;
use subscriptions::Subscriptions;

pub use matching::Matching;
pub use report::{TelemetryFigures, page};
pub use series::PushedSeries;
pub use subscriptions::Subscription;

/// Longest name and version of a client's software that is remembered, in bytes.
const SOFTWARE_BYTES_MAX: usize = 256;
/// The least time for which an instance or its series are kept after its last request.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);
/// As many push intervals as may pass without a request before they are forgotten.
const INTERVALS_KEPT: u32 = 3;

/// Name and version of a client's software, as its ApiVersions request told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSoftware {
    /// For example `apache-kafka-java`.
    pub name: String,
    /// For example `4.3.1`.
    pub version: String,
}

impl ClientSoftware {
    /// As told, cut to what is remembered.
    pub fn new(name: &str, version: &str) -> ClientSoftware {
        ClientSoftware { name: cut(name, SOFTWARE_BYTES_MAX), version: cut(version, SOFTWARE_BYTES_MAX) }
    }
}

impl Default for ClientSoftware {
    /// What Kafka calls a client that said nothing.
    fn default() -> ClientSoftware {
        ClientSoftware::new("unknown", "unknown")
    }
}

/// At most `bytes_max` bytes of `text`, whole characters.
fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

/// Who asks or pushes, as far as subscriptions can tell clients apart.
#[derive(Debug, Clone)]
pub struct Client {
    /// The id it was given or chose.
    pub instance_id: Uuid,
    /// As in the request's header.
    pub client_id: Option<String>,
    /// What it runs.
    pub software: ClientSoftware,
    /// Where it connects from.
    pub source: SocketAddr,
}

impl Client {
    /// Who sent this request.
    pub fn of(context: &RequestContext, instance_id: Uuid) -> Client {
        Client {
            instance_id,
            client_id: context.client_id.clone(),
            software: context.connection.software(),
            source: context.connection.peer,
        }
    }
}

/// What a client pushes.
pub struct Pushed {
    /// The subscription it was told.
    pub subscription_id: i32,
    /// This is the last push.
    pub terminating: bool,
    /// Codec, by id.
    pub compression_type: i8,
    /// OTLP, compressed.
    pub metrics: bytes::Bytes,
}

/// What one core knows of client instances.
#[derive(Default)]
pub struct Telemetry {
    subscriptions: RefCell<Subscriptions>,
    instances: RefCell<Instances>,
    shelf: RefCell<Shelf>,
    unknown_subscriptions: Cell<u64>,
    throttled: Cell<u64>,
    exported: Cell<u64>,
    failed: Cell<u64>,
}

/// The core that knows this instance.
pub fn home_of(instance_id: Uuid, cores: usize) -> usize {
    (u128::from_be_bytes(instance_id.0) % cores as u128) as usize
}

/// The connection by which instances were known is gone: the next by its id begins anew.
pub async fn disconnected(shard: &Rc<Shard>, connection: &ConnectionInfo) {
    let Some(instance_id) = connection.telemetry_instance.get() else { return };
    let home = home_of(instance_id, shard.shards().cores());
    let forgotten = shard.run_on(home, move |shard| {
        shard.telemetry().instances.borrow_mut().forget(instance_id);
        Box::pin(std::future::ready(()))
    });
    // A core that is gone has forgotten it as well.
    let _ = forgotten.await;
}

impl Telemetry {
    /// What `client` is to push. THROTTLING_QUOTA_EXCEEDED when it asks before its interval is over, unless it was told
    /// to ask.
    pub fn subscribe(
        &self,
        image: &MetadataImage,
        client: &Client,
        limits: Limits,
        now: Monotonic,
    ) -> Result<Subscription, ErrorCode> {
        let mut subscriptions = self.subscriptions.borrow_mut();
        let version = subscriptions.refresh(image);
        let subscription = subscriptions.select(client);
        let mut instances = self.instances.borrow_mut();
        let instance = instances.visit(client.instance_id, version, limits.instances_max, now, || subscription.terms());
        instance.ask(now).inspect_err(|_| self.throttled.set(self.throttled.get() + 1))?;
        // The client's address may have changed since the terms were made, and with it what is wanted of it.
        instance.set_terms(subscription.terms());
        Ok(subscription)
    }

    /// Takes a push: NONE, or the code to answer it with.
    pub fn push(
        &self,
        image: &MetadataImage,
        client: &Client,
        pushed: &Pushed,
        limits: Limits,
        now: Monotonic,
    ) -> ErrorCode {
        let mut subscriptions = self.subscriptions.borrow_mut();
        let version = subscriptions.refresh(image);
        let mut instances = self.instances.borrow_mut();
        let terms = || subscriptions.select(client).terms();
        let instance = instances.visit(client.instance_id, version, limits.instances_max, now, terms);
        let push = Push {
            subscription_id: pushed.subscription_id,
            terminating: pushed.terminating,
            compression_type: pushed.compression_type,
            bytes: pushed.metrics.len(),
        };
        let interval = instance.push_interval();
        let taken = instance.accept(&push, limits.bytes_max, now).and_then(|()| {
            if pushed.metrics.is_empty() { Ok(()) } else { self.export(client, pushed, limits, interval, now) }
        });
        let code = taken.err().unwrap_or(ErrorCode::NONE);
        instance.set_last_error(code);
        self.count(code);
        code
    }

    fn export(
        &self,
        client: &Client,
        pushed: &Pushed,
        limits: Limits,
        interval: Duration,
        now: Monotonic,
    ) -> Result<(), ErrorCode> {
        let mut shelf = self.shelf.borrow_mut();
        let series = read(client, pushed, limits.bytes_max, shelf.get(client.instance_id)).map_err(|error| {
            tracing::debug!(client = %client.instance_id, %error, "metrics of a client cannot be read");
            ErrorCode::INVALID_RECORD
        })?;
        shelf.put(client.instance_id, series, limits.series_bytes_max, now, kept(interval));
        self.exported.set(self.exported.get() + 1);
        Ok(())
    }

    fn count(&self, code: ErrorCode) {
        let counter = match code {
            ErrorCode::UNKNOWN_SUBSCRIPTION_ID => &self.unknown_subscriptions,
            ErrorCode::THROTTLING_QUOTA_EXCEEDED => &self.throttled,
            ErrorCode::INVALID_RECORD => &self.failed,
            _ => return,
        };
        counter.set(counter.get() + 1);
    }

    /// Forgets what nobody has asked or pushed for lately.
    pub fn expire(&self, now: Monotonic) {
        self.instances.borrow_mut().expire(now);
        self.shelf.borrow_mut().expire(now);
    }

    /// What it did and knows.
    pub fn figures(&self) -> TelemetryFigures {
        let shelf = self.shelf.borrow();
        TelemetryFigures {
            instances: self.instances.borrow().len() as u64,
            unknown_subscriptions: self.unknown_subscriptions.get(),
            throttled: self.throttled.get(),
            exported: self.exported.get(),
            failed: self.failed.get(),
            series: shelf.series_count() as u64,
            left_out: shelf.left_out(),
        }
    }

    /// What clients pushed last.
    pub fn series(&self) -> Vec<std::sync::Arc<PushedSeries>> {
        self.shelf.borrow().all()
    }
}

/// Bounds of one core.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Client instances known at a time.
    pub instances_max: usize,
    /// Bytes of one push, as it comes and as it unfolds (`telemetry.max.bytes`).
    pub bytes_max: usize,
    /// Bytes of all series kept.
    pub series_bytes_max: usize,
}

impl Limits {
    /// Client instances of a broker, as many as Kafka's (ClientMetricsManager.java: CACHE_MAX_SIZE).
    const INSTANCES_MAX: usize = 16_384;
    /// Memory of a broker for names, labels and values that clients pushed.
    const SERIES_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// A core's part of it, at least: two clients that push as much as one may.
    const SERIES_BYTES_MIN: usize = 2 * series::CLIENT_BYTES_MAX;

    /// Those of this core.
    pub fn of(shard: &Shard) -> Limits {
        let cores = shard.shards().cores();
        Limits {
            instances_max: Self::INSTANCES_MAX.div_ceil(cores),
            bytes_max: shard.config().telemetry_bytes_max,
            series_bytes_max: (Self::SERIES_BYTES_MAX / cores).max(Self::SERIES_BYTES_MIN),
        }
    }
}

fn kept(interval: Duration) -> Duration {
    (interval * INTERVALS_KEPT).max(KEPT_AT_LEAST)
}

fn read(
    client: &Client,
    pushed: &Pushed,
    bytes_max: usize,
    before: Option<&PushedSeries>,
) -> Result<PushedSeries, String> {
    let codec = u8::try_from(pushed.compression_type).map_err(|error| error.to_string())?;
    let codec = CompressionType::from_id(codec).map_err(|error| error.to_string())?;
    let data = decompress(codec, &pushed.metrics, bytes_max).map_err(|error| error.to_string())?;
    PushedSeries::read(client, &data, before).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
