//! The indexes of a segment as files: believed as far as the sidecar states what they hold, made again from the log
//! where it does not or where they differ.

use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use crate::ids::{LogId, Offset};
use crate::runtime::{Durability, Lane, OpenOptions, Runtime};
use crate::segment::{
    CHECKSUM_HEADER_BYTES, ChecksumHeader, FileKind, IndexedBatch, Indexer, OffsetIndex, TimeIndex, file_name,
};
use crate::segment_file::{Segment, read_whole, replace_file};

/// How much of a log is read at once.
const SCAN_BYTES: usize = 1 << 20;

/// The header of a segment's sidecar; `None` if there is none, it is damaged, of another version or another segment's.
pub(crate) async fn read_header(
    runtime: &Runtime,
    directory: &Path,
    log: LogId,
    base_offset: i64,
) -> io::Result<Option<ChecksumHeader>> {
    let path = directory.join(file_name(Offset(base_offset), FileKind::Checksums));
    let file = match runtime.disk().open(&path, OpenOptions::default()).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let bytes = runtime.disk().read(&file, 0, CHECKSUM_HEADER_BYTES).await?;
    let header = ChecksumHeader::parse(&bytes).ok();
    Ok(header.filter(|header| header.log == log && header.base_offset.0 == base_offset))
}

/// The indexes of the segment being written as far as they are stated, without what lies at or beyond `log_bytes`.
pub(crate) async fn load(
    runtime: &Runtime,
    directory: &Path,
    header: &ChecksumHeader,
    log_bytes: u64,
) -> io::Result<Option<(OffsetIndex, TimeIndex)>> {
    let (base, stated) = (header.base_offset, header.indexes);
    if stated.covered_bytes == 0 {
        return Ok(None);
    }
    let mut offsets = read_whole(runtime, &directory.join(file_name(base, FileKind::OffsetIndex))).await?.to_vec();
    let mut times = read_whole(runtime, &directory.join(file_name(base, FileKind::TimeIndex))).await?.to_vec();
    if !stated.offsets.begins(&offsets) || !stated.times.begins(&times) {
        let log = directory.join(file_name(base, FileKind::Log));
        tracing::warn!(log = %log.display(), "an index differs from its checksum: made again from the log");
        return Ok(None);
    }
    offsets.truncate(stated.offsets.bytes as usize);
    times.truncate(stated.times.bytes as usize);
    let sane = OffsetIndex::parse(base, offsets).ok().zip(TimeIndex::parse(base, times).ok());
    let sane =
        sane.filter(|(offsets, times)| offsets.verify(u64::MAX).is_ok() && times.verify(Offset(i64::MAX)).is_ok());
    Ok(sane.map(|(mut offsets, mut times)| {
        if let Some(beyond) = u32::try_from(log_bytes).ok().and_then(|bytes| offsets.upper_bound(bytes)) {
            offsets.truncate(beyond.offset);
        }
        times.truncate(offsets.last().map_or(base, |last| last.offset.plus(1)));
        (offsets, times)
    }))
}

/// Gets to know a closed segment whose sidecar's header was read: its largest timestamp, and what its indexes have to hold.
/// Reads nothing of the log if that states everything.
pub(crate) async fn open_closed(runtime: &Runtime, segment: &Segment, log: LogId, interval: u64) -> io::Result<()> {
    let header = segment.header.get();
    if let Some(header) = header.filter(|header| header.indexes.covered_bytes > 0) {
        let stated = header.indexes;
        let sizes = [(FileKind::OffsetIndex, stated.offsets.bytes), (FileKind::TimeIndex, stated.times.bytes)];
        let mut whole = stated.covered_bytes == segment.bytes.get();
        for (kind, bytes) in sizes {
            let found = runtime.disk().stat(&segment.path(kind)).await.map(|found| found.bytes);
            whole &= found.is_ok_and(|found| found == u64::from(bytes));
        }
        if whole {
            segment.max_timestamp.set(stated.max_timestamp_ms);
            return Ok(());
        }
    } else if (header.is_some() || runtime.disk().stat(&segment.path(FileKind::Checksums)).await.is_err())
        && let Some(max_timestamp_ms) = unstated(runtime, segment).await?
    {
        segment.max_timestamp.set(max_timestamp_ms);
        return Ok(());
    }
    tracing::warn!(log = %segment.path(FileKind::Log).display(), "the indexes are not whole: made again from the log");
    rebuild(runtime, segment, log, interval).await
}

