//! A segment on disk: its files, opened when they are needed, and its indexes, loaded when they are needed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};
use protocol::records::BatchHeader;

use crate::error::FormatError;
use crate::ids::Offset;
use crate::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions, Runtime};
use crate::segment::{
    ChecksumHeader, FileKind, IndexDigest, IndexStatement, OffsetIndex, TimeIndex, TransactionIndex, file_name,
    parse_file_name,
};
use crate::segment_index::rebuild_in_background;

/// Segments of one core and directory that may have a file open or an index loaded; the one unused for longest gives up
/// its own.
const OPEN_SEGMENTS_MAX: usize = 128;
/// Where recent reads of a segment ended: the next read of the same consumer needs no index.
const HINTS_MAX: usize = 8;

/// One segment. Held by whoever reads it; its files are unlinked when retention is over and they are closed when the
/// last reader leaves.
pub(crate) struct Segment {
    /// First offset, and name.
    pub base_offset: i64,
    /// Bytes on disk that count.
    pub bytes: Cell<u64>,
    /// Largest timestamp; -1 without any.
    pub max_timestamp: Cell<i64>,
    /// The sidecar's header once it is known; it states what the indexes hold.
    pub header: Cell<Option<ChecksumHeader>>,
    /// An index differed from that; it is being made again, or cannot be.
    pub rebuilding: Cell<bool>,
    /// It has a transaction index.
    pub has_aborted: Cell<bool>,
    /// What that has to begin with, if it is closed and somebody said so.
    pub transactions_stated: Cell<Option<IndexDigest>>,
    /// Its first batch's largest timestamp, once it was needed.
    first_timestamp: Cell<Option<i64>>,
    /// Others have taken its place: what is read by its names may be theirs.
    replaced: Cell<bool>,
    /// Stands for its files as long as they do not have their names yet.
    pinned: RefCell<Option<Pinned>>,
    directory: Rc<PathBuf>,
    file: RefCell<Option<File>>,
    offsets: RefCell<Option<Rc<OffsetIndex<Bytes>>>>,
    transactions: RefCell<Option<Rc<TransactionIndex<Bytes>>>>,
    hints: RefCell<VecDeque<(i64, u64)>>,
}

