//! The checksum of a commit, kept while it gathers: that of a batch is known, so its bytes are not read again.

use crate::crc::combine;

/// Below this a pass over the bytes is the faster way.
const COMBINE_BYTES_MIN: usize = 4096;

/// A checksum that grows.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunningChecksum(u32);

impl RunningChecksum {
    /// More bytes, whose own CRC-32C is `known` if somebody has computed it.
    pub fn add(&mut self, bytes: &[u8], known: Option<u32>) {
        self.0 = match known {
            Some(known) if bytes.len() >= COMBINE_BYTES_MIN => combine(self.0, known, bytes.len()),
            _ => crc32c::crc32c_append(self.0, bytes),
        };
    }

    /// Of all bytes so far.
    pub fn value(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_checksum_stands_for_its_bytes() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|index| (index * 7 + index / 251) as u8).collect();
        for split in [0, 1, 4095, 4096, 65_537, 299_999, 300_000] {
            let (first, second) = bytes.split_at(split);
            for known in [None, Some(crc32c::crc32c(second))] {
                let mut running = RunningChecksum::default();
                running.add(first, None);
                running.add(second, known);
                assert_eq!(running.value(), crc32c::crc32c(&bytes), "{split}");
            }
        }
    }
}
