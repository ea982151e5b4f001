//! Blocks of a write-ahead log: headers with their checksum made right, their fragments, the entries put together, and
//! the batches within.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::records::Batches;
use storage::wal::format::{
    COMMIT_ALIGNMENT, COMMIT_HEADER_BYTES, CommitHeader, EntryBody, Fragment, decode_entry, encode_log_deleted,
    encode_log_start,
};

/// Magic and checksum as the format has them, so that what is behind them is reached.
fn mend(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    for block in bytes.chunks_mut(COMMIT_ALIGNMENT).filter(|block| block.len() >= COMMIT_HEADER_BYTES) {
        block[..8].copy_from_slice(b"msgloopW");
        block[12..16].fill(0);
        let crc = crc32c::crc32c(&block[..COMMIT_HEADER_BYTES]);
        block[12..16].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

fn entry(parts: Vec<Bytes>) {
    let Ok(entry) = decode_entry(parts) else { return };
    let again = match entry.body {
        EntryBody::Append { batch, .. } => {
            Batches::new(&batch.concat()).for_each(drop);
            return;
        }
        EntryBody::SegmentSynced(ref synced) => synced.encode(entry.log),
        EntryBody::LogStart { offset } => encode_log_start(entry.log, offset),
        EntryBody::LogDeleted => encode_log_deleted(entry.log),
    };
    assert_eq!(decode_entry(vec![again.into()]).as_ref(), Ok(&entry));
}

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::from(mend(data));
    let mut parts: Vec<Bytes> = Vec::new();
    let mut at = 0;
    while let Ok(header) = CommitHeader::decode(&bytes[at.min(bytes.len())..]) {
        assert_eq!(CommitHeader::decode(&header.encode()), Ok(header));
        let start = at + COMMIT_HEADER_BYTES;
        let end = start.saturating_add(header.payload_bytes as usize).min(bytes.len());
        let mut payload = bytes.slice(start..end);
        while let Some((fragment, piece)) = Fragment::take(&mut payload) {
            if fragment.filler {
                continue;
            }
            if fragment.first {
                parts.clear();
            }
            parts.push(piece);
            if fragment.last {
                entry(std::mem::take(&mut parts));
            }
        }
        at += COMMIT_ALIGNMENT.max(usize::try_from(header.disk_bytes()).unwrap_or(usize::MAX / 2));
    }
});
