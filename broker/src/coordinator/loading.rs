//! Reading a partition of an internal topic back into its state machine.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use protocol::records::{BatchError, BatchView, Batches, EndTransactionMarker};
use storage::log::ReadError;
use storage::runtime::Runtime;
use storage::{Log, Offset, ReadLimit, ReadOptions};
use thiserror::Error;

use super::{InternalRecord, StateMachine};

/// Bound on a compressed batch when unfolded. We write none; a tool may have.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a partition cannot be loaded. It is then not served: nothing is skipped.
#[derive(Debug, Error)]
pub(super) enum LoadError<E: std::error::Error + 'static> {
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A batch is not what it claims.
    #[error("offset {offset}: {error}")]
    Batch {
        /// Where reading stopped.
        offset: i64,
        /// What is wrong.
        error: BatchError,
    },
    /// A record of a type we know is not what it claims.
    #[error("offset {offset}: {error}")]
    Record {
        /// Of the record.
        offset: i64,
        /// What is wrong.
        error: E,
    },
}

type LoadErrorOf<S> = LoadError<<<S as StateMachine>::Record as InternalRecord>::Error>;

/// Reads the whole log, `bytes_max` at a time; in between others get the core.
pub(super) async fn load<S: StateMachine>(
    log: &Rc<Log>,
    state: &mut S,
    bytes_max: usize,
    runtime: &Runtime,
) -> Result<(), LoadErrorOf<S>> {
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let options = ReadOptions { offset, bytes_max, at_least_one_batch: true, limit: ReadLimit::LogEnd };
        let read = log.read(options).await?;
        let next = replay(state, &join(read.records), offset, runtime.wall_clock_ms())?;
        if next <= offset {
            break;
        }
        offset = next;
        runtime.yield_now().await;
    }
    Ok(())
}

/// Takes in whole batches; returns the offset after the last one. Records before `from` belong to a batch that begins
/// before the start of the log.
fn replay<S: StateMachine>(state: &mut S, bytes: &[u8], from: Offset, now_ms: i64) -> Result<Offset, LoadErrorOf<S>> {
    let mut next = from;
    for batch in Batches::new(bytes) {
        let at = |error| LoadError::Batch { offset: next.0, error };
        let batch = batch.map_err(at)?;
        batch.verify_crc().map_err(at)?;
        if batch.header.is_control() {
            replay_control(state, &batch);
        } else {
            let body = batch.body(BATCH_BYTES_MAX).map_err(at)?;
            for record in batch.records(&body) {
                let record = record.map_err(at)?;
                let offset = batch.header.base_offset + i64::from(record.offset_delta);
                let Some(key) = record.key.filter(|_| offset >= from.0) else { continue };
                let decoded = S::Record::decode(key, record.value);
                match decoded.map_err(|error| LoadError::Record { offset, error })? {
                    Some(record) if batch.header.is_transactional() => {
                        state.replay_in_transaction(record, batch.header.producer_id, now_ms);
                    }
                    Some(record) => state.replay(record, now_ms),
                    None => tracing::debug!(topic = S::TOPIC, offset, "a record of an unknown kind is passed over"),
                }
            }
        }
        next = Offset(batch.header.last_offset() + 1);
    }
    Ok(next)
}

fn replay_control<S: StateMachine>(state: &mut S, batch: &BatchView<'_>) {
    let first = batch.records(batch.payload()).next().and_then(Result::ok);
    if let Some(marker) = first.and_then(|record| EndTransactionMarker::parse(&record)) {
        state.replay_transaction_end(batch.header.producer_id, marker.commit);
    }
}

/// A batch may be split between two parts.
fn join(parts: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(parts) {
        Ok([part]) => part,
        Err(parts) => {
            let mut bytes = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            bytes.freeze()
        }
    }
}
