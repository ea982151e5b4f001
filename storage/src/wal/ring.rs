//! The files of a write-ahead log: slots that take turns, created ahead of need and reused once trimmed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::format::Lsn;
use crate::health::{Health, Writer, is_no_space};
use crate::memory::aligned_zeros;
use crate::runtime::{Durability, File, Lane, OpenOptions, Runtime};

/// How much of a new file is zeroed by one write.
const ZERO_BYTES: usize = 1 << 20;
/// Room in files that exist which appends of clients leave free: a full disk is emptied by deleting, and what says that
/// something is deleted has to be written down, as has how far thousands of partitions are written back. It costs no
/// space, only that the next file is asked for a little earlier.
const SPARE_BYTES: u64 = 8 << 20;
/// A ring of fewer files has no room to move what it holds forward.
const FILES_MIN: usize = 4;
/// How long a full disk is left alone before the next attempt to make a file.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// A file of the ring.
#[derive(Clone)]
pub struct Slot {
    /// Its number; `00003.wal` is slot 3.
    pub number: usize,
    /// The open file.
    pub file: File,
}

/// Files in use, in order of their sequence numbers, and files free for the next ones.
pub struct Ring {
    runtime: Runtime,
    directory: PathBuf,
    health: Rc<Health>,
    file_bytes: u64,
    files_max: Cell<usize>,
    live: RefCell<VecDeque<(u64, Slot)>>,
    free: RefCell<Vec<Slot>>,
    files: Cell<usize>,
    next_number: Cell<usize>,
    growing: Cell<bool>,
    changed: Notify,
}

/// What a ring consists of when it is opened.
pub struct RingFiles {
    /// Where the files are.
    pub directory: PathBuf,
    /// Size of each.
    pub file_bytes: u64,
    /// Files that hold what is not trimmed, by sequence number.
    pub live: Vec<(u64, Slot)>,
    /// The others.
    pub free: Vec<Slot>,
}

/// Name of a slot's file.
pub fn slot_name(number: usize) -> String {
    format!("{number:05}.wal")
}

