//! Bytes that lie: no message decoder panics, believes a claimed length, or takes memory out of proportion.
//!
//! One test, since the allocations of the whole process are counted.

mod codec;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use codec::Codec;
use protocol::wire::Generator;

/// Bytes of memory a decoder may hold for each byte of its input. A structure of a few wire bytes may take a hundred in
/// memory, and a growing vector holds its old and its new half.
const MEMORY_PER_BYTE_MAX: usize = 48;

/// What a decoder may hold whatever its input: room for the first elements of a few nested arrays.
const MEMORY_BASE_MAX: usize = 256 << 10;

/// How much of a made-up message is attacked byte by byte.
const MESSAGE_BYTES_MAX: usize = 600;

/// Length of the noise that is worth a large allocation.
const LONG_BYTES: usize = 100_000;

/// The system's allocator, with a count of what is held. Rust offers no safe way to see this.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes `bytes` and checks the memory that took; whether they were a message does not matter.
fn attack(codec: &Codec, version: i16, bytes: Bytes) -> bool {
    let (length, shown) = (bytes.len(), bytes.slice(..bytes.len().min(64)));
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    let decoded = (codec.decode)(bytes, version);
    let memory = PEAK.load(Relaxed).saturating_sub(before);

    assert!(
        memory <= MEMORY_BASE_MAX + MEMORY_PER_BYTE_MAX * length,
        "{} {version} takes {memory} bytes for {length}, {shown:?}…: {decoded:?}",
        codec.name
    );
    decoded.is_ok()
}

fn truncations(codec: &Codec, version: i16, message: &Bytes) {
    for length in 0..message.len() {
        let decoded = attack(codec, version, message.slice(..length));
        assert!(!decoded, "{} {version} reads the first {length} bytes of {message:?}", codec.name);
    }
}

/// Replaces bytes everywhere by what makes huge or negative lengths in either encoding.
fn lies(codec: &Codec, version: i16, message: &Bytes) {
    const LIES: [&[u8]; 6] = [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x3b\x9a\xca\x00",
        b"\x80\x00",
        b"\xff\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for lie in LIES {
        for at in 0..message.len().saturating_sub(lie.len()) {
            let mut bytes = message.to_vec();
            bytes[at..at + lie.len()].copy_from_slice(lie);
            attack(codec, version, bytes.into());
        }
    }
}

fn noise(codec: &Codec, version: i16, generator: &mut Generator) {
    for length in (0..64).chain([200, 1_000, 4_000]) {
        let bytes: Vec<u8> = (0..length).map(|_| generator.number() as u8).collect();
        attack(codec, version, bytes.into());
    }
    for byte in [0, 1, 2, 3, 5, 0x10, 0x7f, 0x80, 0xff] {
        attack(codec, version, vec![byte; LONG_BYTES].into());
    }
    // Counts that the bytes left would just allow, in both encodings, at every alignment.
    for count in [&60_000i32.to_be_bytes()[..], b"\xe1\xd4\x03"] {
        for shift in 0..count.len() {
            attack(codec, version, count.iter().copied().cycle().skip(shift).take(LONG_BYTES).collect());
        }
    }
}

#[test]
fn no_decoder_trusts_its_peer() {
    let mut generator = Generator::new(0x6c69_6172);
    for codec in codec::all() {
        for version in codec.versions.min..=codec.versions.max {
            for _ in 0..2 {
                let message = (codec.generate)(&mut generator, version);
                let message = message.slice(..message.len().min(MESSAGE_BYTES_MAX));
                truncations(&codec, version, &message);
                lies(&codec, version, &message);
            }
            noise(&codec, version, &mut generator);
        }
    }
}
