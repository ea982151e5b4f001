//! One `__transaction_state` partition on its core: its state machine, from being read to being closed, and what its
//! changes ask for.
//!
//! Appends need no order among each other: a transactional id has one on its way at most. Each is a batch of its own, and
//! the write-ahead log gathers them into its commits.
//!
//! **Growth.** The topic is `cleanup.policy=compact` and has no retention. So that a start does not read all of its past,
//! the coordinator writes everything alive anew once the log has grown by [`REWRITE_BYTES_MIN`] and several times what is
//! alive, and cuts the log before it. Appends wait meanwhile: one that came between would be undone by the older state.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::records::{BatchBuilder, BatchHeader, Compression};
use storage::{LogId, StorageError};
use thiserror::Error;
use tokio::sync::{Notify, RwLock, oneshot};

use super::TopicPartition;
use super::effects::{Append, Effects};
use super::loading;
use super::markers;
use super::records::TransactionRecord;
use super::settings::TransactionSettings;
use super::state::{Producer, Refusal, TransactionState};
use crate::error::{coordinator_code, coordinator_storage_code};
use crate::partition::Partition;
use crate::shard::Shard;

/// A batch is closed when it has reached this size; only a rewrite makes more than one.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Growth before a rewrite is thought of.
const REWRITE_BYTES_MIN: u64 = 32 * 1024 * 1024;
/// How much larger than what is alive the log may be.
const REWRITE_RATIO: u64 = 4;
/// Before a completion whose record was refused is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether a partition's transactions can be asked.
enum Phase {
    /// The log is being read.
    Loading,
    /// In charge.
    Active(TransactionState),
    /// The log cannot be read, or the partition was taken away.
    Closed,
}

/// When everything one change asked for is durable.
#[must_use]
pub struct Settled(Vec<oneshot::Receiver<Result<(), ErrorCode>>>);

impl Settled {
    /// Waits for `request.timeout.ms` at most; the code is the one clients are to see. What took too long may still
    /// become durable: clients say it again.
    pub async fn wait(self, shard: &Shard) -> Result<(), ErrorCode> {
        let timeout_ms = u64::try_from(shard.config().request_timeout_ms).unwrap_or(0);
        let settled = shard.runtime().timeout(Duration::from_millis(timeout_ms), self.all()).await;
        settled.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))
    }

    async fn all(self) -> Result<(), ErrorCode> {
        for done in self.0 {
            done.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))?;
        }
        Ok(())
    }
}