/// Largest timestamp by a time index that nothing is stated of; `None` unless both indexes are in order.
async fn unstated(runtime: &Runtime, segment: &Segment) -> io::Result<Option<i64>> {
    let base = Offset(segment.base_offset);
    let offsets = read_whole(runtime, &segment.path(FileKind::OffsetIndex)).await?;
    let times = read_whole(runtime, &segment.path(FileKind::TimeIndex)).await?;
    let offsets = OffsetIndex::parse(base, &offsets).and_then(|index| index.verify(segment.bytes.get()));
    let times = TimeIndex::parse(base, &times[..]).ok().filter(|times| times.verify(Offset(i64::MAX)).is_ok());
    Ok(times.and_then(|times| times.last()).filter(|_| offsets.is_ok()).map(|last| last.timestamp_ms))
}

/// Makes the indexes of a closed segment again from its batches, durably. A damaged batch ends it without new files:
/// readers then go without indexes and find the damage.
pub(crate) async fn rebuild(runtime: &Runtime, segment: &Segment, log: LogId, interval: u64) -> io::Result<()> {
    let mut indexer = Indexer::new(Offset(segment.base_offset), interval);
    if let Err(reason) = index_all(runtime, segment, &mut indexer).await? {
        let at = indexer.covered_bytes();
        tracing::error!(log = %segment.path(FileKind::Log).display(), at, reason, "a closed segment is damaged");
        // Neither too old for retention nor passed over by a look-up: that one finds the damage.
        segment.max_timestamp.set(i64::MAX);
        return Ok(());
    }
    indexer.finish();
    let cleaned_to = segment.header.get().and_then(|header| header.cleaned_to);
    let header = ChecksumHeader::new(log, Offset(segment.base_offset), indexer.statement());
    let header = ChecksumHeader { cleaned_to, transactions: segment.transactions_stated.get(), ..header };
    store(runtime, segment.directory(), &indexer, &header).await?;
    segment.forget_index();
    segment.header.set(Some(header));
    segment.rebuilding.set(false);
    segment.max_timestamp.set(header.indexes.max_timestamp_ms);
    Ok(())
}

/// Observes every batch of a closed segment; the inner error is damage.
async fn index_all(
    runtime: &Runtime,
    segment: &Segment,
    indexer: &mut Indexer,
) -> io::Result<Result<(), &'static str>> {
    let mut observe = |position: u64, batch: &BatchView<'_>| {
        let last_offset = Offset(batch.header.last_offset());
        if indexer.last_observed().is_some_and(|last| last >= last_offset) {
            return Err("offsets do not ascend");
        }
        indexer.observe(IndexedBatch {
            position: position as u32,
            bytes: batch.header.size_bytes() as u32,
            last_offset,
            max_timestamp_ms: batch.header.max_timestamp,
        });
        Ok(())
    };
    each_batch(runtime, &segment.path(FileKind::Log), segment.bytes.get(), &[], &mut observe).await
}

/// What [`each_batch`] shows a batch to, with its position; an error ends the walk.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(u64, &BatchView<'_>) -> Result<(), &'static str>;

