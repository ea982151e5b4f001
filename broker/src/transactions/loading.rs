//! Reading a `__transaction_state` partition back into a state machine.

use std::rc::Rc;

use protocol::records::{BatchError, Batches};
use storage::log::ReadError;
use storage::runtime::Runtime;
use storage::{Log, Offset, ReadLimit, ReadOptions};
use thiserror::Error;

use super::records::{RecordError, TransactionRecord};
use super::settings::TransactionSettings;
use super::state::TransactionState;

/// Read at a time; between two reads others get the core.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// Bound on a compressed batch when unfolded. We write none; a tool may have.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a partition cannot be loaded. It is then not served: nothing is skipped.
#[derive(Debug, Error)]
pub enum LoadError {
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
        error: RecordError,
    },
}

/// Reads the whole log.
pub async fn load(
    log: &Rc<Log>,
    settings: TransactionSettings,
    runtime: &Runtime,
) -> Result<TransactionState, LoadError> {
    let mut state = TransactionState::new(settings);
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let options =
            ReadOptions { offset, bytes_max: READ_BYTES_MAX, at_least_one_batch: true, limit: ReadLimit::LogEnd };
        let bytes = log.read(options).await?.records.concat();
        let next = replay(&mut state, &bytes, offset)?;
        if next <= offset {
            break;
        }
        offset = next;
        runtime.yield_now().await;
    }
    Ok(state)
}

/// Takes in whole batches; returns the offset after the last one. Records before `from` belong to a batch that begins
/// before the start of the log.
fn replay(state: &mut TransactionState, bytes: &[u8], from: Offset) -> Result<Offset, LoadError> {
    let mut next = from;
    for batch in Batches::new(bytes) {
        let at = |error| LoadError::Batch { offset: next.0, error };
        let batch = batch.map_err(at)?;
        batch.verify_crc().map_err(at)?;
        if !batch.header.is_control() {
            let body = batch.body(BATCH_BYTES_MAX).map_err(at)?;
            for record in batch.records(&body) {
                let record = record.map_err(at)?;
                let Some(key) = record.key.filter(|_| record.offset >= from.0) else { continue };
                let failed = |error| LoadError::Record { offset: record.offset, error };
                if let Some(record) = TransactionRecord::decode(key, record.value).map_err(failed)? {
                    state.replay(record);
                }
            }
        }
        next = Offset(batch.header.last_offset() + 1);
    }
    Ok(next)
}
