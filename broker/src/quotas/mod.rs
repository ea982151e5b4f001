//! Client quotas in force: what a client used is counted on one core, wherever its connections are, and who uses too much
//! is told how long to pause, and not read from that long (KIP-219).
//!
//! Without any quota a request costs one look. With one, it is one message to the core that counts and one back.

pub mod bucket;
pub mod connections;
pub mod limits;
pub mod mutations;
pub mod rate;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher;
use std::pin::pin;
use std::time::Duration;

use protocol::wire::Table;
use storage::runtime::{HashSet, Monotonic};

use crate::context::RequestContext;
use bucket::{Exhausted, TokenBucket};
use limits::{QuotaKind, Sharer, limit};
use rate::{Rate, Window};

/// Clients that one core counts. Beyond it those that used nothing lately go first, then any: a client that calls itself
/// anew with each request must not take memory.
const SHARERS_MAX: usize = 10_000;

/// Who every client is until there is authentication (KafkaPrincipal.ANONYMOUS).
const ANONYMOUS: &str = "ANONYMOUS";

/// What the clients used whose quotas this core counts.
#[derive(Default)]
pub struct QuotaCounters {
    rates: RefCell<BTreeMap<Sharer, Rate>>,
    buckets: RefCell<BTreeMap<Sharer, TokenBucket>>,
}

impl QuotaCounters {
    pub(crate) fn record(&self, sharer: Sharer, limit: f64, amount: f64, window: Window, now: Monotonic) -> Duration {
        let mut rates = self.rates.borrow_mut();
        if rates.len() >= SHARERS_MAX && !rates.contains_key(&sharer) {
            rates.retain(|_, rate| !rate.is_over(window, now));
            if rates.len() >= SHARERS_MAX {
                rates.pop_first();
            }
        }
        rates.entry(sharer).or_default().record(window, limit, amount, now)
    }

    /// Takes tokens from the sharer's bucket; see [`TokenBucket::take`].
    pub(crate) fn take(
        &self,
        sharer: &Sharer,
        limit: f64,
        amount: f64,
        exhausted: Exhausted,
        window: Window,
        now: Monotonic,
    ) -> Duration {
        let mut buckets = self.buckets.borrow_mut();
        if buckets.len() >= SHARERS_MAX && !buckets.contains_key(sharer) {
            buckets.retain(|_, bucket| !bucket.is_full(window, limit, now));
            if buckets.len() >= SHARERS_MAX {
                buckets.pop_first();
            }
        }
        let bucket = buckets.entry(sharer.clone()).or_insert_with(|| TokenBucket::full(window, limit, now));
        bucket.take(window, limit, amount, exhausted, now)
    }
}

/// The longest pause that a request of this client has earned so far.
#[derive(Debug, Default)]
pub struct Pause(Cell<Duration>);

impl Pause {
    fn at_least(&self, pause: Duration) {
        self.0.set(self.0.get().max(pause));
    }
}

/// Counts `amount` against the client's quota of `kind`; how long it must pause. Negative amounts are given back.
pub async fn charge(context: &RequestContext, kind: QuotaKind, amount: f64) -> Duration {
    let Some((sharer, limit)) = limit_of(context, kind) else { return Duration::ZERO };
    let window = window(context);
    let home = home_of(&sharer, context.shard.shards().cores());
    let recorded = context.shard.run_on(home, move |shard| {
        let now = shard.runtime().now();
        let pause = shard.quotas().record(sharer, limit, amount, window, now);
        Box::pin(std::future::ready(pause))
    });
    let pause = recorded.await.unwrap_or_default();
    // One request's time is never paid for with more than a sample of the window.
    let pause = if kind == QuotaKind::Request { pause.min(Duration::from_secs(window.sample_seconds)) } else { pause };
    context.pause.at_least(pause);
    pause
}

/// Bytes a fetch of this client may carry at most: an answer larger than the whole window could never be given.
pub fn fetch_bytes_max(context: &RequestContext) -> usize {
    match limit_of(context, QuotaKind::Fetch) {
        Some((_, limit)) => window(context).allowance(limit) as usize,
        None => usize::MAX,
    }
}

fn limit_of(context: &RequestContext, kind: QuotaKind) -> Option<(Sharer, f64)> {
    let image = context.shard.image();
    if image.quotas.is_empty() {
        return None;
    }
    limit(&image.quotas, kind, ANONYMOUS, context.client_id.as_deref().unwrap_or_default())
}

fn window(context: &RequestContext) -> Window {
    let config = context.shard.config();
    Window { samples: config.quota_samples, sample_seconds: config.quota_sample_seconds }
}

fn home_of(sharer: &Sharer, cores: usize) -> usize {
    let names = (sharer.kind as u8, &sharer.user, &sharer.client_id);
    // The same seed on every core.
    (HashSet::<()>::default().hasher().hash_one(names) % cores as u64) as usize
}

/// Runs a handler and tells how long it kept this core.
pub async fn timed<T>(context: &RequestContext, work: impl Future<Output = T>) -> (T, Duration) {
    if context.shard.image().quotas.is_empty() {
        return (work.await, Duration::ZERO);
    }
    let mut work = pin!(work);
    let mut spent = Duration::ZERO;
    let result = poll_fn(|waker| {
        let begun = context.shard.runtime().now();
        let polled = work.as_mut().poll(waker);
        spent += context.shard.runtime().now().since(begun);
        polled
    });
    let result = result.await;
    (result, spent)
}

/// Counts the time a request took, and puts the longest pause it earned into its answer and upon its connection.
pub async fn settle(context: &RequestContext, spent: Duration, response: &mut impl Table) {
    if !spent.is_zero() {
        charge(context, QuotaKind::Request, spent.as_secs_f64() * 100.0).await;
    }
    let pause = context.pause.0.get();
    if !pause.is_zero() {
        response.set_throttle_time_ms(i32::try_from(pause.as_millis()).unwrap_or(i32::MAX));
        context.connection.mute_until(context.shard.runtime().now().plus(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_up_by_clients_take_no_more_memory_than_the_bound() {
        let counters = QuotaCounters::default();
        let window = Window { samples: 2, sample_seconds: 1 };
        let sharer =
            |number: usize| Sharer { kind: QuotaKind::Fetch, user: None, client_id: Some(format!("client-{number}")) };
        for number in 0..SHARERS_MAX + 10 {
            counters.record(sharer(number), 1.0, 1.0, window, Monotonic(0));
        }
        assert_eq!(counters.rates.borrow().len(), SHARERS_MAX);
        let later = Monotonic(10_000_000_000);
        counters.record(sharer(SHARERS_MAX + 10), 1.0, 1.0, window, later);
        assert_eq!(counters.rates.borrow().len(), 1, "those that used nothing lately are forgotten");
    }
}
