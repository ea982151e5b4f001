//! Who may use how much of the ring. Write-back frees it, but writes entries of its own into it first: if appends left no
//! room for these, write-back would wait for a file that nobody but itself can free, and every append behind it for ever.
//! So appends leave what write-back can need at the worst, and the ring may always grow large enough for that. Deletions
//! write entries, too, and may come faster than write-back lets go of them: they have a share of their own, and then wait.

use std::time::Duration;

use crate::error::StorageError;
use crate::runtime::BLOCK_BYTES;
use crate::volume::Volume;

/// What a log's entry takes at the worst, its producers aside: what does not fill a block of the segment, headers, and the
/// rest of the commit's last block.
const ENTRY_BYTES: u64 = 2 * BLOCK_BYTES as u64;
/// Entries a write-back of one log writes: when it begins, and when it is done.
const ENTRIES_PER_LOG: u64 = 2;
/// And for each segment that ends: its last block, and the beginning of the next.
const ENTRIES_PER_SEGMENT: u64 = 2;
/// Compaction, retention and a log on its way out write some as well.
const ENTRIES_BESIDES: u64 = 4;
/// A larger producer snapshot goes to a file rather than into the write-ahead log.
const INLINE_SNAPSHOT_BYTES_MAX: u64 = 16 << 10;
/// The snapshots of all logs together take at most this part of the ring.
const INLINE_SNAPSHOT_PART: u64 = 32;
/// What the ring may grow to for each log, whatever is configured: with the snapshots' part, the entries of a write-back
/// of every log are then a quarter of the ring at most.
const RING_BYTES_PER_LOG: u64 = 96 << 10;
/// An append larger than this part of the ring would never find room.
const APPEND_PART: u64 = 4;
/// What appends leave to deletions is this part of a file: 512 of them where each has a commit of its own.
const DELETIONS_PART: u64 = 8;
/// How often the first deletion that waits looks for room.
const RECHECK: Duration = Duration::from_millis(2);
/// How long one that may not be refused leaves a full disk alone.
const RETRY_FULL: Duration = Duration::from_secs(1);

impl Volume {
    /// A log was opened: the ring has to suffice for one more.
    pub fn fit_ring_to_logs(&self) {
        self.wal.ring().fit(self.logs.borrow().len() as u64 * RING_BYTES_PER_LOG);
    }

    /// The ring has to suffice for an append of so many bytes.
    pub fn fit_ring_to_append(&self, bytes: usize) {
        self.wal.ring().fit(bytes as u64 * APPEND_PART);
    }

    /// How large a log's producer snapshot in the write-ahead log may be.
    pub fn inline_snapshot_bytes_max(&self) -> u64 {
        let ring = self.wal.ring();
        let logs = self.logs.borrow().len().max(1) as u64;
        let share = ring.bytes_max() / INLINE_SNAPSHOT_PART / logs;
        INLINE_SNAPSHOT_BYTES_MAX.min(ring.file_bytes() / 16).min(share)
    }

    /// What write-back may write into the ring before it has freed any of it.
    fn write_back_bytes_max(&self) -> u64 {
        let logs = self.logs.borrow().len() as u64;
        let entries = logs * ENTRIES_PER_LOG + self.unwritten_rolls.get() * ENTRIES_PER_SEGMENT + ENTRIES_BESIDES;
        entries * (ENTRY_BYTES + self.inline_snapshot_bytes_max())
    }

    /// What appends leave of the ring: headers and padding, the file that is trimmed in part, and write-back's entries.
    fn kept_free(&self) -> u64 {
        let file_bytes = self.wal.ring().file_bytes();
        file_bytes + file_bytes.max(self.write_back_bytes_max()) + file_bytes / DELETIONS_PART
    }

    /// Whether the ring has room for so many bytes of reservations.
    pub fn admits(&self, reserved: usize) -> bool {
        self.health.check().is_err()
            || (self.wal.live_bytes() + reserved as u64 + self.kept_free() <= self.wal.ring().bytes_max()
                && self.wal.has_room(reserved))
    }

    /// Waits, first come first served, until the entry of a deletion has room; to be appended before the next await.
    /// Refused where there is none and the disk is full: what would make some is the deletions that had room.
    pub async fn room_for_deletion(&self) -> Result<(), StorageError> {
        let _turn = self.deletions.lock().await;
        while !self.admits_deletion() {
            self.health.check_failed()?;
            if self.closing.get() {
                return Err(StorageError::Closed);
            }
            self.make_room(ENTRY_BYTES as usize);
            if self.health.is_full() {
                return Err(self.health.full_error());
            }
            self.runtime.sleep(RECHECK).await;
        }
        self.health.check_failed()
    }

    /// As [`Volume::room_for_deletion`], for what has to happen in the end: waits on a full disk, too.
    pub async fn room_for_deletion_in_the_end(&self) -> Result<(), StorageError> {
        loop {
            match self.room_for_deletion().await {
                Err(StorageError::Full { .. }) if !self.closing.get() => self.runtime.sleep(RETRY_FULL).await,
                result => return result,
            }
        }
    }

    /// Whether the ring has room for the entry of a deletion, and write-back for its own beside it.
    fn admits_deletion(&self) -> bool {
        let ring = self.wal.ring();
        let used = self.wal.live_bytes() + ENTRY_BYTES + ring.file_bytes() + self.write_back_bytes_max();
        // Nothing is trimmed before every partition is open: nobody could wait for it.
        self.wal.has_spare_room(0, 0) && (used <= ring.bytes_max() || !self.ready.get())
    }

    /// How much of the ring may stay in use without anybody having to wait.
    pub fn keep_bytes_max(&self) -> u64 {
        let ring = self.wal.ring();
        let for_appends = ring.bytes_max().saturating_sub(self.kept_free() + self.wanted.get());
        for_appends.min(ring.bytes_max() / 2 - ring.file_bytes() / 4)
    }
}
