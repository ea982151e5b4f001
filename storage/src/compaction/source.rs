//! Reading a closed segment from end to end, in pieces of whole batches.

use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use crate::error::StorageError;
use crate::log::Log;
use crate::log::read::read_blocks;
use crate::segment_file::Segment;

/// A segment being read.
pub(super) struct Source {
    pub segment: Rc<Segment>,
    /// Where the next one begins.
    pub next_offset: i64,
    position: u64,
    bytes: u64,
    /// The offset that has to come next; gaps are allowed where compaction has been.
    expected: i64,
    has_gaps: bool,
}

/// Whole batches, not checked yet.
pub(super) struct Piece {
    pub bytes: Bytes,
    position: u64,
    expected: i64,
    has_gaps: bool,
    /// Set for the segment's last piece: the offset it has to end at.
    ends_at: Option<i64>,
}

impl Source {
    /// From the batch that holds `offset` on.
    pub async fn open(log: &Log, segment: Rc<Segment>, next_offset: i64, offset: i64) -> Result<Source, StorageError> {
        let failed = |error: io::Error| log.volume().health.read_failed(log.name(), &error);
        let runtime = &log.volume().runtime;
        let has_gaps = segment.has_gaps();
        let bytes = segment.bytes.get();
        let mut source = Source { expected: segment.base_offset, next_offset, position: 0, bytes, has_gaps, segment };
        if offset > source.segment.base_offset {
            let index = source.segment.offset_index(runtime, &log.volume().open_segments).await.map_err(failed)?;
            source.position = index.lookup(crate::ids::Offset(offset)).position.into();
            // The first batch there says what comes next.
            source.expected = -1;
        }
        Ok(source)
    }

    /// The next piece, of about `bytes_max`; `None` at the end.
    pub async fn next(&mut self, log: &Log, bytes_max: usize) -> Result<Option<Piece>, StorageError> {
        let failed = |error: io::Error| log.volume().health.read_failed(log.name(), &error);
        let volume = log.volume();
        let mut wanted = bytes_max.max(HEADER_BYTES);
        while self.position < self.bytes {
            let file = self.segment.open(&volume.runtime, &volume.open_segments).await.map_err(failed)?;
            let length = usize::try_from(self.bytes - self.position).unwrap_or(usize::MAX).min(wanted);
            let bytes = read_blocks(&volume.runtime, &file, self.position, length).await.map_err(failed)?;
            let at_end = self.position + length as u64 == self.bytes;
            let (whole, next) = whole_batches(&bytes).map_err(|reason| self.corrupt(log, reason))?;
            if whole > 0 && (!at_end || whole == bytes.len()) {
                return Ok(Some(self.piece(bytes, whole, next, at_end)));
            }
            if at_end || bytes.len() < length {
                return Err(self.corrupt(log, "the last batch is not whole".to_owned()));
            }
            // One batch is larger than that.
            wanted = wanted.saturating_mul(2);
        }
        Ok(None)
    }

    fn piece(&mut self, mut bytes: BytesMut, whole: usize, next: i64, at_end: bool) -> Piece {
        bytes.truncate(whole);
        let (position, has_gaps) = (self.position, self.has_gaps);
        let expected = std::mem::replace(&mut self.expected, next);
        self.position += whole as u64;
        Piece { bytes: bytes.freeze(), position, expected, has_gaps, ends_at: at_end.then_some(self.next_offset) }
    }

    /// Damage at the place read last.
    pub fn corrupt(&self, log: &Log, reason: String) -> StorageError {
        log.segment_corrupt(&self.segment, self.position, reason)
    }
}

/// How many bytes are whole batches, and the offset after them.
fn whole_batches(bytes: &[u8]) -> Result<(usize, i64), String> {
    let (mut at, mut next) = (0, -1);
    while at + HEADER_BYTES <= bytes.len() {
        let header = BatchHeader::parse(&bytes[at..]).map_err(|error| error.to_string())?;
        if header.size_bytes() > bytes.len() - at {
            break;
        }
        at += header.size_bytes();
        next = header.last_offset() + 1;
    }
    Ok((at, next))
}

impl Piece {
    /// Hands over every batch once it was checked: its checksum, and that no offset is missing or comes twice. An error
    /// says what is wrong and where in the segment. Takes time: to be called on the thread aside.
    pub fn for_each(
        &self,
        mut visit: impl FnMut(Bytes, &BatchView<'_>) -> Result<(), protocol::records::BatchError>,
    ) -> Result<(), (u64, String)> {
        let (mut at, mut expected) = (0, self.expected);
        while at < self.bytes.len() {
            let damaged = |reason: String| (self.position + at as u64, reason);
            let batch = BatchView::parse(&self.bytes[at..]).map_err(|error| damaged(error.to_string()))?;
            batch.verify_crc().map_err(|error| damaged(error.to_string()))?;
            let (base_offset, next_offset) = (batch.header.base_offset, batch.header.last_offset() + 1);
            let follows = if self.has_gaps { base_offset >= expected } else { base_offset == expected };
            if next_offset <= base_offset || (expected >= 0 && !follows) {
                return Err(damaged(format!("offset {base_offset} follows, expected {expected}")));
            }
            expected = next_offset;
            let end = at + batch.bytes().len();
            visit(self.bytes.slice(at..end), &batch).map_err(|error| damaged(error.to_string()))?;
            at = end;
        }
        match self.ends_at {
            Some(end) if expected > end || (expected < end && !self.has_gaps) => {
                Err((self.position + at as u64, format!("the segment ends before offset {expected}, expected {end}")))
            }
            _ => Ok(()),
        }
    }
}