/// Shows `visit` each batch of the first `in_file` bytes of a log and of the `residue` that belongs behind them. The inner
/// error is damage, or what `visit` says.
pub(crate) async fn each_batch(
    runtime: &Runtime,
    log: &Path,
    in_file: u64,
    residue: &[u8],
    visit: Visit<'_>,
) -> io::Result<Result<(), &'static str>> {
    let file = match in_file {
        0 => None,
        _ => Some(runtime.disk().open(log, OpenOptions::default()).await?),
    };
    let end = in_file + residue.len() as u64;
    let (mut position, mut wanted) = (0, SCAN_BYTES);
    while position < end {
        let length = in_file.saturating_sub(position).min(wanted as u64) as usize;
        let mut bytes = match &file {
            Some(file) if length > 0 => runtime.disk().read(file, position, length).await?,
            _ => BytesMut::new(),
        };
        let whole = bytes.len() == length;
        if whole && position + length as u64 >= in_file {
            bytes.extend_from_slice(&residue[(position + length as u64 - in_file) as usize..]);
        }
        let consumed = match visit_piece(position, &bytes, visit) {
            Ok(consumed) => consumed,
            Err(reason) => return Ok(Err(reason)),
        };
        if consumed == 0 && (!whole || position + bytes.len() as u64 == end) {
            return Ok(Err("the last batch is not whole"));
        }
        wanted = if consumed == 0 { wanted * 2 } else { SCAN_BYTES };
        position += consumed as u64;
    }
    Ok(Ok(()))
}

/// Shows the whole batches of a piece; how many bytes they are.
fn visit_piece(position: u64, bytes: &[u8], visit: Visit<'_>) -> Result<usize, &'static str> {
    let mut at = 0;
    while at + HEADER_BYTES <= bytes.len() {
        let header = BatchHeader::parse(&bytes[at..]).map_err(|_| "this is no batch")?;
        let Ok(batch) = BatchView::parse(&bytes[at..]) else { break };
        batch.verify_crc().map_err(|_| "a batch differs from its checksum")?;
        visit(position + at as u64, &batch)?;
        at += header.size_bytes();
    }
    Ok(at)
}

/// Writes both indexes of a segment whole, then states them; durable at the end. Checksums of blocks stay if they are this segment's.
pub(crate) async fn store(
    runtime: &Runtime,
    directory: &Path,
    indexer: &Indexer,
    header: &ChecksumHeader,
) -> io::Result<()> {
    let base = header.base_offset;
    for (kind, bytes) in
        [(FileKind::OffsetIndex, indexer.offsets.bytes()), (FileKind::TimeIndex, indexer.times.bytes())]
    {
        replace_file(runtime, &directory.join(file_name(base, kind)), Bytes::copy_from_slice(bytes)).await?;
    }
    let known = read_header(runtime, directory, header.log, base.0).await?.is_some();
    write_header(runtime, directory, header, if known { None } else { Some(0) }).await
}

/// Writes the header of a sidecar, durably; with `blocks`, only the entries of the first so many blocks stay.
pub(crate) async fn write_header(
    runtime: &Runtime,
    directory: &Path,
    header: &ChecksumHeader,
    blocks: Option<u64>,
) -> io::Result<()> {
    let disk = runtime.disk();
    let path = directory.join(file_name(header.base_offset, FileKind::Checksums));
    let file = disk.open(&path, OpenOptions { write: true, create: true, ..Default::default() }).await?;
    if let Some(blocks) = blocks {
        let end = crate::segment::checksum_position(blocks);
        if disk.stat(&path).await?.bytes > end {
            disk.set_len(&file, end).await?;
        }
    }
    let bytes = vec![Bytes::copy_from_slice(&header.to_bytes())];
    disk.write(&file, bytes, 0, Durability::Buffered, Lane::Background).await?;
    disk.sync_data(&file, Lane::Background).await
}

/// An index of a closed segment turned out to be damaged: readers go without it until it is made again.
pub(crate) fn rebuild_in_background(runtime: &Runtime, segment: &Rc<Segment>, log: LogId) {
    // Kafka's default; how dense an index is, is nobody's promise.
    const INTERVAL_BYTES: u64 = 4096;
    let path = segment.path(FileKind::Log);
    tracing::warn!(log = %path.display(), "an index differs from its checksum: made again from the log");
    let (runtime, segment) = (runtime.clone(), segment.clone());
    runtime.clone().spawn(async move {
        if let Err(error) = rebuild(&runtime, &segment, log, INTERVAL_BYTES).await {
            tracing::warn!(log = %path.display(), %error, "making an index again");
        }
    });
}
