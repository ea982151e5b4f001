//! `msgloop check`: looks for damage in a stopped node's log directory. Reads everything, changes nothing. What the records
//! of a topic mean is the caller's to know: it is shown every sound batch that a start would find, in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use crate::compaction::swap::{self, SWAP_FILE};
use crate::error::StorageError;
use crate::ids::{LogId, Offset};
use crate::leader_epochs::LeaderEpochs;
use crate::log::report::{LEADER_EPOCH_FILE, LOG_START_FILE};
use crate::merge::partitions;
use crate::producer_state::ProducerState;
use crate::recovery::{self, Recovered, RecoveredLog};
use crate::runtime::{File, OpenOptions, Runtime};
use crate::segment::{
    Checksums, FileKind, IndexDigest, IndexStatement, OffsetIndex, TimeIndex, TransactionIndex, file_name,
    parse_file_name,
};
use crate::segment_file::read_whole;
use crate::wal::SegmentSynced;
use crate::wal::scan::inspect;

/// How much of a segment is read at once; a larger batch takes a larger piece.
const READ_BYTES: usize = 4 << 20;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub position: u64,
    /// What.
    pub what: String,
}

/// A sound batch of a partition, at or above its log start.
pub struct FoundBatch<'a> {
    /// Whose it is.
    pub log: LogId,
    /// Name of the topic.
    pub topic: &'a str,
    /// First offset that is visible; a batch may begin below it.
    pub log_start: Offset,
    /// The batch.
    pub batch: BatchView<'a>,
}

/// Looks at a batch and tells what is wrong with what it says.
pub type Inspect<'a> = &'a mut dyn FnMut(&FoundBatch<'_>) -> Vec<String>;

/// Checks the rings, segments, indexes, sidecars and snapshots of a log directory that nobody has open, and shows `inspect`
/// the batches of each partition. An error is one of reading; damage is a finding. What a crash leaves behind by design (a
/// torn tail, bytes beyond what is synced) is none.
pub async fn check(
    runtime: &Runtime,
    directory: &Path,
    inspect_batch: Inspect<'_>,
) -> Result<Vec<Finding>, StorageError> {
    let mut findings = Vec::new();
    let mut recovered = Recovered::new();
    let wal = directory.join("wal");
    let rings = runtime.disk().list(&wal).await.unwrap_or_default();
    for ring in rings.iter().filter(|name| name.parse::<usize>().is_ok()) {
        let mut visit = |lsn, entry| {
            recovery::apply(&mut recovered, lsn, entry);
            Ok(())
        };
        match inspect(runtime, &wal.join(ring), &mut visit).await {
            Err(StorageError::Corrupt { file, position, reason }) => {
                findings.push(Finding { file: file.into(), position, what: reason });
            }
            other => other?,
        }
    }
    let failed = |error: std::io::Error| StorageError::Refused(format!("{}: {error}", directory.display()));
    for (id, (topic, path)) in partitions(runtime, directory).await.map_err(failed)? {
        let log = recovered.remove(&id).unwrap_or_default();
        if log.deleted {
            continue;
        }
        let check = PartitionCheck { runtime, id, topic: &topic, path: &path, wal: &wal };
        let checked = check.check(&log, &mut findings, inspect_batch).await;
        checked.map_err(|error| StorageError::Refused(format!("{}: {error}", path.display())))?;
    }
    Ok(findings)
}

struct PartitionCheck<'a> {
    runtime: &'a Runtime,
    id: LogId,
    topic: &'a str,
    path: &'a Path,
    /// The directory of the rings.
    wal: &'a Path,
}

