//! Responses on their way out: parts by reference, written with as few calls as the socket takes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use storage::runtime::net::Connection;

/// Slices handed to one writev(2); Linux takes up to 1024.
const SLICES_MAX: usize = 128;
/// Once this much waits for the socket, no further response is collected.
pub const QUEUED_BYTES_MAX: usize = 1 << 20;

/// The write side of a connection.
#[derive(Debug, Default)]
pub struct Output {
    parts: VecDeque<Bytes>,
    bytes: usize,
}

impl Output {
    /// Queues a response; its length prefix is already among `parts`.
    pub fn push(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        for part in parts {
            if !part.is_empty() {
                self.bytes += part.len();
                self.parts.push_back(part);
            }
        }
    }

    /// Nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// There is room for another response.
    pub fn has_room(&self) -> bool {
        self.bytes < QUEUED_BYTES_MAX
    }

    /// Writes what the socket takes now; what is left waits for it to be writable.
    pub fn flush(&mut self, stream: &Connection) -> io::Result<()> {
        while !self.parts.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.parts.len().min(SLICES_MAX);
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(part);
            }
            match stream.try_write(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Output;

    #[test]
    fn a_short_write_leaves_exactly_the_rest() {
        let mut output = Output::default();
        output.push([Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"defg")]);
        output.advance(4);
        assert_eq!(output.parts, [Bytes::from_static(b"efg")]);
        output.advance(3);
        assert!(output.is_empty() && output.bytes == 0);
    }
}
