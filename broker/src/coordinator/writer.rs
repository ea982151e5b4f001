//! The writer of a partition of an internal topic: makes records durable, in order, many to a batch.
//!
//! There is one a partition and it works only while there is something to write. Up to [`IN_FLIGHT_MAX`] batches are on
//! their way to disk; what is asked for meanwhile is gathered into the next. So a lone change goes out at once, and
//! under load a batch carries many.
//!
//! The topics are `cleanup.policy=compact` and have no retention: every change is a record of its key, what is forgotten is a
//! tombstone, and the cleaner bounds the log.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::records::{Attributes, BatchBuilder, BatchError, BatchHeader, Compression};
use storage::log::DurableFuture;
use storage::{AppendError, StorageError};
use thiserror::Error;

use super::home::{Home, Phase, Queued};
use super::{Carriage, Driven, InTransaction, InternalRecord};
use crate::error::{coordinator_code, coordinator_storage_code};
use crate::shard::Shard;
use crate::transactions::markers;

/// Batches on their way to disk at a time: one that is being synced, and one that goes with the next sync.
const IN_FLIGHT_MAX: usize = 2;
/// A batch is closed when it has reached this size; one change that asks for more gets several. Half of the default
/// `max.message.bytes`; only a single record (a group of thousands of members) may make a larger one.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;

/// Why records were not written.
#[derive(Debug, Error)]
enum WriteError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("a marker cannot be made: {0}")]
    Marker(ErrorCode),
}

impl WriteError {
    fn code(&self) -> ErrorCode {
        match self {
            WriteError::Append(error) => coordinator_code(error),
            WriteError::Storage(error) => coordinator_storage_code(error),
            WriteError::Marker(code) => *code,
            WriteError::Batch(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

/// A batch on its way, with what it carries. Without records there is nothing to wait for.
struct Flight<S: Driven> {
    carries: Vec<Queued<S>>,
    outcome: Result<Option<DurableFuture>, WriteError>,
}

impl<S: Driven> Flight<S> {
    /// Completes when the batch is durable; may be dropped and asked for again.
    async fn land(&mut self) -> Result<(), WriteError> {
        if let Ok(Some(durable)) = &mut self.outcome {
            return Ok(durable.await?);
        }
        std::mem::replace(&mut self.outcome, Ok(None)).map(|_| ())
    }
}

impl<S: Driven> Home<S> {
    /// Works until everything is settled.
    pub(super) async fn write(self: &Rc<Self>, shard: &Rc<Shard>) {
        let mut flights: VecDeque<Flight<S>> = VecDeque::new();
        loop {
            while flights.len() < IN_FLIGHT_MAX
                && let Some(carries) = self.gather()
            {
                let outcome = self.append_carried(shard, &carries).await;
                flights.push_back(Flight { carries, outcome });
            }
            let may_gather = flights.len() < IN_FLIGHT_MAX;
            let Some(first) = flights.front_mut() else { break };
            let outcome = tokio::select! {
                biased;
                outcome = first.land() => outcome,
                () = self.queued.notified(), if may_gather => continue,
            };
            if let Some(flight) = flights.pop_front() {
                self.settle(shard, flight.carries, outcome);
            }
        }
        self.writing.set(false);
    }

    /// Takes from the queue what fits into a batch; at least one change, if there is any.
    fn gather(&self) -> Option<Vec<Queued<S>>> {
        let mut queue = self.queue.borrow_mut();
        let mut bytes = 0;
        let mut alone = false;
        let fits = |queued: &&Queued<S>| {
            let first = bytes == 0;
            let is_alone = queued.append.carriage != Carriage::Shared;
            let taken = first || (!alone && !is_alone && bytes + queued.append.bytes() <= BATCH_BYTES_MAX);
            bytes += queued.append.bytes();
            alone |= is_alone;
            taken
        };
        let count = queue.iter().take_while(fits).count();
        let taken: Vec<Queued<S>> = queue.drain(..count).collect();
        let taken_bytes: usize = taken.iter().map(|queued| queued.append.bytes()).sum();
        self.queued_bytes.set(self.queued_bytes.get() - taken_bytes);
        (count > 0).then_some(taken)
    }

    /// Appends what was gathered: plain records together, those of a transaction and markers each as a batch of its own.
    async fn append_carried(
        &self,
        shard: &Rc<Shard>,
        carries: &[Queued<S>],
    ) -> Result<Option<DurableFuture>, WriteError> {
        let records = carries.iter().flat_map(|queued| queued.append.records.iter());
        let appended = match carries.first().map(|queued| queued.append.carriage) {
            Some(Carriage::Marker(marker)) => {
                let batch = markers::batch(shard, marker).map_err(WriteError::Marker)?;
                self.partition.append_marker(shard, batch, marker.transaction_version).await?
            }
            Some(Carriage::Transaction(transaction)) => {
                let batch = transactional_batch(records, transaction, shard.runtime().wall_clock_ms())?;
                self.partition.append_offsets(shard, batch, transaction.verification).await?
            }
            Some(Carriage::Shared) | None => return self.append_shared(shard, records).await,
        };
        Ok(Some(appended.durable))
    }

    /// Appends `records`, in several batches if need be. Returns what completes when all are durable (the log becomes
    /// durable in order).
    async fn append_shared(
        &self,
        shard: &Rc<Shard>,
        records: impl Iterator<Item = &S::Record>,
    ) -> Result<Option<DurableFuture>, WriteError> {
        let now_ms = shard.runtime().wall_clock_ms();
        let new = || BatchBuilder::new(BatchHeader::default(), Compression::None);
        let (mut batch, mut batches) = (new(), Vec::new());
        for record in records {
            if batch.count() > 0 && batch.size_bytes() + record.bytes() > BATCH_BYTES_MAX {
                batches.push(std::mem::replace(&mut batch, new()).build()?);
            }
            record.append_to(&mut batch, now_ms)?;
        }
        if batch.count() > 0 {
            batches.push(batch.build()?);
        }
        let mut durable = None;
        for batch in batches {
            durable = Some(self.partition.append_as_coordinator(shard, batch, S::IN_HURRY).await?.durable);
        }
        Ok(durable)
    }

    /// Tells the state machine, then whoever waits.
    fn settle(self: &Rc<Self>, shard: &Rc<Shard>, carries: Vec<Queued<S>>, outcome: Result<(), WriteError>) {
        let outcome = outcome.map_err(|error| {
            tracing::error!(topic = S::TOPIC, partition = self.id().partition, %error, "records cannot be written");
            error.code()
        });
        for Queued { append, done } in carries {
            let mut effects = S::Effects::default();
            if let Phase::Active(state) = &mut *self.phase.borrow_mut() {
                state.appended(append, outcome, shard.runtime().wall_clock_ms(), &mut effects);
            }
            // What follows has its own outcome: nobody waits for it here.
            let _ = self.carry_out(shard, effects);
            // The requester may be gone.
            let _ = done.send(outcome);
        }
        self.settled.notify_waiters();
    }
}

fn transactional_batch<'a, R: InternalRecord>(
    mut records: impl Iterator<Item = &'a R>,
    transaction: InTransaction,
    now_ms: i64,
) -> Result<Bytes, BatchError> {
    let header = BatchHeader {
        producer_id: transaction.producer.id,
        producer_epoch: transaction.producer.epoch,
        attributes: Attributes(Attributes::TRANSACTIONAL),
        ..BatchHeader::default()
    };
    let mut batch = BatchBuilder::new(header, Compression::None);
    records.try_for_each(|record| record.append_to(&mut batch, now_ms))?;
    batch.build()
}
