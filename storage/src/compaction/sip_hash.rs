//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012).
//!
//! Compaction takes two keys of the same hash for one and drops the older record, so a hash has to be wide, and nobody
//! may be able to choose keys that collide: the seed is random and stays in the process.

/// The hash of `bytes` under a secret seed.
pub(super) fn sip_hash_128(seed: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let mut state = State {
        v0: seed[0] ^ 0x736f_6d65_7073_6575,
        v1: seed[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        v2: seed[0] ^ 0x6c79_6765_6e65_7261,
        v3: seed[1] ^ 0x7465_6462_7974_6573,
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().for_each(|word| state.take(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.take(u64::from_le_bytes(last));
    [state.finish(0xee, |v2| &mut v2.v2), state.finish(0xdd, |v1| &mut v1.v1)]
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    fn take(&mut self, word: u64) {
        self.v3 ^= word;
        self.rounds(2);
        self.v0 ^= word;
    }

    fn finish(&mut self, mark: u64, place: impl Fn(&mut State) -> &mut u64) -> u64 {
        *place(self) ^= mark;
        self.rounds(4);
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.v0 = self.v0.wrapping_add(self.v1);
            self.v2 = self.v2.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(13) ^ self.v0;
            self.v3 = self.v3.rotate_left(16) ^ self.v2;
            self.v0 = self.v0.rotate_left(32);
            self.v2 = self.v2.wrapping_add(self.v1);
            self.v0 = self.v0.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(17) ^ self.v2;
            self.v3 = self.v3.rotate_left(21) ^ self.v0;
            self.v2 = self.v2.rotate_left(32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' test vectors (vectors.h, vectors_sip128): the seed is bytes 0 to 15, the input 0, 1, 2, ...
    #[test]
    fn the_authors_vectors_come_out() {
        let seed = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let check = |length: u8, expected: [u8; 16]| {
            let input: Vec<u8> = (0..length).collect();
            let bytes = sip_hash_128(seed, &input).map(u64::to_le_bytes).concat();
            assert_eq!(bytes, expected, "{length} bytes");
        };
        check(0, [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93]);
        check(1, [0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45]);
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let of = |bytes: &[u8]| sip_hash_128([1, 2], bytes);
        let all: Vec<[u64; 2]> =
            [&b""[..], b"\0", b"\0\0", b"12345678", b"12345679", b"123456780", b"x2345678"].map(of).to_vec();
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash), "{index}");
        }
        assert_ne!(of(b"a"), sip_hash_128([1, 3], b"a"));
    }
}
