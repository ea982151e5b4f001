//! A rope on its way to a file, across calls that take only part of it.

use bytes::{Buf, Bytes};

/// The kernel takes no more buffers in one call (UIO_MAXIOV).
const BUFFERS_PER_CALL_MAX: usize = 1024;

/// Bytes still to be written: a rope and where it goes.
pub(super) struct Remaining {
    buffers: Vec<Bytes>,
    first: usize,
    pub(super) offset: u64,
}

impl Remaining {
    pub(super) fn new(mut buffers: Vec<Bytes>, offset: u64) -> Remaining {
        buffers.retain(|buffer| !buffer.is_empty());
        Remaining { buffers, first: 0, offset }
    }

    /// The buffers of the next call; empty when all is written.
    pub(super) fn next(&self) -> &[Bytes] {
        let last = self.buffers.len().min(self.first + BUFFERS_PER_CALL_MAX);
        &self.buffers[self.first..last]
    }

    /// Takes note of what a call has written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.offset += written as u64;
        while let Some(buffer) = self.buffers.get_mut(self.first).filter(|buffer| buffer.len() <= written) {
            written -= buffer.len();
            *buffer = Bytes::new();
            self.first += 1;
        }
        if written > 0 {
            self.buffers[self.first].advance(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_writes_are_continued_where_they_stopped() {
        let rope =
            || vec![Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"de"), Bytes::from_static(b"f")];
        for step in 1..=6 {
            let mut remaining = Remaining::new(rope(), 10);
            let mut written = Vec::new();
            while !remaining.next().is_empty() {
                assert_eq!(remaining.offset, 10 + written.len() as u64);
                let flat = remaining.next().concat();
                let part = &flat[..step.min(flat.len())];
                written.extend_from_slice(part);
                remaining.advance(part.len());
            }
            assert_eq!(written, b"abcdef", "{step} bytes at a time");
        }
    }

    #[test]
    fn a_long_rope_takes_several_calls() {
        let remaining = Remaining::new(vec![Bytes::from_static(b"x"); BUFFERS_PER_CALL_MAX + 1], 0);
        assert_eq!(remaining.next().len(), BUFFERS_PER_CALL_MAX);
    }
}
