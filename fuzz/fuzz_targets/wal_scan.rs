//! The scanner of the write-ahead log over a ring as the writer leaves it, with payloads of any kind, a few bytes
//! damaged and the end cut off, on a simulated disk. It may call it torn or damaged, it may not panic, and without
//! damage it finds every commit.
//!
//! Input: a count of changes, the changes (where, in units of 8 bytes, and what), how much is cut; then commits, each
//! a length and its payload.
#![no_main]

use std::path::Path;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use storage::runtime::simulated::Simulation;
use storage::runtime::{Durability, Lane, OpenOptions, Runtime};
use storage::wal::format::{COMMIT_HEADER_BYTES, CommitHeader, Lsn, header_crc};
use storage::wal::ring::slot_name;
use storage::wal::scan::scan;

const FILE_BYTES: u64 = 64 << 10;
const RING_ID: u64 = 7;
const DIRECTORY: &str = "ring";

/// Two files of a ring with the commits; returns them and where the last commit ends.
fn ring(mut data: &[u8]) -> (Vec<u8>, u64) {
    let mut image = vec![0; 2 * FILE_BYTES as usize];
    let mut header =
        CommitHeader { ring_id: RING_ID, incarnation: 1, file_bytes: FILE_BYTES, ..CommitHeader::default() };
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        data = rest;
        (header.payload_bytes, header.payload_crc) = (payload.len() as u32, crc32c::crc32c(payload));
        let place = header.lsn.0 % FILE_BYTES;
        if place + header.disk_bytes() > FILE_BYTES || header.next_lsn().0 > image.len() as u64 {
            break;
        }
        let (start, bytes) = (header.lsn.0 as usize, header.encode());
        image[start..start + COMMIT_HEADER_BYTES].copy_from_slice(&bytes);
        image[start + COMMIT_HEADER_BYTES..][..payload.len()].copy_from_slice(payload);
        (header.previous_crc, header.durable, header.lsn) = (header_crc(&bytes), header.lsn, header.next_lsn());
    }
    (image, header.lsn.0)
}

async fn write(runtime: &Runtime, number: usize, bytes: &[u8]) -> std::io::Result<()> {
    let disk = runtime.disk();
    let options = OpenOptions { write: true, create: true, ..Default::default() };
    let file = disk.open(&Path::new(DIRECTORY).join(slot_name(number)), options).await?;
    disk.write(&file, vec![Bytes::copy_from_slice(bytes)], 0, Durability::Durable, Lane::Commit).await
}

/// Bytes of commits found, unless the ring is refused.
async fn scanned(runtime: &Runtime, image: &[u8]) -> Option<u64> {
    runtime.disk().create_directory_all(Path::new(DIRECTORY)).await.expect("the disk has room");
    for (number, bytes) in image.chunks(FILE_BYTES as usize).enumerate() {
        write(runtime, number, bytes).await.expect("the disk has room");
    }
    let mut last = Lsn(0);
    let mut visit = |lsn, _| {
        assert!(last <= lsn, "entries come in the order of the log");
        last = lsn;
        Ok(())
    };
    let found = scan(runtime, Path::new(DIRECTORY), FILE_BYTES, &mut visit).await.ok();
    found.map(|found| found.bytes)
}

fuzz_target!(|data: &[u8]| {
    let [count, cut, data @ ..] = data else { return };
    let (changes, data) = data.split_at((usize::from(count % 8) * 3).min(data.len()));
    let (mut image, end) = ring(data);
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) * 8;
        if let Some(byte) = image.get_mut(at) {
            *byte ^= change[2];
        }
    }
    image.truncate(image.len() - usize::from(cut & 0x1f) * 4096);
    let simulation = Simulation::new(1);
    let runtime = simulation.runtime();
    let found = simulation.run(async move { scanned(&runtime, &image).await });
    if changes.is_empty() && *cut == 0 {
        // Refused only for entries that are none.
        assert!(found.is_none_or(|found| found == end));
    }
});
