//! Reading whole batches: from memory without waiting, else from segments.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use super::{AbortedTransaction, Log, LogRead, ReadError, ReadLimit, ReadOptions};
use crate::error::StorageError;
use crate::ids::Offset;
use crate::runtime::{BLOCK_BYTES, File, Runtime};
use crate::segment::FileKind;
use crate::segment_file::Segment;

/// The least that is read from a segment at once: neighbours are wanted next.
const READ_BYTES_MIN: usize = 64 << 10;

/// What is needed to read from a segment, taken at one moment.
struct Source {
    segment: Rc<Segment>,
    /// Bytes in the file that count.
    bytes: u64,
    /// What follows them, if this is the segment being written.
    residue: Bytes,
    /// Where to begin, if that is known without reading an index.
    position: Option<u64>,
}

impl Log {
    /// Reads whole batches. An offset at or beyond the limit reads nothing; memory tails are answered without waiting.
    pub async fn read(&self, options: ReadOptions) -> Result<LogRead, ReadError> {
        self.check_open()?;
        let offset = options.offset.0;
        let limit = self.limit(options.limit);
        if offset < self.start.get() || offset > self.end.get() {
            return Err(ReadError::OffsetOutOfRange);
        }
        if offset >= limit {
            // A reader of committed data may stand behind a transaction that is open.
            return Ok(LogRead::default());
        }
        let mut read = match self.read_tail(&options, limit) {
            Some(read) => read,
            None => self.read_files(&options, limit).await?,
        };
        if options.limit == ReadLimit::LastStableOffset && read.bytes > 0 {
            read.aborted_transactions = self.aborted_of(&read, offset).await?;
        }
        Ok(read)
    }

    async fn read_files(&self, options: &ReadOptions, limit: i64) -> Result<LogRead, ReadError> {
        let offset = options.offset.0;
        let (bytes_max, at_least_one) = (options.bytes_max, options.at_least_one_batch);
        let read = self.read_segment(offset, limit, bytes_max, at_least_one).await;
        if offset < self.start.get() {
            // Removed while it was being read.
            return Err(ReadError::OffsetOutOfRange);
        }
        let bytes = read?;
        let length = bytes.len();
        Ok(LogRead { records: vec![bytes], bytes: length, aborted_transactions: Vec::new() })
    }

