//! The transaction indexes of a log at a start: believed if they begin with what is stated of them, made again from all
//! batches of the log where they do not. A transaction may begin in one segment and end in another, so one that is lost
//! costs a walk from the first segment on; what it finds is what readers of the log as it is now have to know.

use std::io;
use std::path::Path;

use bytes::Bytes;
use protocol::records::BatchView;

use crate::ids::{LogId, Offset};
use crate::log::state::Files;
use crate::producer_state::{ProducerBatch, ProducerState};
use crate::recovery::RecoveredLog;
use crate::runtime::Runtime;
use crate::segment::{AbortedTxn, ChecksumHeader, FileKind, IndexDigest, IndexStatement, TransactionIndex, file_name};
use crate::segment_file::{Segment, read_whole, replace_file};
use crate::segment_index::{each_batch, read_header, write_header};

/// Size of an entry.
const ENTRY_BYTES: usize = 34;

/// What is known of the index of the segment being written.
pub(crate) enum Stated {
    /// It begins with this.
    As(IndexDigest),
    /// Written by a version that did not say: what is sound of it counts.
    Unsaid,
    /// What says it is lost.
    Lost,
}

/// The index of the segment being written as far as it counts; `None` if it has to be made again.
pub(crate) async fn load_active(
    runtime: &Runtime,
    directory: &Path,
    base_offset: i64,
    stated: Stated,
) -> io::Result<Option<TransactionIndex<Bytes>>> {
    let path = directory.join(file_name(Offset(base_offset), FileKind::TransactionIndex));
    let bytes = read_whole(runtime, &path).await?.freeze();
    let parse = |whole: usize| TransactionIndex::parse(Offset(base_offset), bytes.slice(..whole));
    Ok(match stated {
        Stated::Lost => None,
        Stated::As(digest) if !digest.begins(&bytes) => None,
        Stated::As(digest) => parse(digest.bytes as usize).ok(),
        // An end that is not sound is what a power cut left there, as far as anybody can tell.
        Stated::Unsaid => parse(bytes.len() / ENTRY_BYTES * ENTRY_BYTES)
            .or_else(|error| parse(error.position as usize / ENTRY_BYTES * ENTRY_BYTES))
            .ok(),
    })
}

/// Reads the header of a closed segment's sidecar; whether its transaction index is what was stated.
pub(crate) async fn look_at_closed(runtime: &Runtime, segment: &Segment, log: LogId) -> io::Result<bool> {
    let header = read_header(runtime, segment.directory(), log, segment.base_offset).await?;
    segment.header.set(header);
    let Some(header) = header else { return Ok(false) };
    segment.transactions_stated.set(header.transactions);
    let Some(stated) = header.transactions else { return Ok(true) };
    segment.has_aborted.set(stated.bytes > 0);
    if stated.bytes == 0 {
        return Ok(true);
    }
    let bytes = read_whole(runtime, &segment.path(FileKind::TransactionIndex)).await?;
    Ok(stated.begins(&bytes))
}

/// Every transaction of the log that was aborted, in order of their markers, from its batches: those of the files and those
/// that only the write-ahead log has. The inner error is damage.
pub(crate) async fn aborted_by_batches(
    runtime: &Runtime,
    directory: &Path,
    files: &Files,
    recovered: &RecoveredLog,
) -> io::Result<Result<Vec<AbortedTxn>, &'static str>> {
    let mut walk = Walk { producers: ProducerState::new(Offset(0)), found: Vec::new() };
    let mut visit = |_: u64, batch: &BatchView<'_>| {
        walk.observe(batch);
        Ok(())
    };
    let mut segments: Vec<_> = files.segments.iter().map(|(base, segment)| (*base, segment.bytes.get())).collect();
    if !files.segments.contains_key(&files.active) {
        segments.push((files.active, 0));
    }
    for (base, bytes) in segments {
        let residue = if base == files.active { &files.residue[..] } else { &[] };
        let log = directory.join(file_name(Offset(base), FileKind::Log));
        if let Err(reason) = each_batch(runtime, &log, bytes, residue, &mut visit).await? {
            tracing::error!(log = %log.display(), reason, "the log is damaged: what was aborted cannot be found out");
            return Ok(Err(reason));
        }
    }
    for (_, parts) in recovered.batches.values() {
        let whole = parts.concat();
        match BatchView::parse(&whole) {
            Ok(batch) if batch.verify_crc().is_ok() => walk.observe(&batch),
            _ => return Ok(Err("a batch in the write-ahead log is damaged")),
        }
    }
    Ok(Ok(walk.found))
}

struct Walk {
    producers: ProducerState,
    found: Vec<AbortedTxn>,
}

impl Walk {
    fn observe(&mut self, batch: &BatchView<'_>) {
        let header = &batch.header;
        if header.base_offset < self.producers.end_offset().0 {
            return;
        }
        let end = Offset(header.last_offset() + 1);
        match ProducerBatch::new(batch, Offset(header.base_offset), header.max_timestamp) {
            Some(producer) => self.found.extend(self.producers.replay(&producer)),
            None => self.producers.set_end_offset(end),
        }
        // All of it is durable.
        self.producers.on_high_watermark(end);
    }
}

/// Puts what was found out into the index file of the segment being written, durably.
pub(crate) async fn store_active(
    runtime: &Runtime,
    directory: &Path,
    base_offset: i64,
    own: &[AbortedTxn],
) -> io::Result<TransactionIndex<Bytes>> {
    let path = directory.join(file_name(Offset(base_offset), FileKind::TransactionIndex));
    let content = index_of(own);
    replace_file(runtime, &path, content.clone()).await?;
    TransactionIndex::parse(Offset(base_offset), content).map_err(io::Error::other)
}

fn index_of(entries: &[AbortedTxn]) -> Bytes {
    let mut index = TransactionIndex::new();
    entries.iter().for_each(|entry| index.append(*entry));
    Bytes::copy_from_slice(index.bytes())
}

/// Puts what was found out into the index file of a closed segment, durably. `None`: it could not be found out, and readers
/// of committed data get an error.
pub(crate) async fn store_closed(runtime: &Runtime, segment: &Segment, own: Option<&[AbortedTxn]>) -> io::Result<()> {
    let content = index_of(own.unwrap_or_default());
    let stated = if own.is_some() { IndexDigest::of(&content) } else { IndexDigest::UNKNOWN };
    if !content.is_empty() {
        replace_file(runtime, &segment.path(FileKind::TransactionIndex), content).await?;
    }
    segment.has_aborted.set(stated.bytes > 0);
    segment.transactions_stated.set(Some(stated));
    Ok(())
}

/// States it in the sidecar, which the indexes may have been made again for meanwhile.
pub(crate) async fn state_closed(runtime: &Runtime, segment: &Segment, log: LogId) -> io::Result<()> {
    let transactions = segment.transactions_stated.get();
    let known = segment.header.get();
    if known.is_some_and(|header| header.transactions == transactions) {
        return Ok(());
    }
    let header =
        known.unwrap_or_else(|| ChecksumHeader::new(log, Offset(segment.base_offset), IndexStatement::default()));
    let header = ChecksumHeader { transactions, ..header };
    let blocks = if known.is_some() { None } else { Some(0) };
    write_header(runtime, segment.directory(), &header, blocks).await?;
    segment.header.set(Some(header));
    Ok(())
}