impl PartitionCheck<'_> {
    async fn check(
        &self,
        recovered: &RecoveredLog,
        findings: &mut Vec<Finding>,
        inspect_batch: Inspect<'_>,
    ) -> std::io::Result<()> {
        let synced = recovered.synced.as_ref().map(|(_, synced)| synced);
        let names = self.names(findings).await?;
        let segments = self.files(&names, synced, findings).await?;
        let log_start = self.log_start(&segments, recovered, findings).await?;
        let mut shown = |batch: BatchView<'_>| {
            let found = FoundBatch { log: self.id, topic: self.topic, log_start, batch };
            if batch.header.last_offset() < log_start.0 { Vec::new() } else { inspect_batch(&found) }
        };
        let mut expected = None;
        for (base, bytes) in segments {
            let newest = synced.filter(|synced| synced.segment_base_offset == base);
            let counted = newest.map_or(bytes, |synced| synced.synced_bytes);
            let residue = newest.map_or_else(Bytes::new, |synced| synced.residue.clone());
            let (runtime, id, path, names, partial) = (self.runtime, self.id, self.path, &names, newest.is_some());
            let transactions = newest.and_then(|synced| synced.transactions);
            let segment =
                SegmentCheck { runtime, id, path, names, base, bytes: counted, residue, partial, transactions };
            if bytes < counted {
                segment.find(
                    findings,
                    FileKind::Log,
                    bytes,
                    format!("the file ends here; {counted} bytes were synced"),
                );
                continue;
            }
            if let Some(expected) = expected.filter(|expected| *expected != base) {
                segment.find(findings, FileKind::Log, 0, format!("offsets from {expected} on are missing"));
            }
            expected = segment.check(findings, &mut shown).await?;
        }
        self.check_unwritten(recovered, expected, findings, &mut shown);
        Ok(())
    }

    /// The batches that only the write-ahead log has, from the offset on at which the segments end.
    fn check_unwritten(
        &self,
        recovered: &RecoveredLog,
        from: Option<i64>,
        findings: &mut Vec<Finding>,
        shown: &mut dyn FnMut(BatchView<'_>) -> Vec<String>,
    ) {
        for (_, (lsn, parts)) in recovered.batches.range(from.unwrap_or(0)..) {
            let whole = parts.concat();
            let what = match BatchView::parse(&whole).and_then(|batch| batch.verify_crc().map(|()| batch)) {
                Ok(batch) => shown(batch),
                Err(error) => vec![format!("a batch of {}-{}: {error}", self.topic, self.id.partition)],
            };
            let found = what.into_iter().map(|what| Finding { file: self.wal.to_owned(), position: lsn.0, what });
            findings.extend(found);
        }
    }

    /// The files, by the names they will have once compaction has replaced what it was about to replace when the process
    /// ended: the next start does the rest.
    async fn names(&self, findings: &mut Vec<Finding>) -> std::io::Result<BTreeMap<String, String>> {
        let names = self.runtime.disk().list(self.path).await?;
        match swap::pending(self.runtime, self.path).await? {
            Some(Ok(swap)) => return Ok(swap.outcome(names)),
            Some(Err(error)) => {
                let (file, what) = (self.path.join(SWAP_FILE), error.reason.to_owned());
                findings.push(Finding { file, position: error.position, what });
            }
            None => {}
        }
        Ok(names.into_iter().map(|name| (name.clone(), name)).collect())
    }

    /// Checks the files that are of the partition as a whole; returns the segments that count, and their sizes.
    async fn files(
        &self,
        names: &BTreeMap<String, String>,
        synced: Option<&SegmentSynced>,
        findings: &mut Vec<Finding>,
    ) -> std::io::Result<BTreeMap<i64, u64>> {
        // What the newest segment holds may still be in the write-ahead log as a whole; it then needs no file yet.
        let mut segments: BTreeMap<i64, u64> = synced.iter().map(|synced| (synced.segment_base_offset, 0)).collect();
        for (name, called) in names {
            let file = self.path.join(called);
            match parse_file_name(name) {
                Some((base, FileKind::Log)) if synced.is_none_or(|synced| base.0 <= synced.segment_base_offset) => {
                    let bytes = self.runtime.disk().stat(&file).await?.bytes;
                    segments.insert(base.0, bytes);
                }
                Some((offset, FileKind::ProducerSnapshot)) => {
                    let bytes = read_whole(self.runtime, &file).await?;
                    if let Err(error) = ProducerState::from_snapshot(&bytes, offset, 0, i64::MAX) {
                        findings.push(Finding { file, position: error.position, what: error.reason.to_owned() });
                    }
                }
                _ if name == LEADER_EPOCH_FILE => {
                    let bytes = read_whole(self.runtime, &file).await?;
                    if let Err(error) = LeaderEpochs::parse_checkpoint(&String::from_utf8_lossy(&bytes)) {
                        findings.push(Finding { file, position: error.position, what: error.reason.to_owned() });
                    }
                }
                _ => {}
            }
        }
        Ok(segments)
    }

    async fn log_start(
        &self,
        segments: &BTreeMap<i64, u64>,
        recovered: &RecoveredLog,
        findings: &mut Vec<Finding>,
    ) -> std::io::Result<Offset> {
        let file = self.path.join(LOG_START_FILE);
        let bytes = read_whole(self.runtime, &file).await?;
        let text = String::from_utf8_lossy(&bytes);
        let in_file = text.lines().nth(1).and_then(|line| line.trim().parse::<i64>().ok());
        if in_file.is_none() && !bytes.is_empty() {
            findings.push(Finding { file, position: 0, what: "not a log start offset".to_owned() });
        }
        let first = segments.keys().next().copied();
        let in_wal = recovered.log_start.map(|(_, offset)| offset);
        Ok(Offset([first, in_file, in_wal].into_iter().flatten().max().unwrap_or(0)))
    }
}

