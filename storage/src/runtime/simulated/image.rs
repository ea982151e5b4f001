//! Contents of a simulated file: what a reader sees, what is on the platter, and the writes in between.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use super::super::BLOCK_BYTES;
use super::super::random::Random;

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;

const BLOCK: u64 = BLOCK_BYTES as u64;

/// Bytes of a file, sparse, shared copy-on-write: a 64 MiB file of zeros or a second copy of a disk costs next to
/// nothing, so that a trace can be cut at every step.
#[derive(Clone, Default)]
pub(super) struct Image {
    pub(super) bytes: u64,
    blocks: BTreeMap<u64, Rc<[u8; BLOCK_BYTES]>>,
    /// The first so many blocks are the file's whether they were written or not.
    allocated_blocks: u64,
}

impl Image {
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let position = offset + done as u64;
            let start = (position % BLOCK) as usize;
            let length = (BLOCK_BYTES - start).min(data.len() - done);
            let block = self.blocks.entry(position / BLOCK).or_insert_with(|| Rc::new([0; BLOCK_BYTES]));
            Rc::make_mut(block)[start..start + length].copy_from_slice(&data[done..done + length]);
            done += length;
        }
        self.bytes = self.bytes.max(offset + data.len() as u64);
    }

    /// Fills `target` from `offset`; what lies past the end is left as it is.
    pub(super) fn read(&self, offset: u64, target: &mut [u8]) {
        let mut done = 0;
        while done < target.len() {
            let position = offset + done as u64;
            let start = (position % BLOCK) as usize;
            let length = (BLOCK_BYTES - start).min(target.len() - done);
            match self.blocks.get(&(position / BLOCK)) {
                Some(block) => target[done..done + length].copy_from_slice(&block[start..start + length]),
                None => target[done..done + length].fill(0),
            }
            done += length;
        }
    }

    pub(super) fn set_len(&mut self, bytes: u64) {
        if bytes < self.bytes {
            self.allocated_blocks = self.allocated_blocks.min(bytes.div_ceil(BLOCK));
            self.blocks.split_off(&bytes.div_ceil(BLOCK));
            if let Some(block) = self.blocks.get_mut(&(bytes / BLOCK)) {
                Rc::make_mut(block)[(bytes % BLOCK) as usize..].fill(0);
            }
        }
        self.bytes = bytes;
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        (self.allocated_blocks + self.blocks.range(self.allocated_blocks..).count() as u64) * BLOCK
    }

    /// Takes the space of everything below `bytes`; writes there need no more of it.
    pub(super) fn allocate(&mut self, bytes: u64) {
        self.allocated_blocks = self.allocated_blocks.max(bytes.div_ceil(BLOCK));
    }

    /// How many bytes of blocks a write would add.
    pub(super) fn growth_bytes(&self, offset: u64, length: u64) -> u64 {
        if length == 0 {
            return 0;
        }
        let (first, last) = ((offset / BLOCK).max(self.allocated_blocks), (offset + length - 1) / BLOCK);
        if first > last {
            return 0;
        }
        (last - first + 1 - self.blocks.range(first..=last).count() as u64) * BLOCK
    }
}

/// A change of a file that may not have reached the platter.
#[derive(Clone)]
pub(super) enum Change {
    Write(Write),
    SetLen(u64),
}

#[derive(Clone)]
pub(super) struct Write {
    pub(super) offset: u64,
    pub(super) data: Bytes,
}

impl Change {
    pub(super) fn apply(&self, image: &mut Image) {
        match self {
            Change::Write(write) => image.write(write.offset, &write.data),
            Change::SetLen(bytes) => image.set_len(*bytes),
        }
    }
}

impl Write {
    fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }

    /// What is left of this write once `[start, end)` was overwritten durably: nothing, a head, a tail, or both.
    fn outside(&self, start: u64, end: u64) -> Vec<Write> {
        let mut rest = Vec::new();
        if self.offset < start.min(self.end()) {
            let head = (start.min(self.end()) - self.offset) as usize;
            rest.push(Write { offset: self.offset, data: self.data.slice(..head) });
        }
        if self.end() > end.max(self.offset) {
            let from = end.max(self.offset);
            rest.push(Write { offset: from, data: self.data.slice((from - self.offset) as usize..) });
        }
        rest
    }

    /// Writes each sector on its own with the given chance.
    pub(super) fn apply_torn(&self, image: &mut Image, sector_percent: u64, random: &mut Random) {
        let mut at = self.offset;
        while at < self.end() {
            let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(self.end());
            if random.chance(sector_percent) {
                let range = (at - self.offset) as usize..(next - self.offset) as usize;
                image.write(at, &self.data[range]);
            }
            at = next;
        }
    }
}