impl Segment {
    pub fn new(directory: Rc<PathBuf>, base_offset: i64, bytes: u64, max_timestamp: i64) -> Rc<Segment> {
        Rc::new(Segment {
            base_offset,
            bytes: Cell::new(bytes),
            max_timestamp: Cell::new(max_timestamp),
            header: Cell::default(),
            rebuilding: Cell::default(),
            has_aborted: Cell::new(false),
            transactions_stated: Cell::default(),
            first_timestamp: Cell::default(),
            replaced: Cell::default(),
            pinned: RefCell::default(),
            directory,
            file: RefCell::default(),
            offsets: RefCell::default(),
            transactions: RefCell::default(),
            hints: RefCell::default(),
        })
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of one of its files.
    pub fn path(&self, kind: FileKind) -> PathBuf {
        self.directory.join(file_name(Offset(self.base_offset), kind))
    }

    /// The log, open for reading past the page cache: the blocks were written past it, so that it holds none of them, and a
    /// copy out of it costs more than the read itself.
    pub async fn open(self: &Rc<Segment>, runtime: &Runtime, open: &OpenSegments) -> io::Result<File> {
        if let Some(pinned) = self.pinned.borrow().as_ref() {
            return Ok(pinned.file.clone());
        }
        open.touch(self);
        let known = self.file.borrow().clone();
        if let Some(file) = known {
            return Ok(file);
        }
        let direct = OpenOptions { direct: true, ..Default::default() };
        let file = runtime.disk().open(&self.path(FileKind::Log), direct).await?;
        *self.file.borrow_mut() = Some(file.clone());
        Ok(file)
    }

    /// The offset index of a closed segment; a missing or insane one counts as empty, the batches decide.
    pub async fn offset_index(
        self: &Rc<Segment>,
        runtime: &Runtime,
        open: &OpenSegments,
    ) -> io::Result<Rc<OffsetIndex<Bytes>>> {
        open.touch(self);
        let known = self.offsets.borrow().clone();
        if let Some(index) = known {
            return Ok(index);
        }
        let bytes = self.index_bytes(runtime, FileKind::OffsetIndex, |stated| stated.offsets).await?;
        let base = Offset(self.base_offset);
        let sane = OffsetIndex::parse(base, bytes).ok().filter(|index| index.verify(self.bytes.get()).is_ok());
        let index = Rc::new(sane.map_or_else(|| OffsetIndex::parse(base, Bytes::new()), Ok).map_err(io::Error::other)?);
        *self.offsets.borrow_mut() = Some(index.clone());
        Ok(index)
    }

    /// The time index, the same way.
    pub async fn time_index(self: &Rc<Segment>, runtime: &Runtime) -> io::Result<Option<TimeIndex<Bytes>>> {
        let bytes = self.index_bytes(runtime, FileKind::TimeIndex, |stated| stated.times).await?;
        let sane = TimeIndex::parse(Offset(self.base_offset), bytes).ok();
        Ok(sane.filter(|index| index.verify(Offset(i64::MAX)).is_ok()))
    }

    /// An index file; empty if it is not what was stated of it, which also has it made again.
    async fn index_bytes(
        self: &Rc<Segment>,
        runtime: &Runtime,
        kind: FileKind,
        digest: impl Fn(IndexStatement) -> IndexDigest,
    ) -> io::Result<Bytes> {
        if let Some(pinned) = self.pinned.borrow().as_ref() {
            return Ok(if kind == FileKind::OffsetIndex { pinned.offsets.clone() } else { pinned.times.clone() });
        }
        let bytes = read_whole(runtime, &self.path(kind)).await?.freeze();
        if self.is_replaced() {
            // It may be another segment's; whoever asked has to ask again.
            return Ok(Bytes::new());
        }
        // Looked up only now: it may have been made again while the file was read.
        let Some(header) = self.header.get().filter(|header| header.indexes.covered_bytes > 0) else {
            return Ok(bytes);
        };
        let stated = digest(header.indexes);
        if bytes.len() == stated.bytes as usize && stated.begins(&bytes) {
            return Ok(bytes);
        }
        if !self.rebuilding.replace(true) {
            rebuild_in_background(runtime, self, header.log);
        }
        Ok(Bytes::new())
    }

    /// The index was made again.
    pub fn forget_index(&self) {
        self.offsets.take();
    }

    /// The transaction index of a closed segment. Only a start makes it again from the log, so one that is damaged by now
    /// is an error: readers of committed data would be shown aborted records.
    pub async fn transaction_index(
        self: &Rc<Segment>,
        runtime: &Runtime,
        open: &OpenSegments,
    ) -> io::Result<Rc<TransactionIndex<Bytes>>> {
        open.touch(self);
        let known = self.transactions.borrow().clone();
        if let Some(index) = known {
            return Ok(index);
        }
        let path = self.path(FileKind::TransactionIndex);
        let pinned = self.pinned.borrow().as_ref().map(|pinned| pinned.transactions.clone());
        let bytes = match pinned {
            Some(bytes) => bytes,
            None => read_whole(runtime, &path).await?.freeze(),
        };
        let damaged =
            |error: FormatError| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()));
        let bytes = match self.transactions_stated.get() {
            Some(stated) if stated.begins(&bytes) => bytes.slice(..stated.bytes as usize),
            Some(_) if !self.is_replaced() => {
                return Err(damaged(FormatError::new(0, "the transaction index differs from its checksum")));
            }
            _ => bytes,
        };
        let index = Rc::new(TransactionIndex::parse(Offset(self.base_offset), bytes).map_err(damaged)?);
        *self.transactions.borrow_mut() = Some(index.clone());
        Ok(index)
    }

    /// Whether offsets may be missing in it: compaction says so in the sidecar; without one they may not.
    pub fn has_gaps(&self) -> bool {
        self.header.get().is_some_and(|header| header.cleaned_to.is_some())
    }

    /// Largest timestamp of its first batch; -1 if it has none.
    pub async fn first_timestamp(self: &Rc<Segment>, runtime: &Runtime, open: &OpenSegments) -> io::Result<i64> {
        if let Some(known) = self.first_timestamp.get() {
            return Ok(known);
        }
        let file = self.open(runtime, open).await?;
        let block = runtime.disk().read(&file, 0, BLOCK_BYTES).await?;
        let timestamp_ms = BatchHeader::parse(&block).map_or(-1, |header| header.max_timestamp);
        self.first_timestamp.set(Some(timestamp_ms));
        Ok(timestamp_ms)
    }

    /// Its files do not have their names yet: these are they.
    pub fn pin(&self, pinned: Pinned) {
        *self.pinned.borrow_mut() = Some(pinned);
    }

    /// Its files have their names.
    pub fn unpin(&self) {
        self.pinned.take();
    }

    /// Others take its place from now on.
    pub fn set_replaced(&self) {
        self.replaced.set(true);
    }

    /// Whether others have taken its place: what was read of it meanwhile may be theirs, and has to be read again.
    pub fn is_replaced(&self) -> bool {
        self.replaced.get()
    }

    /// Where a read of `offset` may begin, if a recent one ended there.
    pub fn hint(&self, offset: i64) -> Option<u64> {
        self.hints.borrow().iter().find(|(known, _)| *known == offset).map(|(_, position)| *position)
    }

    /// A read ended before `offset`, which is at `position`.
    pub fn add_hint(&self, offset: i64, position: u64) {
        let mut hints = self.hints.borrow_mut();
        if hints.len() == HINTS_MAX {
            hints.pop_front();
        }
        hints.push_back((offset, position));
    }

    fn close(&self) {
        self.file.take();
        self.offsets.take();
        self.transactions.take();
        self.hints.take();
    }
}

