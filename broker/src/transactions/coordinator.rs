//! One core's coordinator: carries out what the state machines of its `__transaction_state` partitions ask for, and what
//! happens to them by the clock.

use std::rc::Rc;
use std::time::Duration;

use protocol::ErrorCode;

use super::effects::{Append, Effects};
use super::settings::TransactionSettings;
use super::state::{Producer, Refusal, TransactionState};
use super::{TopicPartition, markers};
use crate::config::BrokerConfig;
use crate::coordinator::{Driven, Home, Homes};
use crate::shard::Shard;

/// A `__transaction_state` partition on its core.
pub type TransactionHome = Home<TransactionState>;
/// The `__transaction_state` partitions of a core, and the way to a transactional id.
pub type TransactionHomes = Homes<TransactionState>;

/// Read at a time while a partition is loaded.
const LOAD_BYTES_MAX: usize = 1024 * 1024;
/// Before a completion whose record was refused is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Driven for TransactionState {
    const IN_HURRY: bool = true;

    fn homes(shard: &Shard) -> &TransactionHomes {
        shard.transactions()
    }

    fn empty(shard: &Shard) -> TransactionState {
        TransactionState::new(TransactionSettings::of(&shard.config()))
    }

    fn load_bytes_max(_: &BrokerConfig) -> usize {
        LOAD_BYTES_MAX
    }

    fn write_timeout_ms(config: &BrokerConfig) -> i64 {
        config.request_timeout_ms
    }

    fn carry_out(shard: &Rc<Shard>, home: &Rc<TransactionHome>, effects: Effects) -> Vec<Append> {
        for ended in effects.ended {
            let (home, on) = (home.clone(), shard.clone());
            shard.runtime().spawn(async move { markers::deliver(on, home, ended).await });
        }
        for id in effects.retries {
            let (home, on) = (home.clone(), shard.clone());
            shard.runtime().spawn(async move {
                on.runtime().sleep(RETRY_AFTER).await;
                // Closed meanwhile: the next start completes it.
                let _ = home.change(&on, |state, _, effects| state.retry_completion(&id, effects));
            });
        }
        effects.appends
    }
}

impl TransactionHome {
    /// Makes a change that may need a fresh producer id, and waits until it is durable.
    pub async fn change_with_id<T>(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        change: impl Fn(&mut TransactionState, Option<i64>, i64, &mut Effects) -> Result<T, Refusal>,
    ) -> Result<T, ErrorCode> {
        let mut fresh_id = None;
        loop {
            let made = self.change(shard, |state, now_ms, effects| change(state, fresh_id, now_ms, effects))?;
            match made {
                (Ok(answer), settled) => return settled.wait(shard).await.map(|()| answer),
                (Err(Refusal::Code(code)), _) => return Err(code),
                (Err(Refusal::NeedsProducerId), _) => {}
            }
            let id = shard.producer_ids().next(shard).await.map_err(|error| {
                tracing::error!(%error, "no producer id can be reserved");
                ErrorCode::COORDINATOR_NOT_AVAILABLE
            })?;
            fresh_id = Some(id);
        }
    }

    /// Adds partitions to a transaction, durably. Where the transaction before it is about to be complete, this waits for
    /// that as long as Kafka's leaders do (`add.partitions.to.txn.retry.backoff.max.ms`) instead of having the client come
    /// again.
    pub async fn add_partitions(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        client_version: i16,
    ) -> Result<(), ErrorCode> {
        let patience = Duration::from_millis(shard.config().add_partitions_retry_ms_max);
        let deadline = shard.runtime().now().plus(patience);
        loop {
            // Before the attempt, so that what settles right after it is not missed.
            let mut settled = std::pin::pin!(self.next_settled());
            settled.as_mut().enable();
            let (added, durable) = self.change(shard, |state, now_ms, effects| {
                state.add_partitions(transactional_id, producer, partitions, client_version, now_ms, effects)
            })?;
            let left = deadline.since(shard.runtime().now());
            if added != Err(ErrorCode::CONCURRENT_TRANSACTIONS) || left.is_zero() {
                added?;
                return durable.wait(shard).await;
            }
            // Whether it settled or the time is over: the next attempt tells.
            let _ = shard.runtime().timeout(left, settled).await;
        }
    }
}

/// Aborts transactions that are open for too long and forgets unused transactional ids, until the broker stops.
pub async fn keep_time(shard: Rc<Shard>) {
    let mut expired = shard.runtime().now();
    while !shard.stopping().is_set() {
        let config = shard.config();
        let every = Duration::from_millis(config.transaction_abort_interval_ms);
        tokio::select! {
            biased;
            () = shard.stopping().wait() => return,
            () = shard.runtime().sleep(every) => {}
        }
        for home in shard.transactions().all() {
            abort_timed_out(&shard, &home).await;
        }
        let now = shard.runtime().now();
        if now.since(expired) >= Duration::from_millis(config.transactional_id_removal_interval_ms) {
            expired = now;
            for home in shard.transactions().all() {
                // One that is being read has its turn the next time.
                let _ = home.change(&shard, |state, now_ms, effects| state.expire(now_ms, effects));
            }
        }
    }
}

async fn abort_timed_out(shard: &Rc<Shard>, home: &Rc<TransactionHome>) {
    let now_ms = shard.runtime().wall_clock_ms();
    for id in home.read(|state| state.timed_out(now_ms)).unwrap_or_default() {
        let aborted = home.change_with_id(shard, |state, fresh_id, now_ms, effects| {
            state.abort_timed_out(&id, fresh_id, now_ms, effects)
        });
        match aborted.await {
            Ok(()) => tracing::info!(transactional_id = %id, "aborted: it was open for too long"),
            Err(error_code) => tracing::warn!(transactional_id = %id, %error_code, "a late transaction is not aborted"),
        }
    }
}
