//! `msgloop check`: looks for damage in a stopped node's log directory. Reads everything, changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use crate::error::StorageError;
use crate::ids::{LogId, Offset};
use crate::leader_epochs::LeaderEpochs;
use crate::log::report::LEADER_EPOCH_FILE;
use crate::merge::partitions;
use crate::producer_state::ProducerState;
use crate::recovery::{self, Recovered, RecoveredLog};
use crate::runtime::{OpenOptions, Runtime};
use crate::segment::{
    Checksums, FileKind, IndexStatement, OffsetIndex, TimeIndex, TransactionIndex, file_name, parse_file_name,
};
use crate::segment_file::read_whole;
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

/// Checks the rings, segments, indexes, sidecars and snapshots of a log directory that nobody has open. An error is one of
/// reading; damage is a finding. What a crash leaves behind by design (a torn tail, bytes beyond what is synced) is none.
pub async fn check(runtime: &Runtime, directory: &Path) -> Result<Vec<Finding>, StorageError> {
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
    for (id, (_, path)) in partitions(runtime, directory).await.map_err(failed)? {
        let log = recovered.get(&id);
        if log.is_some_and(|log| log.deleted) {
            continue;
        }
        let checked = check_partition(runtime, id, &path, log, &mut findings).await;
        checked.map_err(|error| StorageError::Refused(format!("{}: {error}", path.display())))?;
    }
    Ok(findings)
}

async fn check_partition(
    runtime: &Runtime,
    id: LogId,
    path: &Path,
    recovered: Option<&RecoveredLog>,
    findings: &mut Vec<Finding>,
) -> std::io::Result<()> {
    let synced = recovered.and_then(|log| log.synced.as_ref()).map(|(_, synced)| synced);
    let mut segments = BTreeMap::new();
    for name in runtime.disk().list(path).await? {
        let file = path.join(&name);
        match parse_file_name(&name) {
            Some((base, FileKind::Log)) if synced.is_none_or(|synced| base.0 <= synced.segment_base_offset) => {
                let bytes = runtime.disk().stat(&file).await?.bytes;
                segments.insert(base.0, bytes);
            }
            Some((offset, FileKind::ProducerSnapshot)) => {
                let bytes = read_whole(runtime, &file).await?;
                if let Err(error) = ProducerState::from_snapshot(&bytes, offset, 0, i64::MAX) {
                    findings.push(Finding { file, position: error.position, what: error.reason.to_owned() });
                }
            }
            _ if name == LEADER_EPOCH_FILE => {
                let bytes = read_whole(runtime, &file).await?;
                if let Err(error) = LeaderEpochs::parse_checkpoint(&String::from_utf8_lossy(&bytes)) {
                    findings.push(Finding { file, position: error.position, what: error.reason.to_owned() });
                }
            }
            _ => {}
        }
    }
    let mut expected = None;
    for (base, bytes) in segments {
        let counted = match synced {
            Some(synced) if synced.segment_base_offset == base => synced.synced_bytes,
            _ => bytes,
        };
        let partial = synced.is_some_and(|synced| synced.segment_base_offset == base);
        let segment = SegmentCheck { runtime, id, path, base, bytes: counted, partial };
        if bytes < counted {
            segment.find(findings, FileKind::Log, bytes, format!("the file ends here; {counted} bytes were synced"));
            continue;
        }
        if expected.is_some_and(|expected| expected != base) {
            segment.find(findings, FileKind::Log, 0, format!("offsets from {} on are missing", expected.unwrap_or(0)));
        }
        expected = segment.check(findings).await?;
    }
    Ok(())
}

struct SegmentCheck<'a> {
    runtime: &'a Runtime,
    id: LogId,
    path: &'a Path,
    base: i64,
    /// Bytes that count.
    bytes: u64,
    /// It is being written: the last batch may go on in the write-ahead log, and only the log itself was synced.
    partial: bool,
}

impl SegmentCheck<'_> {
    fn file(&self, kind: FileKind) -> PathBuf {
        self.path.join(file_name(Offset(self.base), kind))
    }

    fn find(&self, findings: &mut Vec<Finding>, kind: FileKind, position: u64, what: String) {
        findings.push(Finding { file: self.file(kind), position, what });
    }

    /// Returns the offset after the segment; `None` if that is unknown.
    async fn check(&self, findings: &mut Vec<Finding>) -> std::io::Result<Option<i64>> {
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
        let next_offset = self.check_batches(findings, checksums).await?;
        self.check_indexes(findings, next_offset).await?;
        self.check_statement(findings, stated).await?;
        Ok((!self.partial).then_some(next_offset).flatten())
    }

    async fn check_batches(
        &self,
        findings: &mut Vec<Finding>,
        checksums: Option<Checksums<'_>>,
    ) -> std::io::Result<Option<i64>> {
        let file = self.runtime.disk().open(&self.file(FileKind::Log), OpenOptions::default()).await?;
        let (mut position, mut next_offset, mut wanted) = (0, self.base, READ_BYTES);
        while position < self.bytes {
            // Sidecar entries are of whole blocks: begin at one.
            let start = position / crate::segment::BLOCK_BYTES as u64 * crate::segment::BLOCK_BYTES as u64;
            let length = (self.bytes - start).min(wanted as u64) as usize;
            let bytes = self.runtime.disk().read(&file, start, length).await?;
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
                if let Err(error) = batch.verify_crc() {
                    self.find(findings, FileKind::Log, start + at as u64, error.to_string());
                }
                if header.base_offset < next_offset {
                    let what = format!("offset {} follows {}", header.base_offset, next_offset - 1);
                    self.find(findings, FileKind::Log, start + at as u64, what);
                }
                next_offset = header.last_offset() + 1;
                at += header.size_bytes();
            }
            position = start + at as u64;
            if at == before {
                if start + bytes.len() as u64 >= self.bytes {
                    break;
                }
                wanted *= 2;
            }
        }
        if position < self.bytes && !self.partial {
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

    async fn check_indexes(&self, findings: &mut Vec<Finding>, next_offset: Option<i64>) -> std::io::Result<()> {
        let offsets = read_whole(self.runtime, &self.file(FileKind::OffsetIndex)).await?.to_vec();
        let checked = OffsetIndex::parse(Offset(self.base), offsets).and_then(|index| index.verify(self.bytes));
        // The newest segment's indexes may be ahead of what is synced; a start makes them anew.
        if let Err(error) = checked
            && !self.partial
        {
            self.find(findings, FileKind::OffsetIndex, error.position, error.reason.to_owned());
        }
        let aborted = read_whole(self.runtime, &self.file(FileKind::TransactionIndex)).await?.to_vec();
        if let Err(error) = TransactionIndex::parse(Offset(self.base), aborted)
            && !self.partial
        {
            self.find(findings, FileKind::TransactionIndex, error.position, error.reason.to_owned());
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