/// Files of a segment that was compacted, before they have their names.
pub(crate) struct Pinned {
    /// The log, open for reading.
    pub file: File,
    /// The offset index.
    pub offsets: Bytes,
    /// The time index.
    pub times: Bytes,
    /// The transaction index.
    pub transactions: Bytes,
}

/// The segments with something open, the one used last at the back.
#[derive(Default)]
pub(crate) struct OpenSegments {
    used: RefCell<VecDeque<Weak<Segment>>>,
}

impl OpenSegments {
    fn touch(&self, segment: &Rc<Segment>) {
        let mut used = self.used.borrow_mut();
        let this = Rc::downgrade(segment);
        if used.back().is_some_and(|last| last.ptr_eq(&this)) {
            return;
        }
        used.retain(|other| !other.ptr_eq(&this) && other.strong_count() > 0);
        if used.len() >= OPEN_SEGMENTS_MAX
            && let Some(oldest) = used.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.close();
        }
        used.push_back(this);
    }

    /// Closes everything: the engine is idle or closes.
    pub fn close_all(&self) {
        for segment in self.used.take().iter().filter_map(Weak::upgrade) {
            segment.close();
        }
    }
}

/// The bytes of a small file; none if it does not exist.
pub(crate) async fn read_whole(runtime: &Runtime, path: &Path) -> io::Result<BytesMut> {
    let bytes = match runtime.disk().stat(path).await {
        Ok(metadata) => metadata.bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BytesMut::new()),
        Err(error) => return Err(error),
    };
    let file = runtime.disk().open(path, OpenOptions::default()).await?;
    runtime.disk().read(&file, 0, usize::try_from(bytes).map_err(io::Error::other)?).await
}

/// Replaces a small file, durably: written beside it, synced, renamed. Only one at a time may replace a file; files that
/// differ in their extension only may be replaced at once.
pub(crate) async fn replace_file(runtime: &Runtime, path: &Path, content: Bytes) -> io::Result<()> {
    let disk = runtime.disk();
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = Path::new(&beside);
    let file = disk.open(beside, OpenOptions { write: true, create: true, ..Default::default() }).await?;
    disk.set_len(&file, 0).await?;
    disk.write(&file, vec![content], 0, Durability::Buffered, Lane::Background).await?;
    disk.sync_data(&file, Lane::Background).await?;
    disk.rename(beside, path).await?;
    disk.sync_directory(path.parent().unwrap_or(Path::new("."))).await
}

/// The segments in a partition's directory, by their `.log` files, and other files of segments.
pub(crate) fn segment_bases(names: &[String]) -> Vec<i64> {
    let logs = names.iter().filter_map(|name| parse_file_name(name)).filter(|(_, kind)| *kind == FileKind::Log);
    logs.map(|(offset, _)| offset.0).collect()
}
