//! May this batch be appended, and what changes if it is.

use protocol::records::{BatchView, EndTransactionMarker};

use super::entry::{BatchMetadata, ProducerEntry};
use super::verification::{Verification, Waiting};
use crate::error::AppendError;
use crate::ids::Offset;
use crate::log::Origin;

/// A batch of a producer, as far as its state is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Not -1.
    pub producer_id: i64,
    /// As the batch says.
    pub producer_epoch: i16,
    /// As the batch says; -1 from a coordinator.
    pub base_sequence: i32,
    /// See [`protocol::records::BatchHeader::last_sequence`].
    pub last_sequence: i32,
    /// The offset it gets.
    pub base_offset: Offset,
    /// The last offset it gets.
    pub last_offset: Offset,
    /// Its largest timestamp, the broker's under LogAppendTime.
    pub max_timestamp_ms: i64,
    /// Part of a transaction.
    pub transactional: bool,
    /// Control records.
    pub control: bool,
    /// What they say, if they end a transaction; compaction may have left an empty batch.
    pub marker: Option<EndTransactionMarker>,
}

impl ProducerBatch {
    /// From a batch that goes to, or is at, `base_offset`; `None` if it is of no producer.
    #[must_use]
    pub fn new(batch: &BatchView<'_>, base_offset: Offset, max_timestamp_ms: i64) -> Option<ProducerBatch> {
        let header = &batch.header;
        let first = || batch.records(batch.payload()).next().and_then(Result::ok);
        let marker = header.is_control().then(first).flatten().and_then(|record| EndTransactionMarker::parse(&record));
        header.has_producer_id().then(|| ProducerBatch {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset,
            last_offset: base_offset.plus(header.last_offset_delta.into()),
            max_timestamp_ms,
            transactional: header.is_transactional(),
            control: header.is_control(),
            marker,
        })
    }
}

/// Which rules apply.
#[derive(Debug, Clone, Copy)]
pub struct ProducerCheck {
    /// Sequence numbers and duplicates are a client's only.
    pub origin: Origin,
    /// What is known of the transaction: its first batch needs the coordinator's word (KIP-890).
    pub verification: Verification,
    /// Version of the transaction protocol that a marker was written under: from 2 on its epoch must be new.
    pub transaction_version: i16,
}

/// Whether a batch is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "short-lived, and the large variant is the common one")]
pub enum Admission {
    /// It is in the log already: answer with these offsets.
    Duplicate(BatchMetadata),
    /// It may be appended; then call [`super::ProducerState::apply`].
    Append(ProducerUpdate),
}

/// What changes with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerUpdate {
    pub(super) entry: ProducerEntry,
    pub(super) started: Option<Offset>,
    pub(super) ended: Option<EndedTransaction>,
    pub(super) transactional: bool,
    /// The epoch of a control batch.
    pub(super) marker_epoch: Option<i16>,
    pub(super) end_offset: Offset,
}

/// A transaction with records here that got its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndedTransaction {
    pub(super) first_offset: Offset,
    pub(super) last_offset: Offset,
    pub(super) aborted: bool,
}

/// Decides by the producer's entry, `None` for a stranger. The order of the checks is Kafka's: it decides which error a
/// client sees.
pub(super) fn check(
    entry: Option<&ProducerEntry>,
    waiting: Option<&Waiting>,
    batch: &ProducerBatch,
    rules: ProducerCheck,
) -> Result<Admission, AppendError> {
    if let (Some(entry), Origin::Client) = (entry, rules.origin)
        && let Some(original) = entry.find(batch.producer_epoch, batch.base_sequence, batch.last_sequence)
    {
        return Ok(Admission::Duplicate(original));
    }
    check_transaction_open(entry, waiting, batch, rules.verification)?;
    match (batch.control, batch.marker) {
        (true, Some(marker)) => check_marker(entry, batch, marker, rules.transaction_version)?,
        (true, None) => {}
        (false, _) => check_data(entry, waiting, batch, rules.origin)?,
    }
    Ok(Admission::Append(admit(entry, batch)))
}

/// The first batch of a transaction needs the coordinator's word (`batchMissingRequiredVerification`).
fn check_transaction_open(
    entry: Option<&ProducerEntry>,
    waiting: Option<&Waiting>,
    batch: &ProducerBatch,
    verification: Verification,
) -> Result<(), AppendError> {
    let open = entry.is_some_and(|entry| entry.has_open_transaction(batch.producer_epoch));
    if !batch.transactional || open {
        return Ok(());
    }
    check_epoch_not_older(entry, batch)?;
    let verified = match verification {
        Verification::None => false,
        Verification::Confirmed(guard) => waiting.is_some_and(|waiting| waiting.guard == guard),
        Verification::Waived => true,
    };
    if batch.control || verified {
        return Ok(());
    }
    Err(AppendError::InvalidTransactionState("the record was not part of an ongoing transaction".into()))
}

fn check_epoch_not_older(entry: Option<&ProducerEntry>, batch: &ProducerBatch) -> Result<(), AppendError> {
    match entry.map(|entry| entry.producer_epoch) {
        Some(current) if batch.producer_epoch < current => Err(AppendError::InvalidProducerEpoch(format!(
            "epoch of producer {} is {}, which is smaller than the last seen epoch {current}",
            batch.producer_id, batch.producer_epoch
        ))),
        _ => Ok(()),
    }
}

