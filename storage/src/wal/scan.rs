//! Reading a write-ahead log at the start: which commits count, where the log goes on, and what is damage.
//!
//! The first block of a file always begins a commit, so one block per file tells where the log is. From the newest
//! file's trim point the chain of commits is followed. Where it ends, the durable watermark alone decides: a header
//! anywhere beyond the end that calls the missing part durable makes it damage; otherwise it is a torn tail.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::building::WalStart;
use super::format::{
    COMMIT_ALIGNMENT, COMMIT_HEADER_BYTES, CommitHeader, Entry, Fragment, HeaderError, Lsn, decode_entry, header_crc,
};
use super::ring::{RingFiles, Slot, open_slot, slot_name};
use crate::error::StorageError;
use crate::runtime::{Lane, Runtime};

/// How much is read at once; a commit is never larger.
const WINDOW_BYTES: u64 = 1 << 20;

/// What a scan found.
pub struct Scan {
    /// The files, sorted into live and free.
    pub files: RingFiles,
    /// Where to go on.
    pub start: WalStart,
    /// Bytes of commits that were still needed.
    pub bytes: u64,
    /// The log ends with a clean close: there is nothing to replay.
    pub clean: bool,
}

struct ScannedSlot {
    slot: Slot,
    bytes: u64,
    /// Header in the first block, if it is one.
    first: Option<CommitHeader>,
}

struct Scanner<'a> {
    runtime: &'a Runtime,
    directory: &'a Path,
    slots: Vec<ScannedSlot>,
    ring_id: u64,
    file_bytes: u64,
    window: Option<(usize, u64, Bytes)>,
}

/// Reads the ring in `directory`, hands every complete entry to `visit` in the order of the log, and makes durable
/// what it found. `file_bytes` is for a ring that does not exist yet; an existing one keeps its own.
pub async fn scan(
    runtime: &Runtime,
    directory: &Path,
    file_bytes: u64,
    visit: &mut dyn FnMut(Lsn, Entry) -> Result<(), StorageError>,
) -> Result<Scan, StorageError> {
    let mut scanner = Scanner::open(runtime, directory, file_bytes).await?;
    let Some(newest) = scanner.newest() else {
        return scanner.scan_empty().await;
    };
    scanner.ring_id = newest.ring_id;
    scanner.file_bytes = newest.file_bytes;
    let walk = scanner.walk(newest.trim, visit).await?;
    scanner.judge_end(walk.end).await?;
    scanner.finish(walk).await
}

/// Reads a ring like [`scan`] and changes nothing: for `msgloop check`.
pub async fn inspect(
    runtime: &Runtime,
    directory: &Path,
    visit: &mut dyn FnMut(Lsn, Entry) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut scanner = Scanner::open(runtime, directory, COMMIT_ALIGNMENT as u64).await?;
    let Some(newest) = scanner.newest() else { return scanner.judge_empty().await };
    scanner.ring_id = newest.ring_id;
    scanner.file_bytes = newest.file_bytes;
    let walk = scanner.walk(newest.trim, visit).await?;
    scanner.judge_end(walk.end).await
}

/// Where the chain of commits led.
#[derive(Default)]
struct Walk {
    end: Lsn,
    last: Option<CommitHeader>,
    last_crc: u32,
}