/// One simulated file.
#[derive(Default)]
pub(super) struct FileState {
    /// What a reader sees.
    pub(super) current: Image,
    /// What is on the platter for certain.
    pub(super) durable: Image,
    /// Completed, not synced, in order, each with its number.
    pub(super) pending: Vec<(u64, Change)>,
    /// Handed to the disk, not completed, by number.
    pub(super) in_flight: BTreeMap<u64, Write>,
    /// Writes that failed: no reader sees them, yet a crash may show parts of them.
    pub(super) debris: Vec<Write>,
    pub(super) modified_ms: i64,
    next_number: u64,
}

impl FileState {
    pub(super) fn from_image(image: Image, modified_ms: i64) -> FileState {
        FileState { current: image.clone(), durable: image, modified_ms, ..FileState::default() }
    }

    /// The number the next change gets; a sync covers the changes completed under smaller numbers.
    pub(super) fn next_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub(super) fn complete_buffered(&mut self, change: Change) {
        change.apply(&mut self.current);
        let number = self.next_number();
        self.pending.push((number, change));
    }

    pub(super) fn complete_durable(&mut self, write: Write) {
        // A size change before this write must not come back to cut it: the journal commits it along with the write.
        if let Some(last) = self.pending.iter().rposition(|(_, change)| matches!(change, Change::SetLen(_))) {
            for (_, change) in self.pending.drain(..=last) {
                change.apply(&mut self.durable);
            }
        }
        let (start, end) = (write.offset, write.end());
        self.pending = std::mem::take(&mut self.pending)
            .into_iter()
            .flat_map(|(number, change)| match change {
                Change::Write(old) => {
                    old.outside(start, end).into_iter().map(|rest| (number, Change::Write(rest))).collect::<Vec<_>>()
                }
                Change::SetLen(_) => vec![(number, change)],
            })
            .collect();
        self.current.write(write.offset, &write.data);
        self.durable.write(write.offset, &write.data);
    }

    /// Everything completed under a number up to `covered` is on the platter.
    pub(super) fn sync(&mut self, covered: u64) {
        let split = self.pending.partition_point(|(number, _)| *number <= covered);
        for (_, change) in self.pending.drain(..split) {
            change.apply(&mut self.durable);
        }
    }

    /// A failed write or sync: the kernel marks the pages clean and forgets what was in them, and a later sync that
    /// answers "ok" covers none of it (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    pub(super) fn drop_unsynced(&mut self) {
        for (_, change) in self.pending.drain(..) {
            if let Change::Write(write) = change {
                self.debris.push(write);
            }
        }
        self.current = self.durable.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, data: &'static [u8]) -> Write {
        Write { offset, data: Bytes::from_static(data) }
    }

    fn content(image: &Image) -> Vec<u8> {
        let mut bytes = vec![0xee; image.bytes as usize];
        image.read(0, &mut bytes);
        bytes
    }

    #[test]
    fn an_image_is_sparse_and_cut_bytes_come_back_as_zeros() {
        let mut image = Image::default();
        image.set_len(1 << 30);
        assert_eq!(image.allocated_bytes(), 0);
        image.write(4094, b"abcd");
        assert_eq!(image.growth_bytes(4094, 4), 0);
        assert_eq!(image.allocated_bytes(), 2 * BLOCK);
        image.set_len(4095);
        image.set_len(4098);
        assert_eq!(&content(&image)[4093..], b"\0a\0\0\0");
    }

    #[test]
    fn a_durable_write_is_not_undone_by_an_older_unsynced_one() {
        let mut file = FileState::default();
        file.complete_buffered(Change::Write(write(0, b"aaaaaaaa")));
        file.complete_durable(write(2, b"BBB"));
        for (_, change) in &file.pending {
            change.apply(&mut file.durable);
        }
        assert_eq!(content(&file.durable), b"aaBBBaaa");
    }

    #[test]
    fn a_failed_sync_forgets_what_it_covered() {
        let mut file = FileState::default();
        file.complete_durable(write(0, b"old"));
        file.complete_buffered(Change::Write(write(0, b"new")));
        file.drop_unsynced();
        file.sync(u64::MAX);
        assert_eq!((content(&file.current), content(&file.durable)), (b"old".to_vec(), b"old".to_vec()));
        assert_eq!(file.debris.len(), 1);
    }
}
