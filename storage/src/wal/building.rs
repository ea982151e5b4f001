//! The commit that gathers: entries are copied into a chunk of memory, which is sealed with a header and becomes at once
//! what is written and what the tails refer to.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::checksum::RunningChecksum;
use super::format::{
    COMMIT_ALIGNMENT, COMMIT_HEADER_BYTES, CommitHeader, FRAGMENT_HEADER_BYTES, Fragment, Lsn, header_crc,
};
use super::group::Group;
use super::pace::Gathered;
use super::writer::Wal;
use crate::memory::CHUNK_BYTES;

/// The memory of one batch: slices of the chunks its commits were built in, filled in when these are sealed.
#[derive(Default)]
pub struct BatchMemory {
    parts: RefCell<Vec<Bytes>>,
}

impl BatchMemory {
    /// Memory that exists already.
    pub fn new(parts: Vec<Bytes>) -> Rc<BatchMemory> {
        Rc::new(BatchMemory { parts: RefCell::new(parts) })
    }

    /// The slices, in order.
    pub fn parts(&self) -> Vec<Bytes> {
        self.parts.borrow().clone()
    }

    /// Adds the slices to `rope`.
    pub fn append_to(&self, rope: &mut Vec<Bytes>) {
        rope.extend(self.parts.borrow().iter().cloned());
    }

    /// Moves the bytes out of their chunks into memory of their own, so that the chunks can be used again.
    pub fn detach(&self) {
        let mut parts = self.parts.borrow_mut();
        let copy = Bytes::from(parts.concat());
        *parts = vec![copy];
    }
}

/// What an entry says after its header.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body<'a> {
    /// Its bytes, in pieces.
    pub parts: &'a [&'a [u8]],
    /// The CRC-32C of the last piece, if it is known.
    pub last_crc: Option<u32>,
}

/// Where a log's own history goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalStart {
    /// See [`CommitHeader::ring_id`].
    pub ring_id: u64,
    /// Number of this opening.
    pub incarnation: u32,
    /// Header checksum of the last commit kept.
    pub previous_crc: u32,
    /// Where the next commit goes.
    pub next: Lsn,
    /// Nothing below is needed.
    pub trim: Lsn,
}

/// A commit ready to be written.
pub struct Sealed {
    /// Where it goes.
    pub lsn: Lsn,
    /// Header, payload, padding.
    pub bytes: Bytes,
}

/// A batch, and the piece of the open commit that holds some of it.
pub type Fill = (Rc<BatchMemory>, usize, usize);

/// What the next commits will hold.
pub struct Building {
    /// Where they go, and what they are chained to.
    pub start: WalStart,
    /// The chunk; its filled part is the open commit. `None` before the first append and when idle.
    pub chunk: Option<BytesMut>,
    /// How long the open commit may get.
    limit: usize,
    /// Of the open commit's payload.
    checksum: RunningChecksum,
    /// Commits that are full.
    pub sealed: Vec<Sealed>,
    /// Batches with a piece in the open commit, and where in it.
    fills: Vec<Fill>,
    /// What came since the last commit began.
    pub gathered: Gathered,
    /// Who waits for them.
    pub group: Rc<Group>,
}

impl Building {
    /// Nothing yet, to go on at `start`.
    pub fn new(start: WalStart) -> Building {
        Building {
            start,
            chunk: None,
            limit: 0,
            checksum: RunningChecksum::default(),
            sealed: Vec::new(),
            fills: Vec::new(),
            gathered: Gathered::default(),
            group: Group::new(),
        }
    }

    /// Copies an entry in, over as many commits as it needs; where the first of them will be.
    pub fn add(&mut self, wal: &Wal, header: &[u8], body: Body<'_>, memory: Option<&Rc<BatchMemory>>) -> Lsn {
        let mut rest_bytes = header.len() + body.parts.iter().map(|part| part.len()).sum::<usize>();
        self.gathered.add(rest_bytes);
        let known = body.last_crc.and_then(|crc| Some((body.parts.last()?.len(), crc)));
        let mut slices = std::iter::once(header).chain(body.parts.iter().copied());
        let mut slice: &[u8] = slices.next().unwrap_or(&[]);
        let mut unkept = header.len();
        let mut lsn = None;
        while rest_bytes > 0 {
            let room = self.room(wal);
            let take = room.min(rest_bytes);
            let fragment = Fragment { first: lsn.is_none(), last: take == rest_bytes, bytes: take as u32 };
            lsn.get_or_insert(self.start.next);
            let (chunk, checksum, fills) = self.open_parts();
            let encoded = fragment.encode();
            chunk.extend_from_slice(&encoded);
            checksum.add(&encoded, None);
            let start = chunk.len() + unkept.min(take);
            unkept -= unkept.min(take);
            let mut copied = 0;
            while copied < take {
                if slice.is_empty() {
                    slice = slices.next().unwrap_or(&[]);
                    continue;
                }
                let (now, later) = slice.split_at(slice.len().min(take - copied));
                chunk.extend_from_slice(now);
                // The last piece, whole: nothing of the entry is behind it.
                let is_known = |&(bytes, _): &(usize, u32)| now.len() == bytes && rest_bytes == copied + bytes;
                checksum.add(now, known.filter(is_known).map(|(_, crc)| crc));
                copied += now.len();
                slice = later;
            }
            if let Some(memory) = memory
                && start < chunk.len()
            {
                fills.push((memory.clone(), start, chunk.len()));
            }
            rest_bytes -= take;
        }
        lsn.unwrap_or(self.start.next)
    }