struct SegmentCheck<'a> {
    runtime: &'a Runtime,
    id: LogId,
    path: &'a Path,
    /// What the partition's files are called for the time being.
    names: &'a BTreeMap<String, String>,
    base: i64,
    /// Bytes of the file that count.
    bytes: u64,
    /// What follows them, and is still in the write-ahead log.
    residue: Bytes,
    /// It is being written, and only the log itself was synced.
    partial: bool,
    /// What the write-ahead log says that its transaction index begins with.
    transactions: Option<IndexDigest>,
}

impl SegmentCheck<'_> {
    fn file(&self, kind: FileKind) -> PathBuf {
        let name = file_name(Offset(self.base), kind);
        self.path.join(self.names.get(&name).unwrap_or(&name))
    }

    fn find(&self, findings: &mut Vec<Finding>, kind: FileKind, position: u64, what: String) {
        findings.push(Finding { file: self.file(kind), position, what });
    }

    /// Returns the offset after the segment; `None` if that is unknown.
    async fn check(
        &self,
        findings: &mut Vec<Finding>,
        shown: &mut dyn FnMut(BatchView<'_>) -> Vec<String>,
    ) -> std::io::Result<Option<i64>> {
        let checksums = read_whole(self.runtime, &self.file(FileKind::Checksums)).await?;
        let checksums = match Checksums::parse(&checksums) {
            Ok(found) if found.header.log != self.id || found.header.base_offset.0 != self.base => {
                self.find(findings, FileKind::Checksums, 0, "this is another segment's sidecar".to_owned());
                None
            }
            Ok(found) => Some(found),
            Err(_) if checksums.is_empty() || self.partial => None,
            Err(error) => {
                self.find(findings, FileKind::Checksums, error.position, error.reason.to_owned());
                None
            }
        };
        let checksums = checksums.filter(|_| !self.partial);
        let stated = checksums.map(|checksums| checksums.header.indexes).unwrap_or_default();
        // Only compaction leaves gaps, and says so.
        let cleaned_to = checksums.and_then(|checksums| checksums.header.cleaned_to);
        let next_offset = self.check_batches(findings, checksums, shown).await?;
        self.check_indexes(findings, next_offset).await?;
        let in_sidecar = checksums.and_then(|checksums| checksums.header.transactions);
        self.check_transactions(findings, self.transactions.or(in_sidecar)).await?;
        self.check_statement(findings, stated).await?;
        let (Some(end), Some(next_offset)) = (cleaned_to, next_offset) else { return Ok(next_offset) };
        if next_offset > end.0 {
            let what = format!("offset {} follows, but the segment ends before {}", next_offset - 1, end.0);
            self.find(findings, FileKind::Log, self.bytes, what);
        }
        Ok(Some(end.0))
    }

    /// Up to `length` bytes at `start`, of the file and then of what follows it.
    async fn read(&self, file: Option<&File>, start: u64, length: usize) -> std::io::Result<Bytes> {
        let in_file = self.bytes.saturating_sub(start).min(length as u64) as usize;
        let mut read = BytesMut::with_capacity(length);
        if let Some(file) = file.filter(|_| in_file > 0) {
            read.extend_from_slice(&self.runtime.disk().read(file, start, in_file).await?);
        }
        if read.len() == in_file {
            let skipped = (start + in_file as u64).saturating_sub(self.bytes) as usize;
            let rest = self.residue.get(skipped..).unwrap_or_default();
            read.extend_from_slice(&rest[..rest.len().min(length - in_file)]);
        }
        Ok(read.freeze())
    }

    async fn check_batches(
        &self,
        findings: &mut Vec<Finding>,
        checksums: Option<Checksums<'_>>,
        shown: &mut dyn FnMut(BatchView<'_>) -> Vec<String>,
    ) -> std::io::Result<Option<i64>> {
        let file = match self.bytes {
            0 => None,
            _ => Some(self.runtime.disk().open(&self.file(FileKind::Log), OpenOptions::default()).await?),
        };
        let has_gaps = checksums.is_some_and(|checksums| checksums.header.cleaned_to.is_some());
        let end = self.bytes + self.residue.len() as u64;
        let (mut position, mut next_offset, mut wanted) = (0, self.base, READ_BYTES);
        while position < end {
            // Sidecar entries are of whole blocks: begin at one.
            let start = position / crate::segment::BLOCK_BYTES as u64 * crate::segment::BLOCK_BYTES as u64;
            let length = (end - start).min(wanted as u64) as usize;
            let bytes = self.read(file.as_ref(), start, length).await?;
            if bytes.len() < length {
                self.find(findings, FileKind::Log, start + bytes.len() as u64, "the file ends early".to_owned());
                return Ok(None);
            }
            let first = start / crate::segment::BLOCK_BYTES as u64;
            if let Some(Err(block)) = checksums.map(|checksums| checksums.verify(first, &bytes)) {
                let at = block * crate::segment::BLOCK_BYTES as u64;
                self.find(findings, FileKind::Log, at, "the block differs from its checksum".to_owned());
            }
            let mut at = (position - start) as usize;
            let before = at;
            while at + HEADER_BYTES <= bytes.len() {
                let Ok(header) = BatchHeader::parse(&bytes[at..]) else {
                    self.find(findings, FileKind::Log, start + at as u64, "this is no batch".to_owned());
                    return Ok(None);
                };
                let Ok(batch) = BatchView::parse(&bytes[at..]) else { break };
                let wrong = batch.verify_crc().map_or_else(|error| vec![error.to_string()], |()| shown(batch));
                for what in wrong {
                    self.find(findings, FileKind::Log, start + at as u64, what);
                }
                if header.base_offset < next_offset {
                    let what = format!("offset {} follows {}", header.base_offset, next_offset - 1);
                    self.find(findings, FileKind::Log, start + at as u64, what);
                } else if header.base_offset > next_offset && !has_gaps {
                    let what = format!("offsets from {next_offset} to {} are missing", header.base_offset - 1);
                    self.find(findings, FileKind::Log, start + at as u64, what);
                }
                next_offset = header.last_offset() + 1;
                at += header.size_bytes();
            }
            position = start + at as u64;
            if at == before {
                if start + bytes.len() as u64 >= end {
                    break;
                }
                wanted *= 2;
            }
        }
        if position < end {
            self.find(findings, FileKind::Log, position, "the last batch is not whole".to_owned());
        }
        Ok(Some(next_offset))
    }

    /// Compares the indexes with what the sidecar says of them.
    async fn check_statement(&self, findings: &mut Vec<Finding>, stated: IndexStatement) -> std::io::Result<()> {
        if stated.covered_bytes == 0 {
            return Ok(());
        }
        if stated.covered_bytes != self.bytes {
            let what = format!("{} bytes of the log were indexed, it has {}", stated.covered_bytes, self.bytes);
            self.find(findings, FileKind::Log, self.bytes, what);
        }
        for (kind, digest) in [(FileKind::OffsetIndex, stated.offsets), (FileKind::TimeIndex, stated.times)] {
            let bytes = read_whole(self.runtime, &self.file(kind)).await?;
            if bytes.len() != digest.bytes as usize || !digest.begins(&bytes) {
                self.find(findings, kind, 0, "the index differs from its checksum".to_owned());
            }
        }
        Ok(())
    }

    /// Compares the transaction index with what was stated of it; what a crash left beyond that says nothing.
    async fn check_transactions(
        &self,
        findings: &mut Vec<Finding>,
        stated: Option<IndexDigest>,
    ) -> std::io::Result<()> {
        let bytes = read_whole(self.runtime, &self.file(FileKind::TransactionIndex)).await?.freeze();
        let counted = match stated {
            Some(stated) if !stated.begins(&bytes) => {
                let what = "the transaction index differs from its checksum".to_owned();
                self.find(findings, FileKind::TransactionIndex, 0, what);
                return Ok(());
            }
            Some(stated) => bytes.slice(..stated.bytes as usize),
            None if self.partial => return Ok(()),
            None => bytes,
        };
        if let Err(error) = TransactionIndex::parse(Offset(self.base), counted) {
            self.find(findings, FileKind::TransactionIndex, error.position, error.reason.to_owned());
        }
        Ok(())
    }

    async fn check_indexes(&self, findings: &mut Vec<Finding>, next_offset: Option<i64>) -> std::io::Result<()> {
        let offsets = read_whole(self.runtime, &self.file(FileKind::OffsetIndex)).await?.to_vec();
        let checked = OffsetIndex::parse(Offset(self.base), offsets)
            .and_then(|index| index.verify(self.bytes + self.residue.len() as u64));
        // The newest segment's indexes may be ahead of what is synced; a start makes them anew.
        if let Err(error) = checked
            && !self.partial
        {
            self.find(findings, FileKind::OffsetIndex, error.position, error.reason.to_owned());
        }
        let times = read_whole(self.runtime, &self.file(FileKind::TimeIndex)).await?.to_vec();
        let last_offset = Offset(next_offset.unwrap_or(i64::MAX) - 1);
        let checked = TimeIndex::parse(Offset(self.base), times).and_then(|index| index.verify(last_offset));
        if let Err(error) = checked
            && !self.partial
        {
            self.find(findings, FileKind::TimeIndex, error.position, error.reason.to_owned());
        }
        Ok(())
    }
}