/// Why records were not written.
#[derive(Debug, Error)]
enum WriteError {
    #[error(transparent)]
    Append(#[from] storage::AppendError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Batch(#[from] protocol::records::BatchError),
    #[error(transparent)]
    Cut(#[from] storage::log::ReadError),
}

impl WriteError {
    fn code(&self) -> ErrorCode {
        match self {
            WriteError::Append(error) => coordinator_code(error),
            WriteError::Storage(error) | WriteError::Cut(storage::log::ReadError::Storage(error)) => {
                coordinator_storage_code(error)
            }
            WriteError::Batch(_) | WriteError::Cut(storage::log::ReadError::OffsetOutOfRange) => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
        }
    }
}

/// One `__transaction_state` partition on its core.
pub struct Home {
    partition: Rc<Partition>,
    phase: RefCell<Phase>,
    /// Something settled: a change that was refused because of another one on its way may be tried again.
    settled: Notify,
    /// Held by appends until they are settled, and by a rewrite alone.
    turn: RwLock<()>,
    /// Bytes in the log since everything alive was written anew.
    grown_bytes: Cell<u64>,
}

impl Home {
    /// Takes charge of a partition: at once if it is empty, else when its log has been read.
    pub(super) fn open(shard: &Rc<Shard>, partition: Rc<Partition>) -> Rc<Home> {
        let empty = partition.log().log_start_offset() == partition.log().log_end_offset();
        let settings = TransactionSettings::of(&shard.config());
        let phase = if empty { Phase::Active(TransactionState::new(settings)) } else { Phase::Loading };
        let home = Rc::new(Home {
            partition,
            phase: RefCell::new(phase),
            settled: Notify::new(),
            turn: RwLock::new(()),
            grown_bytes: Cell::new(0),
        });
        if !empty {
            let (loading, on) = (home.clone(), shard.clone());
            shard.runtime().spawn(async move { loading.load(&on).await });
        }
        home
    }

    /// Topic id and number of the partition.
    pub fn id(&self) -> LogId {
        self.partition.id()
    }

    /// The epoch that markers are written under: that of the partition's leader.
    pub fn coordinator_epoch(&self) -> i32 {
        self.partition.leader_epoch().0
    }

    /// Whether the partition was taken away, or cannot be read.
    pub fn is_closed(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Closed)
    }

    async fn load(self: &Rc<Home>, shard: &Rc<Shard>) {
        let log = self.partition.log();
        let started = shard.runtime().now();
        let loaded = loading::load(log, TransactionSettings::of(&shard.config()), shard.runtime()).await;
        let mut effects = Effects::default();
        match (loaded, &mut *self.phase.borrow_mut()) {
            (Ok(mut state), phase @ Phase::Loading) => {
                state.loaded(shard.runtime().wall_clock_ms(), &mut effects);
                let took_ms = shard.runtime().now().since(started).as_millis() as u64;
                let (ids, completing) = (state.len(), effects.ended.len());
                tracing::info!(partition = self.id().partition, ids, completing, took_ms, "transactions loaded");
                *phase = Phase::Active(state);
            }
            (Err(error), phase @ Phase::Loading) => {
                // Kept closed: starting anew without the records would leave transactions open for good.
                tracing::error!(partition = self.id().partition, %error, "the transactions cannot be loaded");
                *phase = Phase::Closed;
            }
            // Taken away meanwhile.
            (_, Phase::Active(_) | Phase::Closed) => {}
        }
        self.grown_bytes.set(log.bytes());
        let _ = self.carry_out(shard, effects);
    }

    /// Reads the state.
    pub fn read<T>(&self, read: impl FnOnce(&TransactionState) -> T) -> Result<T, ErrorCode> {
        match &*self.phase.borrow() {
            Phase::Loading => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => Ok(read(state)),
            Phase::Closed => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Changes the state and does what that asks for; answer clients when [`Settled`] is.
    pub fn change<T>(
        self: &Rc<Home>,
        shard: &Rc<Shard>,
        change: impl FnOnce(&mut TransactionState, i64, &mut Effects) -> T,
    ) -> Result<(T, Settled), ErrorCode> {
        let mut effects = Effects::default();
        let result = match &mut *self.phase.borrow_mut() {
            Phase::Loading => return Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => change(state, shard.runtime().wall_clock_ms(), &mut effects),
            Phase::Closed => return Err(ErrorCode::NOT_COORDINATOR),
        };
        Ok((result, self.carry_out(shard, effects)))
    }

    /// Makes a change that may need a fresh producer id, and waits until it is durable.
    pub async fn change_with_id<T>(
        self: &Rc<Home>,
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
        self: &Rc<Home>,
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
            let mut settled = std::pin::pin!(self.settled.notified());
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

    fn carry_out(self: &Rc<Home>, shard: &Rc<Shard>, effects: Effects) -> Settled {
        for ended in effects.ended {
            let (home, on) = (self.clone(), shard.clone());
            shard.runtime().spawn(async move { markers::deliver(on, home, ended).await });
        }
        for id in effects.retries {
            let (home, on) = (self.clone(), shard.clone());
            shard.runtime().spawn(async move {
                on.runtime().sleep(RETRY_AFTER).await;
                // Closed meanwhile: the next start completes it.
                let _ = home.change(&on, |state, now_ms, effects| state.retry_completion(&id, now_ms, effects));
            });
        }
        let written = effects.appends.into_iter().map(|append| {
            let (done, receiver) = oneshot::channel();
            let (home, on) = (self.clone(), shard.clone());
            shard.runtime().spawn(async move { home.write(&on, append, done).await });
            receiver
        });
        Settled(written.collect())
    }

    async fn write(self: &Rc<Home>, shard: &Rc<Shard>, append: Append, done: oneshot::Sender<Result<(), ErrorCode>>) {
        let turn = self.turn.read().await;
        let outcome = self.append_all(shard, &append.records).await.map(drop).map_err(|error| {
            tracing::error!(partition = self.id().partition, %error, "transaction records cannot be written");
            error.code()
        });
        let mut effects = Effects::default();
        if let Phase::Active(state) = &mut *self.phase.borrow_mut() {
            state.appended(append, outcome, shard.runtime().wall_clock_ms(), &mut effects);
        }
        drop(turn);
        // What follows has its own outcome: nobody waits for it here.
        let _ = self.carry_out(shard, effects);
        // The requester may be gone.
        let _ = done.send(outcome);
        self.settled.notify_waiters();
        self.rewrite_if_grown(shard).await;
    }

    /// Appends records and waits until they are durable. Returns the offset of the first.
    async fn append_all(
        &self,
        shard: &Rc<Shard>,
        records: &[TransactionRecord],
    ) -> Result<Option<storage::Offset>, WriteError> {
        let now_ms = shard.runtime().wall_clock_ms();
        let new = || BatchBuilder::new(BatchHeader::default(), Compression::None);
        let (mut batch, mut batches) = (new(), Vec::new());
        for record in records {
            if batch.count() > 0 && batch.size_bytes() > BATCH_BYTES_MAX {
                batches.push(std::mem::replace(&mut batch, new()).build()?);
            }
            record.append_to(&mut batch, now_ms)?;
        }
        if batch.count() > 0 {
            batches.push(batch.build()?);
        }
        let (mut first, mut durable) = (None, None);
        for batch in batches {
            self.grown_bytes.set(self.grown_bytes.get() + batch.len() as u64);
            let appended = self.partition.append_as_coordinator(shard, batch).await?;
            first.get_or_insert(appended.base_offset);
            durable = Some(appended.durable);
        }
        if let Some(durable) = durable {
            durable.await?;
        }
        Ok(first)
    }

    async fn rewrite_if_grown(&self, shard: &Rc<Shard>) {
        if !self.has_grown() {
            return;
        }
        let _alone = self.turn.write().await;
        let records = match &*self.phase.borrow() {
            // Somebody else may have done it meanwhile.
            Phase::Active(state) if self.has_grown() => state.snapshot(),
            Phase::Active(_) | Phase::Loading | Phase::Closed => return,
        };
        self.grown_bytes.set(0);
        if let Err(error) = self.rewrite(shard, &records).await {
            // Tried again when the log has grown as much again.
            tracing::error!(partition = self.id().partition, %error, "transactions cannot be written anew");
        }
        self.grown_bytes.set(0);
    }

    fn has_grown(&self) -> bool {
        match &*self.phase.borrow() {
            Phase::Active(state) => {
                self.grown_bytes.get() > REWRITE_BYTES_MIN.max(REWRITE_RATIO * state.bytes() as u64)
            }
            Phase::Loading | Phase::Closed => false,
        }
    }

    async fn rewrite(&self, shard: &Rc<Shard>, records: &[TransactionRecord]) -> Result<(), WriteError> {
        let end = self.partition.log().log_end_offset();
        let first = self.append_all(shard, records).await?;
        let start = self.partition.log().delete_records(first.unwrap_or(end)).await?;
        let (partition, records) = (self.id().partition, records.len());
        tracing::info!(partition, records, start = start.0, "transactions written anew");
        Ok(())
    }

    pub(super) fn close(&self) {
        *self.phase.borrow_mut() = Phase::Closed;
        self.settled.notify_waiters();
    }
}
