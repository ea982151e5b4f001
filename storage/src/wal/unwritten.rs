//! An entry on its way into commits: pieces are copied until nothing of it is left.

use bytes::BytesMut;

use super::checksum::RunningChecksum;
use crate::crc::{BatchCrc, combine};
use crate::runtime::BLOCK_BYTES;

/// A piece of so many bytes of a body is worth a filler of up to a block in front of it.
pub const PLACED_BYTES_MIN: usize = 48 << 10;

/// What an entry says after its header.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body<'a> {
    /// Its bytes, in pieces.
    pub parts: &'a [&'a [u8]],
    /// The checksum of the last part, if it is known.
    pub last_crc: Option<&'a BatchCrc>,
    /// Where in a file it will be written once more. A long piece of it lies in its blocks in memory as it will there.
    pub position: Option<u64>,
}

/// What is left of an entry.
pub struct Unwritten<'a> {
    slice: &'a [u8],
    parts: std::slice::Iter<'a, &'a [u8]>,
    bytes: usize,
    body_bytes: usize,
    /// Where in a block the body's end lies.
    end: Option<usize>,
    last: Option<LastPart<'a>>,
}

/// A part whose checksum is known, and that of what has been taken of it.
struct LastPart<'a> {
    bytes: usize,
    crc: &'a BatchCrc,
    taken_crc: u32,
}

impl<'a> Unwritten<'a> {
    /// All of it.
    pub fn new(header: &'a [u8], body: Body<'a>) -> Unwritten<'a> {
        let body_bytes = body.parts.iter().map(|part| part.len()).sum::<usize>();
        let place = |position: u64| (position % BLOCK_BYTES as u64) as usize;
        let last = |crc| Some(LastPart { bytes: body.parts.last()?.len(), crc, taken_crc: 0 });
        Unwritten {
            slice: header,
            parts: body.parts.iter(),
            bytes: header.len() + body_bytes,
            body_bytes,
            end: body
                .position
                .filter(|_| body_bytes >= PLACED_BYTES_MIN)
                .map(|at| (place(at) + body_bytes) % BLOCK_BYTES),
            last: body.last_crc.and_then(last),
        }
    }

    /// How much there is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much of that is the entry's header.
    pub fn header_bytes(&self) -> usize {
        self.bytes.saturating_sub(self.body_bytes)
    }

    /// Where in a block the body's next byte should lie, if that matters.
    pub fn place(&self) -> Option<usize> {
        let left = self.bytes.min(self.body_bytes) % BLOCK_BYTES;
        self.end.map(|end| (end + BLOCK_BYTES - left) % BLOCK_BYTES)
    }

    /// Copies the next `bytes`.
    pub fn take(&mut self, mut bytes: usize, chunk: &mut BytesMut, checksum: &mut RunningChecksum) {
        while bytes > 0 {
            if self.slice.is_empty() {
                let Some(part) = self.parts.next() else { return };
                self.slice = part;
                continue;
            }
            let (now, later) = self.slice.split_at(self.slice.len().min(bytes));
            chunk.extend_from_slice(now);
            checksum.add(now, self.known_crc(now));
            self.slice = later;
            self.bytes -= now.len();
            bytes -= now.len();
        }
    }

    /// The checksum of the next bytes if they belong to the part whose own is known. They are read only if it is not known how
    /// far that got with them.
    fn known_crc(&mut self, now: &[u8]) -> Option<u32> {
        let left = self.bytes;
        let last = self.last.as_mut().filter(|last| left <= last.bytes)?;
        let known =
            if left == now.len() { Some(last.crc.value) } else { last.crc.up_to(last.bytes - left + now.len()) };
        let up_to = known.unwrap_or_else(|| crc32c::crc32c_append(last.taken_crc, now));
        let crc = combine(last.taken_crc, up_to, now.len());
        last.taken_crc = up_to;
        Some(crc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes an entry in pieces of `step` bytes; the checksum and the places agree with the bytes at every step.
    fn check(body_bytes: usize, step: usize, position: Option<u64>) {
        let header = [7; 30];
        let body: Vec<u8> = (0..body_bytes as u32).map(|index| (index * 7 + index / 251) as u8).collect();
        let (front, back) = body.split_at(body_bytes.min(21));
        let parts = [front, back];
        let crc = BatchCrc::compute(back, position.unwrap_or(0) + front.len() as u64);
        let body = Body { parts: &parts, last_crc: Some(&crc), position };
        let mut entry = Unwritten::new(&header, body);
        let (mut chunk, mut checksum) = (BytesMut::new(), RunningChecksum::default());
        while entry.bytes() > 0 {
            let taken = chunk.len().saturating_sub(header.len()) as u64;
            let expected =
                position.filter(|_| body_bytes >= PLACED_BYTES_MIN).map(|at| (at + taken) % BLOCK_BYTES as u64);
            assert_eq!(entry.place(), expected.map(|place| place as usize));
            assert_eq!(entry.header_bytes(), header.len().saturating_sub(chunk.len()));
            entry.take(step.min(entry.bytes()), &mut chunk, &mut checksum);
            assert_eq!(checksum.value(), crc32c::crc32c(&chunk));
        }
        assert_eq!(&chunk[..], [&header[..], front, back].concat(), "{body_bytes} by {step}");
    }

    #[test]
    fn pieces_have_the_checksums_and_places_of_their_bytes() {
        for step in [1, 29, 30, 31, 4096, 10_000] {
            check(10_000, step, Some(5));
        }
        for step in [50_000, 65_536, 100_000, 1 << 20] {
            for position in [None, Some(0), Some(1), Some(5000), Some(4095)] {
                check(300_001, step, position);
            }
        }
        check(0, 10, None);
    }
}