    /// Bytes that the open commit takes yet; opens one if need be.
    fn room(&mut self, wal: &Wal) -> usize {
        let used = self.chunk.as_ref().map_or(0, BytesMut::len);
        if used > 0 && used + FRAGMENT_HEADER_BYTES < self.limit {
            return self.limit - used - FRAGMENT_HEADER_BYTES;
        }
        self.seal(wal, false);
        self.open(wal);
        self.limit - COMMIT_HEADER_BYTES - FRAGMENT_HEADER_BYTES
    }

    /// Nothing to write.
    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.chunk.as_ref().is_none_or(BytesMut::is_empty)
    }

    fn open_parts(&mut self) -> (&mut BytesMut, &mut RunningChecksum, &mut Vec<Fill>) {
        let chunk = self.chunk.as_mut().expect("a commit is open: room() was called");
        (chunk, &mut self.checksum, &mut self.fills)
    }

    /// Gives the rest of the chunk back.
    pub fn retire_chunk(&mut self, wal: &Wal) {
        if let Some(remainder) = self.chunk.take() {
            wal.memory.retire(remainder);
        }
    }

    /// Begins a commit: as long as the chunk's rest, the file's rest and the format allow.
    fn open(&mut self, wal: &Wal) {
        if self.chunk.as_ref().is_none_or(|chunk| chunk.capacity() < COMMIT_ALIGNMENT) {
            self.retire_chunk(wal);
            self.chunk = Some(wal.memory.take_chunk());
        }
        let chunk = self.chunk.as_mut().expect("just set");
        let file_rest = wal.ring.file_bytes() - self.start.next.0 % wal.ring.file_bytes();
        let chunk_rest = chunk.capacity() / COMMIT_ALIGNMENT * COMMIT_ALIGNMENT;
        self.limit = chunk_rest.min(CHUNK_BYTES).min(usize::try_from(file_rest).unwrap_or(usize::MAX));
        chunk.extend_from_slice(&[0; COMMIT_HEADER_BYTES]);
        self.checksum = RunningChecksum::default();
    }

    /// Makes sure that the next commit is written even if it holds nothing.
    pub fn force(&mut self, wal: &Wal) {
        if self.is_empty() {
            self.open(wal);
        }
    }

    /// The last commit of a clean close.
    pub fn force_clean(&mut self, wal: &Wal) {
        self.force(wal);
        self.seal(wal, true);
    }

    /// Ends the open commit: header, padding, and the memory of its batches.
    pub fn seal(&mut self, wal: &Wal, clean: bool) {
        let Some(chunk) = self.chunk.as_mut().filter(|chunk| !chunk.is_empty()) else { return };
        let mut commit_bytes = chunk.len();
        chunk.resize(commit_bytes.next_multiple_of(COMMIT_ALIGNMENT), 0);
        let mut commit = chunk.split();
        let payload = &commit[COMMIT_HEADER_BYTES..commit_bytes];
        debug_assert_eq!(self.checksum.value(), crc32c::crc32c(payload), "a batch has the checksum it was checked for");
        let header = CommitHeader {
            clean,
            ring_id: self.start.ring_id,
            incarnation: self.start.incarnation,
            previous_crc: self.start.previous_crc,
            lsn: self.start.next,
            payload_bytes: payload.len() as u32,
            payload_crc: self.checksum.value(),
            durable: wal.durable.get(),
            trim: wal.trim.get(),
            file_bytes: wal.ring.file_bytes(),
        };
        let encoded = header.encode();
        commit[..COMMIT_HEADER_BYTES].copy_from_slice(&encoded);
        commit_bytes = commit.len();
        let bytes = commit.freeze();
        for (memory, start, end) in self.fills.drain(..) {
            memory.parts.borrow_mut().push(bytes.slice(start..end));
        }
        self.sealed.push(Sealed { lsn: self.start.next, bytes });
        self.start.previous_crc = header_crc(&encoded);
        self.start.next = Lsn(self.start.next.0 + commit_bytes as u64);
    }
}