    /// The aborted transactions that overlap what was read.
    async fn aborted_of(&self, read: &LogRead, offset: i64) -> Result<Vec<AbortedTransaction>, StorageError> {
        let found = self.aborted_transactions(offset, end_of(&read.records)).await;
        found.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.corrupt(0, error.to_string()),
            _ => self.volume.health.read_failed(&self.name, &error),
        })
    }

    fn read_tail(&self, options: &ReadOptions, limit: i64) -> Option<LogRead> {
        let state = self.state.borrow();
        if state.tail.first_offset().is_none_or(|first| options.offset.0 < first) {
            return None;
        }
        let (offset, at_least_one) = (options.offset.0, options.at_least_one_batch);
        let (records, bytes) = state.tail.read(offset, limit, options.bytes_max, at_least_one);
        Some(LogRead { records, bytes, aborted_transactions: Vec::new() })
    }

    /// The offset a reader may not pass.
    pub(crate) fn limit(&self, limit: ReadLimit) -> i64 {
        match limit {
            ReadLimit::HighWatermark => self.high.get(),
            ReadLimit::LastStableOffset => self.stable.get(),
            ReadLimit::LogEnd => self.end.get(),
        }
    }

    /// Whole batches from the one that holds `offset`, or from the next where compaction left a gap; every one checked.
    pub(crate) async fn read_segment(
        &self,
        offset: i64,
        limit: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Bytes, StorageError> {
        let mut offset = offset;
        while offset < limit {
            let source = self.source(offset)?;
            let read = self.read_from(&source, offset, limit, bytes_max, at_least_one).await;
            if source.segment.is_replaced() {
                // Compacted meanwhile: the files of these names may have been the old ones or the new.
                continue;
            }
            if let Some(bytes) = read? {
                return Ok(bytes);
            }
            // The segment ends in a gap. What comes next may be in memory only: after a power cut, say, that met a segment
            // which was begun and of which nothing was written.
            let next = self.state.borrow().files.segments.range(offset + 1..).next().map(|(base, _)| *base);
            offset = next.unwrap_or(self.active()).max(offset + 1);
            if self.is_in_memory_only(offset) {
                let (records, _) = self.state.borrow().tail.read(offset, limit, bytes_max, at_least_one);
                return Ok(records.concat().into());
            }
        }
        Ok(Bytes::new())
    }

    /// Whether the newest segment begins here, and nothing of it was written yet.
    fn is_in_memory_only(&self, offset: i64) -> bool {
        let state = self.state.borrow();
        let files = &state.files;
        offset >= files.active && files.position == 0 && files.residue.is_empty()
    }

    /// `None` if all that is left of the segment is below `offset`, and compaction has been there.
    async fn read_from(
        &self,
        source: &Source,
        offset: i64,
        limit: i64,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Option<Bytes>, StorageError> {
        let mut position = self.start_position(source, offset).await?;
        let mut wanted = bytes_max.max(READ_BYTES_MIN);
        loop {
            let bytes = self.read_source(source, position, wanted).await?;
            let at_end = position + bytes.len() as u64 >= source.bytes + source.residue.len() as u64;
            let cut = self.cut(source, &bytes, position, offset, limit)?;
            match cut {
                Cut::Found { start, end } => {
                    self.check_gap(source, &bytes[start..], position, offset)?;
                    return Ok(Some(self.bounded(source, bytes, position, start, end, bytes_max, at_least_one)));
                }
                Cut::Limit => return Ok(Some(Bytes::new())),
                Cut::Beyond { consumed } if !at_end => position += consumed as u64,
                Cut::Beyond { .. } if source.segment.has_gaps() => return Ok(None),
                Cut::Partial { start, needed } if !at_end => {
                    position += start as u64;
                    wanted = wanted.max(needed);
                }
                _ => {
                    let reason = format!("offset {offset} is missing");
                    return Err(self.segment_corrupt(&source.segment, position, reason));
                }
            }
        }
    }

    /// A batch that begins beyond `offset` is right only where compaction has been.
    fn check_gap(&self, source: &Source, bytes: &[u8], position: u64, offset: i64) -> Result<(), StorageError> {
        let gap = BatchHeader::parse(bytes).is_ok_and(|header| header.base_offset > offset);
        if !gap || source.segment.has_gaps() {
            return Ok(());
        }
        Err(self.segment_corrupt(&source.segment, position, format!("offset {offset} is missing")))
    }

    fn source(&self, offset: i64) -> Result<Source, StorageError> {
        let state = self.state.borrow();
        let files = &state.files;
        let found = files.segments.range(..=offset).next_back().map(|(_, segment)| segment.clone());
        // All of the newest segment may still be residue, without a file.
        let newest = files.active <= offset;
        let Some(segment) = found.filter(|segment| !newest || segment.base_offset == files.active).or_else(|| {
            let directory = Rc::new(self.path.clone());
            newest.then(|| Segment::new(directory, files.active, 0, -1))
        }) else {
            return Err(self.corrupt(0, format!("no segment holds offset {offset}")));
        };
        let (bytes, residue) =
            if newest { (files.position, files.residue.clone()) } else { (segment.bytes.get(), Bytes::new()) };
        let indexed = newest.then(|| u64::from(files.indexer.offsets.lookup(Offset(offset)).position));
        let position = segment.hint(offset).or(indexed);
        Ok(Source { segment, bytes, residue, position })
    }

    async fn start_position(&self, source: &Source, offset: i64) -> Result<u64, StorageError> {
        if let Some(position) = source.position {
            return Ok(position);
        }
        let index = source.segment.offset_index(&self.volume.runtime, &self.volume.open_segments).await;
        let index = index.map_err(|error| self.volume.health.read_failed(&self.name, &error))?;
        Ok(index.lookup(Offset(offset)).position.into())
    }

    /// Bytes of the file from `position`, then what is not in the file yet.
    async fn read_source(&self, source: &Source, position: u64, wanted: usize) -> Result<Bytes, StorageError> {
        let failed = |error| self.volume.health.read_failed(&self.name, &error);
        let in_file = usize::try_from(source.bytes.saturating_sub(position)).unwrap_or(usize::MAX).min(wanted);
        let mut bytes = BytesMut::new();
        if in_file > 0 {
            let file = source.segment.open(&self.volume.runtime, &self.volume.open_segments).await.map_err(failed)?;
            bytes = read_blocks(&self.volume.runtime, &file, position, in_file).await.map_err(failed)?;
            if bytes.len() != in_file {
                let reason = format!("the file ends {} bytes early", in_file - bytes.len());
                return Err(self.segment_corrupt(&source.segment, position, reason));
            }
        }
        let at = position + in_file as u64;
        if at >= source.bytes {
            let skip = usize::try_from(at - source.bytes).unwrap_or(usize::MAX).min(source.residue.len());
            bytes.extend_from_slice(&source.residue[skip..]);
        }
        Ok(bytes.freeze())
    }

    /// Finds the batches to return, checking each.
    fn cut(&self, source: &Source, bytes: &Bytes, position: u64, offset: i64, limit: i64) -> Result<Cut, StorageError> {
        let (mut at, mut start, mut expected) = (0, None, None);
        while at + HEADER_BYTES <= bytes.len() {
            let damaged = |reason: String| self.segment_corrupt(&source.segment, position + at as u64, reason);
            let header = BatchHeader::parse(&bytes[at..]).map_err(|error| damaged(error.to_string()))?;
            // The checksum does not cover the base offset: the batch before and the offset asked for tell what it has to be.
            let continues = expected.map_or(header.base_offset <= offset, |expected| header.base_offset == expected);
            if !continues && !source.segment.has_gaps() {
                return Err(damaged(format!("a batch claims offset {}", header.base_offset)));
            }
            expected = Some(header.last_offset().saturating_add(1));
            let Ok(batch) = BatchView::parse(&bytes[at..]) else {
                return Ok(match start {
                    Some(start) => Cut::Found { start, end: at },
                    None => Cut::Partial { start: at, needed: header.size_bytes() },
                });
            };
            if header.last_offset() >= offset {
                if header.last_offset() >= limit {
                    return Ok(start.map_or(Cut::Limit, |start| Cut::Found { start, end: at }));
                }
                batch.verify_crc().map_err(|error| damaged(error.to_string()))?;
                start.get_or_insert(at);
            }
            at += header.size_bytes();
        }
        Ok(match start {
            Some(start) => Cut::Found { start, end: at },
            None => Cut::Beyond { consumed: at },
        })
    }

    /// As many of the batches found as `bytes_max` allows; notes where the next read begins.
    #[allow(clippy::too_many_arguments, reason = "one caller; a struct would only rename them")]
    fn bounded(
        &self,
        source: &Source,
        bytes: Bytes,
        position: u64,
        start: usize,
        end: usize,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Bytes {
        let mut at = start;
        let mut next_offset = None;
        while let Ok(header) = BatchHeader::parse(&bytes[at..end]) {
            let next = at + header.size_bytes();
            if next - start > bytes_max && !(at == start && at_least_one) {
                break;
            }
            at = next;
            next_offset = Some(header.last_offset() + 1);
        }
        if let Some(next_offset) = next_offset {
            source.segment.add_hint(next_offset, position + at as u64);
        }
        bytes.slice(start..at)
    }

    pub(crate) fn segment_corrupt(&self, segment: &Segment, position: u64, reason: String) -> StorageError {
        let file = segment.path(FileKind::Log).display().to_string();
        StorageError::Corrupt { file, position, reason }
    }
}

/// The offset after the last of some whole batches; a batch may be split between parts.
fn end_of(records: &[Bytes]) -> i64 {
    let mut end = 0;
    let mut rest = records.iter().fold(0, |bytes, part| bytes + part.len());
    let mut at = 0;
    while rest >= HEADER_BYTES {
        let header = header_at(records, at);
        let Ok(header) = BatchHeader::parse(&header) else { break };
        end = header.last_offset() + 1;
        at += header.size_bytes();
        rest = rest.saturating_sub(header.size_bytes());
    }
    end
}

/// A header's bytes from position `at` of the parts taken together.
fn header_at(parts: &[Bytes], mut at: usize) -> [u8; HEADER_BYTES] {
    let (mut header, mut filled) = ([0; HEADER_BYTES], 0);
    for part in parts {
        let from = at.min(part.len());
        let count = (part.len() - from).min(HEADER_BYTES - filled);
        header[filled..filled + count].copy_from_slice(&part[from..from + count]);
        filled += count;
        at -= from;
        if filled == HEADER_BYTES {
            break;
        }
    }
    header
}

/// Up to `length` bytes at `position` of a file that may want whole blocks; fewer only at its end.
pub(crate) async fn read_blocks(runtime: &Runtime, file: &File, position: u64, length: usize) -> io::Result<BytesMut> {
    if !file.is_direct() {
        return runtime.disk().read(file, position, length).await;
    }
    let skip = (position % BLOCK_BYTES as u64) as usize;
    let blocks = (skip + length).next_multiple_of(BLOCK_BYTES);
    let mut bytes = runtime.disk().read(file, position - skip as u64, blocks).await?;
    bytes.advance(skip.min(bytes.len()));
    bytes.truncate(length);
    Ok(bytes)
}

/// What a piece of a segment has to offer.
enum Cut {
    /// The batches wanted, by place.
    Found { start: usize, end: usize },
    /// The batch that holds the offset is not below the limit.
    Limit,
    /// All of it is below the offset.
    Beyond { consumed: usize },
    /// The batch wanted is larger than the piece.
    Partial { start: usize, needed: usize },
}