impl<'a> Scanner<'a> {
    async fn open(runtime: &'a Runtime, directory: &'a Path, file_bytes: u64) -> Result<Scanner<'a>, StorageError> {
        let mut scanner = Scanner { runtime, directory, slots: Vec::new(), ring_id: 0, file_bytes, window: None };
        let names = runtime.disk().list(directory).await.map_err(|error| scanner.failed("", &error))?;
        for name in names {
            let Some(number) = name.strip_suffix(".wal").and_then(|number| number.parse().ok()) else { continue };
            let opened = scanner.open_slot(number).await.map_err(|error| scanner.failed(&name, &error))?;
            scanner.slots.push(opened);
            let index = scanner.slots.len() - 1;
            scanner.slots[index].first = scanner.header_at(index, 0).await?;
        }
        Ok(scanner)
    }

    async fn open_slot(&self, number: usize) -> io::Result<ScannedSlot> {
        let slot = open_slot(self.runtime, self.directory, number).await?;
        let bytes = self.runtime.disk().stat(&self.directory.join(slot_name(number))).await?.bytes;
        Ok(ScannedSlot { slot, bytes, first: None })
    }

    fn failed(&self, name: &str, error: &io::Error) -> StorageError {
        let directory = self.directory.join(name).display().to_string();
        StorageError::DirectoryFailed { directory, reason: format!("reading the write-ahead log: {error}") }
    }

    fn corrupt(&self, slot: Option<usize>, position: u64, reason: String) -> StorageError {
        let name = slot.map_or_else(String::new, |slot| slot_name(self.slots[slot].slot.number));
        StorageError::Corrupt { file: self.directory.join(name).display().to_string(), position, reason }
    }

    /// The newest first block: later openings go before larger positions, because a cut tail may leave larger ones.
    fn newest(&self) -> Option<CommitHeader> {
        self.slots.iter().filter_map(|slot| slot.first).max_by_key(|header| (header.incarnation, header.lsn))
    }

    /// At least `length` bytes of a file from `position`, less at its end.
    async fn bytes_at(&mut self, slot: usize, position: u64, length: u64) -> Result<Bytes, StorageError> {
        if let Some((held, start, bytes)) = &self.window
            && *held == slot
            && *start <= position
            && position + length <= start + bytes.len() as u64
        {
            return Ok(bytes.slice((position - start) as usize..));
        }
        let read = self.runtime.disk().read(&self.slots[slot].slot.file, position, WINDOW_BYTES.max(length) as usize);
        let name = slot_name(self.slots[slot].slot.number);
        let bytes = read.await.map_err(|error| self.failed(&name, &error))?.freeze();
        self.window = Some((slot, position, bytes.clone()));
        Ok(bytes)
    }

    /// The header at a block of a file. Only a newer program's header is an error.
    async fn header_at(&mut self, slot: usize, position: u64) -> Result<Option<CommitHeader>, StorageError> {
        let bytes = self.bytes_at(slot, position, COMMIT_ALIGNMENT as u64).await?;
        match CommitHeader::decode(&bytes) {
            Ok(header) => Ok(Some(header).filter(|header| {
                header.file_bytes > 0
                    && header.file_bytes.is_multiple_of(COMMIT_ALIGNMENT as u64)
                    && header.lsn.0 % header.file_bytes == position
            })),
            Err(HeaderError::NewerVersion(version)) => Err(StorageError::Refused(format!(
                "{} was written by a newer program (write-ahead log format {version})",
                self.directory.display()
            ))),
            Err(HeaderError::Absent | HeaderError::Damaged) => Ok(None),
        }
    }

    /// The file that holds `lsn`: of two that claim it the one opened later.
    fn slot_of(&self, lsn: Lsn) -> Option<usize> {
        let sequence = lsn.0 / self.file_bytes;
        let claims =
            |header: &CommitHeader| header.ring_id == self.ring_id && header.lsn.0 / self.file_bytes == sequence;
        let claiming = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| slot.first.filter(claims).map(|header| (header.incarnation, index)));
        claiming.max().map(|(_, index)| index)
    }

    /// Follows the commits from `from` to the first that is not valid.
    async fn walk(
        &mut self,
        from: Lsn,
        visit: &mut dyn FnMut(Lsn, Entry) -> Result<(), StorageError>,
    ) -> Result<Walk, StorageError> {
        let mut walk = Walk { end: from, ..Walk::default() };
        let mut unfinished = Unfinished::default();
        while let Some(slot) = self.slot_of(walk.end) {
            let position = walk.end.0 % self.file_bytes;
            let Some((header, crc, payload)) = self.commit_at(slot, position, &walk).await? else { break };
            if walk.last.is_some_and(|last| last.incarnation != header.incarnation) {
                unfinished.parts.clear();
                unfinished.started = None;
            }
            let entries = unfinished.take(header.lsn, payload);
            for (lsn, entry) in entries.map_err(|reason| self.corrupt(Some(slot), position, reason))? {
                visit(lsn, entry)?;
            }
            walk.end = header.next_lsn();
            walk.last_crc = crc;
            walk.last = Some(header);
        }
        Ok(walk)
    }

    /// The commit at `position`, its header's checksum and its payload, if it is whole and continues the chain.
    async fn commit_at(
        &mut self,
        slot: usize,
        position: u64,
        walk: &Walk,
    ) -> Result<Option<(CommitHeader, u32, Bytes)>, StorageError> {
        let Some(header) = self.header_at(slot, position).await? else { return Ok(None) };
        let chained =
            walk.last.is_none_or(|last| header.incarnation >= last.incarnation && header.previous_crc == walk.last_crc);
        let fits = header.file_bytes == self.file_bytes && position + header.disk_bytes() <= self.file_bytes;
        if header.ring_id != self.ring_id || header.lsn != walk.end || !chained || !fits {
            return Ok(None);
        }
        let bytes = self.bytes_at(slot, position, header.disk_bytes()).await?;
        let end = COMMIT_HEADER_BYTES + header.payload_bytes as usize;
        if bytes.len() < end || crc32c::crc32c(&bytes[COMMIT_HEADER_BYTES..end]) != header.payload_crc {
            return Ok(None);
        }
        // Not of what would be encoded today: the header may be an earlier version's.
        let crc = bytes.first_chunk().map_or(0, header_crc);
        Ok(Some((header, crc, bytes.slice(COMMIT_HEADER_BYTES..end))))
    }

    /// Looks for a commit beyond `end` that says the log was durable beyond `end`.
    async fn judge_end(&mut self, end: Lsn) -> Result<(), StorageError> {
        let slot_of_end = self.slot_of(end);
        for slot in 0..self.slots.len() {
            let sequence = self.slots[slot].first.map(|header| header.lsn.0 / self.file_bytes);
            // A file of an older sequence number holds nothing newer, unless the write of its first block was lost:
            // then the chain ends exactly where that file should begin, and every file is read.
            let older = sequence.is_some_and(|sequence| sequence < end.0 / self.file_bytes);
            if older && slot_of_end.is_some() {
                continue;
            }
            let mut position = if slot_of_end == Some(slot) { end.0 % self.file_bytes } else { 0 };
            while position < self.slots[slot].bytes {
                if let Some(header) = self.header_at(slot, position).await?
                    && header.ring_id == self.ring_id
                    && header.durable > end
                {
                    let reason = format!(
                        "this part was durable once (up to {}, says the commit at {}) and is damaged now",
                        header.durable.0, header.lsn.0
                    );
                    return Err(self.corrupt(slot_of_end, end.0 % self.file_bytes, reason));
                }
                position += COMMIT_ALIGNMENT as u64;
            }
        }
        Ok(())
    }

    /// No file begins with a commit: a new ring, or one that never completed a commit, or one whose first blocks are
    /// all gone.
    async fn scan_empty(mut self) -> Result<Scan, StorageError> {
        self.judge_empty().await?;
        self.ring_id = self.runtime.random_u64();
        self.finish(Walk::default()).await
    }

    async fn judge_empty(&mut self) -> Result<(), StorageError> {
        for slot in 0..self.slots.len() {
            let mut position = 0;
            while position < self.slots[slot].bytes {
                if let Some(header) = self.header_at(slot, position).await?
                    && header.durable > Lsn(0)
                {
                    return Err(self.corrupt(Some(slot), 0, "the file's first commit is missing".to_owned()));
                }
                position += COMMIT_ALIGNMENT as u64;
            }
        }
        Ok(())
    }

    async fn finish(self, walk: Walk) -> Result<Scan, StorageError> {
        let trim = walk.last.map_or(walk.end, |last| last.trim);
        let clean = walk.last.is_some_and(|last| last.clean);
        let mut live = BTreeMap::new();
        let (first, end) = (trim.0 / self.file_bytes, walk.end.0.div_ceil(self.file_bytes));
        for sequence in first..end {
            let Some(index) = self.slot_of(Lsn(sequence * self.file_bytes)) else { continue };
            // After a killed process the disk may not have synced what it took; nothing may be served before it has.
            let sync = self.runtime.disk().sync_data(&self.slots[index].slot.file, Lane::Commit);
            let name = slot_name(self.slots[index].slot.number);
            sync.await.map_err(|error| self.failed(&name, &error))?;
            live.insert(sequence, index);
        }
        let mut free = Vec::new();
        for index in (0..self.slots.len()).filter(|index| !live.values().any(|live| live == index)) {
            let scanned = &self.slots[index];
            if scanned.bytes != self.file_bytes {
                // Left over from a crash while it was made.
                let grow = self.runtime.disk().allocate(&scanned.slot.file, self.file_bytes);
                let name = slot_name(scanned.slot.number);
                grow.await.map_err(|error| self.failed(&name, &error))?;
            }
            free.push(scanned.slot.clone());
        }
        let live = live.into_iter().map(|(sequence, index)| (sequence, self.slots[index].slot.clone())).collect();
        let start = WalStart {
            ring_id: self.ring_id,
            incarnation: walk.last.map_or(1, |last| last.incarnation + 1),
            previous_crc: walk.last_crc,
            next: walk.end,
            trim,
        };
        let directory = self.directory.to_owned();
        let files = RingFiles { directory, file_bytes: self.file_bytes, live, free };
        // Commits below the trim point are read for the chain's sake only.
        let bytes = if clean { 0 } else { walk.end.0.saturating_sub(trim.0) };
        Ok(Scan { files, start, bytes, clean })
    }
}

/// An entry whose end has not been seen yet.
#[derive(Default)]
struct Unfinished {
    started: Option<Lsn>,
    parts: Vec<Bytes>,
}

impl Unfinished {
    /// Takes a commit's payload apart.
    fn take(&mut self, lsn: Lsn, mut payload: Bytes) -> Result<Vec<(Lsn, Entry)>, String> {
        let mut entries = Vec::new();
        while !payload.is_empty() {
            let (fragment, bytes) = Fragment::take(&mut payload).ok_or("a fragment is longer than its commit")?;
            if fragment.filler {
                continue;
            }
            if fragment.first {
                if self.started.is_some() {
                    return Err("an entry begins before the one in front of it ended".to_owned());
                }
                self.started = Some(lsn);
            }
            // The rest of an entry that began below the trim point.
            let Some(started) = self.started else { continue };
            self.parts.push(bytes);
            if fragment.last {
                self.started = None;
                entries.push((started, decode_entry(std::mem::take(&mut self.parts))?));
            }
        }
        Ok(entries)
    }
}
