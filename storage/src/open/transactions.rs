//! What was aborted: from the transaction indexes where they are what was stated, else from the batches.

use std::collections::BTreeSet;

use super::Opening;
use crate::error::StorageError;
use crate::ids::Offset;
use crate::log::aborted::Aborted;
use crate::log::state::Files;
use crate::recovery::RecoveredLog;
use crate::segment::{AbortedTxn, ChecksumHeader, FileKind, file_name};
use crate::segment_index::{open_closed, write_header};
use crate::segment_transactions::{self, Stated};

impl Opening<'_> {
    /// What was aborted, as the transaction indexes say; made again from the batches where they are not what was stated.
    /// Also gets to know the closed segments. `end` is where the producer state begins.
    pub(super) async fn transactions(
        &self,
        files: &Files,
        recovered: &RecoveredLog,
        known: Option<&ChecksumHeader>,
        end: i64,
    ) -> Result<Aborted, StorageError> {
        let (runtime, active) = (&self.volume.runtime, files.active);
        let failed = |error| self.failed(&error);
        let mut lost = BTreeSet::new();
        for segment in files.segments.values().filter(|segment| segment.base_offset != active) {
            if !segment_transactions::look_at_closed(runtime, segment, self.id).await.map_err(failed)? {
                lost.insert(segment.base_offset);
            }
        }
        let (stated, end) = match (&recovered.synced, known) {
            (Some((_, synced)), _) => (synced.transactions.map_or(Stated::Unsaid, Stated::As), end),
            // Settled: what was stated then is in the log, whatever became of its producers.
            (None, Some(header)) => (header.transactions.map_or(Stated::Unsaid, Stated::As), i64::MAX),
            (None, None) if files.segments.contains_key(&active) => (Stated::Lost, i64::MAX),
            (None, None) => (Stated::Unsaid, end),
        };
        let loaded = segment_transactions::load_active(runtime, self.path, active, stated).await.map_err(failed)?;
        let made_again = match &loaded {
            Some(_) if lost.is_empty() => Vec::new(),
            _ => self.made_again(files, recovered, &lost, loaded.is_none()).await?,
        };
        for segment in files.segments.values().filter(|segment| segment.base_offset != active) {
            let opened = open_closed(runtime, segment, self.id, self.config.index_interval_bytes).await;
            opened.map_err(failed)?;
            if lost.contains(&segment.base_offset) {
                segment_transactions::state_closed(runtime, segment, self.id).await.map_err(failed)?;
            }
        }
        if let Some(index) = loaded {
            return Ok(Aborted::from_file(&index, end));
        }
        let at = |offset| made_again.partition_point(|entry| entry.last_offset.0 < offset);
        let own = &made_again[at(active)..at(end.max(active))];
        let index = segment_transactions::store_active(runtime, self.path, active, own).await.map_err(failed)?;
        let aborted = Aborted::from_file(&index, end);
        if let (None, Some(header)) = (&recovered.synced, known) {
            // The segment is settled, and only its sidecar says what there has to be.
            let header = ChecksumHeader { transactions: Some(aborted.stated()), ..*header };
            write_header(runtime, self.path, &header, None).await.map_err(failed)?;
        }
        Ok(aborted)
    }

    /// Walks over the batches, and puts what was aborted into the indexes of the `lost` segments.
    async fn made_again(
        &self,
        files: &Files,
        recovered: &RecoveredLog,
        lost: &BTreeSet<i64>,
        active_lost: bool,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let (runtime, failed) = (&self.volume.runtime, |error| self.failed(&error));
        let segments: Vec<i64> = lost.iter().copied().chain(active_lost.then_some(files.active)).collect();
        tracing::warn!(
            partition = %self.path.display(), ?segments,
            "a transaction index is lost or differs from its checksum: made again from the log"
        );
        let walked = segment_transactions::aborted_by_batches(runtime, self.path, files, recovered).await;
        let found = walked.map_err(failed)?;
        if active_lost && let Err(reason) = found {
            let name = file_name(Offset(files.active), FileKind::TransactionIndex);
            return Err(self.corrupt(&name, 0, format!("it is lost and cannot be made again: {reason}")));
        }
        for segment in lost.iter().filter_map(|base| files.segments.get(base)) {
            let next = files.segments.range(segment.base_offset + 1..).next().map_or(files.active, |(base, _)| *base);
            let own = found.as_ref().ok().map(|found| {
                let at = |offset| found.partition_point(|entry| entry.last_offset.0 < offset);
                &found[at(segment.base_offset)..at(next)]
            });
            segment_transactions::store_closed(runtime, segment, own).await.map_err(failed)?;
        }
        Ok(found.unwrap_or_default())
    }
}