impl Ring {
    /// A ring that may grow to `bytes_max`, but to four files at least.
    pub fn new(runtime: Runtime, health: Rc<Health>, files: RingFiles, bytes_max: u64) -> Rc<Ring> {
        let files_count = files.live.len() + files.free.len();
        let slots = files.live.iter().map(|(_, slot)| slot).chain(&files.free);
        // Where less is configured than before, what is live has to be written back all the same.
        let needed = files_count + if files.free.is_empty() { 2 } else { 0 };
        let next_number = slots.map(|slot| slot.number + 1).max().unwrap_or(0);
        Rc::new(Ring {
            runtime,
            health,
            directory: files.directory,
            file_bytes: files.file_bytes,
            files_max: Cell::new(files_of(bytes_max, files.file_bytes).max(needed).max(FILES_MIN)),
            live: RefCell::new(files.live.into()),
            free: RefCell::new(files.free),
            files: Cell::new(files_count),
            next_number: Cell::new(next_number),
            growing: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// Size of a file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// How large the ring may get.
    pub fn bytes_max(&self) -> u64 {
        self.files_max.get() as u64 * self.file_bytes
    }

    /// It may get so large at least, whatever is configured.
    pub fn fit(&self, bytes: u64) {
        let files = files_of(bytes, self.file_bytes) + 1;
        self.files_max.set(self.files_max.get().max(files));
    }

    /// How large it is.
    pub fn bytes(&self) -> u64 {
        self.files.get() as u64 * self.file_bytes
    }

    /// What of its files appends of clients leave free.
    pub fn spare_bytes(&self) -> u64 {
        SPARE_BYTES.min(self.file_bytes / 2)
    }

    /// Where the files that exist end, for a log that goes on at `next`.
    pub fn allocated_end(&self, next: Lsn) -> Lsn {
        let live = self.live.borrow().back().map_or(next.0 / self.file_bytes, |(sequence, _)| sequence + 1);
        Lsn((live + self.free.borrow().len() as u64) * self.file_bytes)
    }

    /// Somebody waits for more room than the files have: makes the next one, if the ring may grow.
    pub fn make_room(self: &Rc<Ring>) {
        if self.may_grow() {
            // The very first file, or the background was too slow: not zeroed, so that nobody waits for it.
            self.grow_in_background(false);
        }
    }

    /// The file that holds `lsn`. Waits for a free file or for space; fails only with the directory.
    pub async fn file_for(self: &Rc<Ring>, lsn: Lsn) -> Result<File, crate::StorageError> {
        let sequence = lsn.0 / self.file_bytes;
        loop {
            self.health.check_failed()?;
            if let Some(file) = self.find(sequence) {
                return Ok(file);
            }
            let next = self.free.borrow_mut().pop();
            if let Some(slot) = next {
                self.live.borrow_mut().push_back((sequence, slot));
                self.grow_ahead();
                continue;
            }
            let changed = self.changed.notified();
            self.make_room();
            let _ = self.runtime.timeout(RETRY_FULL, changed).await;
        }
    }

    fn find(&self, sequence: u64) -> Option<File> {
        self.live.borrow().iter().rev().find(|(live, _)| *live == sequence).map(|(_, slot)| slot.file.clone())
    }

    fn may_grow(&self) -> bool {
        !self.growing.get() && self.files.get() < self.files_max.get()
    }

    /// Makes the next file in the background when none is free.
    fn grow_ahead(self: &Rc<Ring>) {
        if self.may_grow() && self.free.borrow().is_empty() {
            self.grow_in_background(true);
        }
    }

    /// Tries until there is a free file: made, or trimmed meanwhile.
    fn grow_in_background(self: &Rc<Ring>, zero: bool) {
        self.growing.set(true);
        let (this, runtime) = (Rc::downgrade(self), self.runtime.clone());
        self.runtime.spawn(async move {
            while let Some(ring) = this.upgrade() {
                ring.grow(zero).await;
                let again = ring.health.is_ring_full() && ring.health.check_failed().is_ok();
                ring.growing.set(again);
                ring.changed.notify_waiters();
                if !again {
                    return;
                }
                drop(ring);
                runtime.sleep(RETRY_FULL).await;
            }
        });
    }

    /// One attempt to make a file.
    async fn grow(&self, zero: bool) {
        let number = self.next_number.get();
        match self.create(number, zero).await {
            Ok(slot) => {
                self.files.set(self.files.get() + 1);
                self.next_number.set(number + 1);
                self.add_free(slot);
            }
            Err(error) if is_no_space(&error) => {
                let _ = self.runtime.disk().remove_file(&self.directory.join(slot_name(number))).await;
                // A file may have been trimmed meanwhile.
                if self.free.borrow().is_empty() {
                    self.health.set_full(Writer::Ring, true);
                }
            }
            Err(error) => {
                self.health.fail(format!("creating write-ahead log file {}: {error}", slot_name(number)));
            }
        }
    }

    fn add_free(&self, slot: Slot) {
        self.free.borrow_mut().push(slot);
        self.health.set_full(Writer::Ring, false);
    }

    async fn create(&self, number: usize, zero: bool) -> io::Result<Slot> {
        let disk = self.runtime.disk();
        let path = self.directory.join(slot_name(number));
        let file =
            disk.open(&path, OpenOptions { write: true, create: true, direct: true, ..Default::default() }).await?;
        disk.allocate(&file, self.file_bytes).await?;
        if zero {
            self.fill_with_zeros(&file).await?;
        }
        disk.sync_data(&file, Lane::Background).await?;
        disk.sync_directory(&self.directory).await?;
        Ok(Slot { number, file })
    }

    /// Overwriting blocks that were written before costs a commit half of what the first write costs.
    async fn fill_with_zeros(&self, file: &File) -> io::Result<()> {
        let zeros = aligned_zeros(ZERO_BYTES.min(self.file_bytes as usize)).freeze();
        let mut position = 0;
        while position < self.file_bytes {
            let length = (self.file_bytes - position).min(zeros.len() as u64);
            let part = zeros.slice(..length as usize);
            self.runtime.disk().write(file, vec![part], position, Durability::Buffered, Lane::Background).await?;
            position += length;
        }
        Ok(())
    }

    /// Frees the files below `trim`. To be called once a commit that says so is durable: only then may they be
    /// overwritten.
    pub fn release(&self, trim: Lsn) {
        let mut live = self.live.borrow_mut();
        while live.len() > 1 && live.front().is_some_and(|(sequence, _)| (sequence + 1) * self.file_bytes <= trim.0) {
            if let Some((_, slot)) = live.pop_front() {
                self.add_free(slot);
            }
        }
        self.changed.notify_waiters();
    }
}

fn files_of(bytes: u64, file_bytes: u64) -> usize {
    usize::try_from(bytes / file_bytes).unwrap_or(usize::MAX - 1)
}

/// Opens a slot's file for reading and writing.
pub async fn open_slot(runtime: &Runtime, directory: &Path, number: usize) -> io::Result<Slot> {
    let options = OpenOptions { write: true, direct: true, ..Default::default() };
    Ok(Slot { number, file: runtime.disk().open(&directory.join(slot_name(number)), options).await? })
}
