//! What a write-ahead log says about each partition, put together at the start.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ids::LogId;
use crate::wal::{Entry, EntryBody, Lsn, SegmentSynced};

/// What the write-ahead log holds of one partition.
#[derive(Default)]
pub(crate) struct RecoveredLog {
    /// The newest report about its files.
    pub synced: Option<(Lsn, SegmentSynced)>,
    /// The newest log start.
    pub log_start: Option<(Lsn, i64)>,
    /// Batches that the files do not cover, by base offset.
    pub batches: BTreeMap<i64, (Lsn, Vec<Bytes>)>,
    /// It was deleted; its directory may still be there.
    pub deleted: bool,
}

/// Every partition that the write-ahead log mentions.
pub(crate) type Recovered = BTreeMap<LogId, RecoveredLog>;

/// Adds the next entry of the log. Entries come in the order they were written; a batch that is there twice was moved
/// forward in between and is the same.
pub(crate) fn apply(recovered: &mut Recovered, lsn: Lsn, entry: Entry) {
    let log = recovered.entry(entry.log).or_default();
    match entry.body {
        _ if log.deleted => {}
        EntryBody::Append { base_offset, batch } => {
            if log.synced.as_ref().is_none_or(|(_, synced)| synced.next_offset <= base_offset) {
                log.batches.insert(base_offset, (lsn, batch));
            }
        }
        EntryBody::SegmentSynced(synced) => {
            log.batches = log.batches.split_off(&synced.next_offset);
            log.synced = Some((lsn, synced));
        }
        EntryBody::LogStart { offset } => {
            if log.log_start.is_none_or(|(_, known)| known <= offset) {
                log.log_start = Some((lsn, offset));
            }
        }
        EntryBody::LogDeleted => *log = RecoveredLog { deleted: true, ..RecoveredLog::default() },
    }
}
