//! Bytes of a socket cut into frames: a big-endian int32 length, then that many bytes.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::budget::{MemoryShare, UNCOUNTED_BYTES_MAX};

/// What is read at a time while no large frame is due.
const READ_BYTES: usize = 64 * 1024;
const LENGTH_BYTES: usize = 4;

/// Why a connection cannot go on: no frame boundary can be found after either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A length below zero.
    #[error("negative frame length {0}")]
    Negative(i32),
    /// A length above `socket.request.max.bytes`.
    #[error("frame of {frame_bytes} bytes is larger than socket.request.max.bytes {frame_bytes_max}")]
    TooLarge {
        /// What the peer announced.
        frame_bytes: usize,
        /// What is allowed.
        frame_bytes_max: usize,
    },
}

/// A complete frame and its share of the request memory.
#[derive(Debug)]
pub struct Frame {
    /// What followed the length.
    pub bytes: Bytes,
    /// Held until the request is answered.
    pub memory: MemoryShare,
}

/// What the assembler needs next.
#[derive(Debug)]
pub enum Step {
    /// A frame is complete.
    Frame(Frame),
    /// More bytes of the socket.
    Read,
    /// This much request memory, by [`FrameReader::grant`], before it reads on.
    Memory(usize),
}

/// The read side of a connection.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    frame_bytes_max: usize,
    granted: Option<MemoryShare>,
}

impl FrameReader {
    /// Refuses frames above `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> FrameReader {
        FrameReader { buffer: BytesMut::new(), frame_bytes_max, granted: None }
    }

    /// Cuts the next frame off, or says what is missing.
    pub fn step(&mut self) -> Result<Step, FrameError> {
        let Some(length) = self.announced()? else { return Ok(Step::Read) };
        if length > UNCOUNTED_BYTES_MAX && self.granted.is_none() {
            return Ok(Step::Memory(length));
        }
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(Step::Read);
        }
        self.buffer.advance(LENGTH_BYTES);
        let bytes = self.buffer.split_to(length).freeze();
        Ok(Step::Frame(Frame { bytes, memory: self.granted.take().flatten() }))
    }

    /// The memory [`Step::Memory`] asked for.
    pub fn grant(&mut self, share: MemoryShare) {
        self.granted = Some(share);
    }

    /// Room to read into: what the frame under way still lacks, at least one reading's worth.
    pub fn room(&mut self) -> &mut BytesMut {
        let missing = match self.announced() {
            Ok(Some(length)) if self.granted.is_some() || length <= UNCOUNTED_BYTES_MAX => {
                (LENGTH_BYTES + length).saturating_sub(self.buffer.len())
            }
            _ => 0,
        };
        let spare = self.buffer.capacity() - self.buffer.len();
        // A large frame is read into memory of exactly its size: what follows it belongs to the next.
        if spare < missing || spare == 0 {
            self.buffer.reserve(if missing > READ_BYTES { missing } else { READ_BYTES });
        }
        &mut self.buffer
    }

    /// Gives the buffer's memory back while the connection is idle.
    pub fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*prefix);
        let length = usize::try_from(announced).map_err(|_| FrameError::Negative(announced))?;
        if length > self.frame_bytes_max {
            return Err(FrameError::TooLarge { frame_bytes: length, frame_bytes_max: self.frame_bytes_max });
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameError, FrameReader, Step};

    fn feed(reader: &mut FrameReader, bytes: &[u8]) {
        reader.room().extend_from_slice(bytes);
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let payloads: [&[u8]; 4] = [b"first", b"", &[7; 40_000], b"last"];
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        for chunk_bytes in [1, 3, 4, 5, 1000, stream.len()] {
            let mut reader = FrameReader::new(100_000);
            let mut frames = Vec::new();
            for chunk in stream.chunks(chunk_bytes) {
                feed(&mut reader, chunk);
                loop {
                    match reader.step().expect("legal frames") {
                        Step::Frame(frame) => frames.push(frame.bytes),
                        Step::Memory(bytes) => {
                            assert_eq!(bytes, 40_000);
                            reader.grant(None);
                        }
                        Step::Read => break,
                    }
                }
            }
            assert_eq!(frames, payloads, "chunks of {chunk_bytes}");
        }
    }

    #[test]
    fn a_bad_length_is_refused_before_memory_is_taken() {
        let check = |length: i32, error: FrameError| {
            let mut reader = FrameReader::new(1000);
            feed(&mut reader, &length.to_be_bytes());
            assert_eq!(reader.step().err(), Some(error));
            assert!(reader.room().capacity() <= 2 * super::READ_BYTES);
        };
        check(-1, FrameError::Negative(-1));
        check(i32::MIN, FrameError::Negative(i32::MIN));
        check(1001, FrameError::TooLarge { frame_bytes: 1001, frame_bytes_max: 1000 });
        check(i32::MAX, FrameError::TooLarge { frame_bytes: i32::MAX as usize, frame_bytes_max: 1000 });
    }

    #[test]
    fn a_large_frame_takes_no_memory_before_it_is_granted() {
        let mut reader = FrameReader::new(100 << 20);
        feed(&mut reader, &(100_i32 << 20).to_be_bytes());
        assert!(matches!(reader.step(), Ok(Step::Memory(bytes)) if bytes == 100 << 20));
        assert!(reader.room().capacity() <= 2 * super::READ_BYTES);
        reader.grant(None);
        assert!(reader.room().capacity() >= 100 << 20);
    }
}
