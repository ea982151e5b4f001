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
use super::unwritten::{PLACED_BYTES_MIN, Unwritten};
use super::writer::Wal;
use crate::crc::BatchCrc;
use crate::memory::CHUNK_BYTES;
use crate::runtime::BLOCK_BYTES;

/// The memory of one batch: slices of the chunks its commits were built in, filled in when these are sealed.
#[derive(Default)]
pub struct BatchMemory {
    parts: RefCell<Vec<Bytes>>,
    /// As it was validated; without blocks if it was not, or not for where it is.
    crc: BatchCrc,
}

impl BatchMemory {
    /// Memory that exists already.
    pub fn new(parts: Vec<Bytes>) -> Rc<BatchMemory> {
        Rc::new(BatchMemory { parts: RefCell::new(parts), crc: BatchCrc::default() })
    }

    /// Memory to be filled with a batch of this checksum.
    pub fn to_fill(crc: BatchCrc) -> Rc<BatchMemory> {
        Rc::new(BatchMemory { parts: RefCell::default(), crc })
    }

    /// The batch's checksum.
    pub fn crc(&self) -> &BatchCrc {
        &self.crc
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
    pub fn add(&mut self, wal: &Wal, mut entry: Unwritten<'_>, memory: Option<&Rc<BatchMemory>>) -> Lsn {
        self.gathered.add(entry.bytes());
        let mut lsn = None;
        while entry.bytes() > 0 {
            let room = self.room(wal);
            let take = (room - self.fill_up(room, &entry)).min(entry.bytes());
            let fragment =
                Fragment { first: lsn.is_none(), last: take == entry.bytes(), filler: false, bytes: take as u32 };
            lsn.get_or_insert(self.start.next);
            let (chunk, checksum, fills) = self.open_parts();
            put(chunk, checksum, &fragment.encode());
            let start = chunk.len() + entry.header_bytes().min(take);
            entry.take(take, chunk, checksum);
            if let Some(memory) = memory
                && start < chunk.len()
            {
                fills.push((memory.clone(), start, chunk.len()));
            }
        }
        lsn.unwrap_or(self.start.next)
    }

    /// Moves the body's next bytes to where in a block they want to lie. How many bytes of the `room` that took.
    fn fill_up(&mut self, room: usize, entry: &Unwritten<'_>) -> usize {
        let Some(wanted) = entry.place() else { return 0 };
        let (chunk, checksum, _) = self.open_parts();
        let unfilled = chunk.len() + FRAGMENT_HEADER_BYTES + entry.header_bytes();
        if unfilled % BLOCK_BYTES == wanted {
            return 0;
        }
        let filler = (wanted + BLOCK_BYTES - (unfilled + FRAGMENT_HEADER_BYTES) % BLOCK_BYTES) % BLOCK_BYTES;
        let taken = FRAGMENT_HEADER_BYTES + filler;
        let piece_bytes = room.saturating_sub(taken).min(entry.bytes()).saturating_sub(entry.header_bytes());
        if piece_bytes < PLACED_BYTES_MIN {
            return 0;
        }
        put(chunk, checksum, &Fragment { filler: true, bytes: filler as u32, ..Fragment::default() }.encode());
        put(chunk, checksum, &[0; BLOCK_BYTES][..filler]);
        taken
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

fn put(chunk: &mut BytesMut, checksum: &mut RunningChecksum, bytes: &[u8]) {
    chunk.extend_from_slice(bytes);
    checksum.add(bytes, None);
}