/// Under version 2 every transaction has an epoch of its own, so a marker's must be new; the same epoch again, with no
/// transaction open, is the coordinator's retry (KAFKA-19999) and may be written twice.
fn check_marker(
    entry: Option<&ProducerEntry>,
    batch: &ProducerBatch,
    marker: EndTransactionMarker,
    transaction_version: i16,
) -> Result<(), AppendError> {
    check_epoch_not_older(entry, batch)?;
    let Some(entry) = entry else { return Ok(()) };
    let (same, current) = (entry.producer_epoch == batch.producer_epoch, entry.producer_epoch);
    let retry = entry.current_txn_first_offset.is_none() || current == i16::MAX;
    if transaction_version >= 2 && same && !retry {
        return Err(AppendError::InvalidProducerEpoch(format!(
            "epoch of the marker of producer {} is {current}, which is not larger than the last seen epoch",
            batch.producer_id
        )));
    }
    if marker.coordinator_epoch < entry.coordinator_epoch {
        return Err(AppendError::CoordinatorFenced(format!(
            "epoch of the coordinator of producer {} is {}, the current one is {}",
            batch.producer_id, marker.coordinator_epoch, entry.coordinator_epoch
        )));
    }
    Ok(())
}

fn check_data(
    entry: Option<&ProducerEntry>,
    waiting: Option<&Waiting>,
    batch: &ProducerBatch,
    origin: Origin,
) -> Result<(), AppendError> {
    check_epoch_not_older(entry, batch)?;
    // Of a producer that has been fenced it says nothing (Kafka would take it for the newer one's).
    let waiting = waiting.filter(|waiting| waiting.epoch == batch.producer_epoch);
    if let (Some(waiting), Origin::Client) = (waiting, origin) {
        check_first_sequence(entry, waiting, batch)?;
    }
    let Some(entry) = entry else { return Ok(()) };
    if origin == Origin::Client {
        check_sequence(entry, batch)?;
    }
    if entry.current_txn_first_offset.is_some() && !batch.transactional {
        return Err(AppendError::InvalidTransactionState(format!(
            "expected a transactional write from producer {}",
            batch.producer_id
        )));
    }
    Ok(())
}

/// The first batch of a transaction comes first, also when an earlier one has to be sent again
/// (ProducerAppendInfo.checkSequence).
fn check_first_sequence(
    entry: Option<&ProducerEntry>,
    waiting: &Waiting,
    batch: &ProducerBatch,
) -> Result<(), AppendError> {
    let (id, sequence) = (batch.producer_id, batch.base_sequence);
    let stranger = entry.is_none_or(|entry| entry.batches().is_empty());
    if waiting.supports_epoch_bump && sequence != 0 && stranger {
        return Err(AppendError::OutOfOrderSequence(format!(
            "producer {id} has no state here, so its first sequence number is 0, not {sequence}"
        )));
    }
    if sequence > waiting.lowest_sequence {
        let lowest = waiting.lowest_sequence;
        return Err(AppendError::OutOfOrderSequence(format!(
            "producer {id} sent sequence number {sequence}, and {lowest} is still to come"
        )));
    }
    Ok(())
}

/// A stranger may start anywhere: retention may have removed what it wrote. A new epoch starts at 0.
fn check_sequence(entry: &ProducerEntry, batch: &ProducerBatch) -> Result<(), AppendError> {
    let (sequence, last) = (batch.base_sequence, entry.last_sequence());
    let no_epoch = entry.producer_epoch == -1;
    let reason = if batch.producer_epoch != entry.producer_epoch {
        (sequence != 0 && !no_epoch).then_some("the first sequence number of a new epoch is 0")
    } else {
        (!no_epoch && !follows(last, sequence)).then_some("it does not follow the last one")
    };
    let Some(reason) = reason else { return Ok(()) };
    Err(AppendError::OutOfOrderSequence(format!(
        "producer {} at epoch {} sent sequence number {sequence} after epoch {} sequence number {last}: {reason}",
        batch.producer_id, batch.producer_epoch, entry.producer_epoch
    )))
}

fn follows(last: i32, next: i32) -> bool {
    i64::from(next) == i64::from(last) + 1 || (next == 0 && last == i32::MAX)
}

/// What changes with a batch that is, or is taken to be, in order.
pub(super) fn admit(entry: Option<&ProducerEntry>, batch: &ProducerBatch) -> ProducerUpdate {
    let mut entry = entry.copied().unwrap_or(ProducerEntry::new(batch.producer_id));
    let (mut started, mut ended) = (None, None);
    if let Some(marker) = batch.marker {
        ended = entry.current_txn_first_offset.take().map(|first_offset| EndedTransaction {
            first_offset,
            last_offset: batch.base_offset,
            aborted: !marker.commit,
        });
        entry.set_epoch(batch.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp_ms = batch.max_timestamp_ms;
    } else if !batch.control {
        entry.push(batch.producer_epoch, metadata(batch));
        if batch.transactional && entry.current_txn_first_offset.is_none() {
            entry.current_txn_first_offset = Some(batch.base_offset);
            started = Some(batch.base_offset);
        }
    }
    let (transactional, end_offset) = (batch.transactional, batch.last_offset.plus(1));
    let marker_epoch = batch.control.then_some(batch.producer_epoch);
    ProducerUpdate { entry, started, ended, transactional, marker_epoch, end_offset }
}

fn metadata(batch: &ProducerBatch) -> BatchMetadata {
    let (last_sequence, last_offset) = (batch.last_sequence, batch.last_offset);
    let offset_delta = i32::try_from(last_offset.0.saturating_sub(batch.base_offset.0)).unwrap_or(i32::MAX);
    BatchMetadata { last_sequence, last_offset, offset_delta, timestamp_ms: batch.max_timestamp_ms }
}
