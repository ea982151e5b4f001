//! Bytes of a socket cut into frames: a big-endian int32 length, then that many bytes.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::budget::{MemoryShare, UNCOUNTED_BYTES_MAX};

/// What is read at a time while no large frame is due.
const READ_BYTES: usize = 64 * 1024;
/// Room for the frames of a client whose last one was larger than that, as long as they fit; held while one is under way.
const EXPECTED_BYTES_MAX: usize = 128 * 1024;
/// What is read of a frame that is likely to be larger still, before its length is known: it is copied.
const HEAD_BYTES: usize = 4 * 1024;
/// Read buffers a core keeps for its connections, 1 MiB in all.
const BUFFERS_MAX: usize = 16;
/// A frame up to this size finds its memory among those of frames before it, ...
const LARGE_BYTES_MAX: usize = 2 << 20;
/// ... which is given out in multiples of this, so that frames much alike fit the same, ...
const LARGE_BYTES_STEP: usize = 256 << 10;
/// ... and so many of which a core keeps.
const LARGE_BUFFERS_MAX: usize = 4;
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

/// Buffers that the connections of a core take turns with: an idle connection holds none, and a busy one does not pay
/// for fresh pages with every request.
#[derive(Debug, Clone, Default)]
pub struct ReadBuffers {
    /// Of [`READ_BYTES`].
    small: Pool,
    /// Of single large frames.
    large: Pool,
}

/// The unused ends of buffers; each becomes the whole again once no frame refers to it.
#[derive(Debug, Clone, Default)]
struct Pool {
    ends: Rc<RefCell<Vec<BytesMut>>>,
}

/// Which buffers one belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// None that others wait for.
    Own,
    Small,
    Large,
}

impl Pool {
    /// A buffer with room for `bytes`; a new one has `new_bytes`.
    fn take(&self, bytes: usize, new_bytes: usize) -> BytesMut {
        let mut ends = self.ends.borrow_mut();
        // The one used last is the one most likely in the processor's cache.
        let free = ends.iter_mut().rposition(|end| end.try_reclaim(bytes));
        free.map_or_else(|| BytesMut::with_capacity(new_bytes), |index| ends.remove(index))
    }

    fn give_back(&self, mut end: BytesMut, buffers_max: usize) {
        // What is left of a frame has moved on to another buffer.
        end.clear();
        let mut ends = self.ends.borrow_mut();
        if ends.len() >= buffers_max {
            // Too small for today's frames, or a frame is in it for long.
            ends.remove(0);
        }
        ends.push(end);
    }
}

impl ReadBuffers {
    fn take(&self, origin: Origin, bytes: usize) -> BytesMut {
        match origin {
            Origin::Own => BytesMut::with_capacity(bytes),
            Origin::Small => self.small.take(READ_BYTES, READ_BYTES),
            Origin::Large => {
                let mut buffer = self.large.take(bytes, bytes.next_multiple_of(LARGE_BYTES_STEP));
                // No more room than the frame needs.
                drop(buffer.split_off(bytes));
                buffer
            }
        }
    }

    fn give_back(&self, end: BytesMut, origin: Origin) {
        match origin {
            Origin::Own => drop(end),
            Origin::Small => self.small.give_back(end, BUFFERS_MAX),
            Origin::Large => self.large.give_back(end, LARGE_BUFFERS_MAX),
        }
    }

    /// Gives all back to the allocator: nothing has been read for a while.
    pub fn clear(&self) {
        self.small.ends.borrow_mut().clear();
        self.large.ends.borrow_mut().clear();
    }
}

/// The read side of a connection.
#[derive(Debug)]
pub struct FrameReader {
    buffers: ReadBuffers,
    buffer: BytesMut,
    /// Whose the buffer is. There is none between two requests.
    origin: Origin,
    frame_bytes_max: usize,
    /// Of the last frame, its length included: a client's frames are much alike.
    last_frame_bytes: usize,
    granted: Option<MemoryShare>,
}

impl FrameReader {
    /// Reads into `buffers` and refuses frames above `frame_bytes_max`.
    pub fn new(buffers: ReadBuffers, frame_bytes_max: usize) -> FrameReader {
        let buffer = BytesMut::new();
        FrameReader { buffers, buffer, origin: Origin::Own, frame_bytes_max, last_frame_bytes: 0, granted: None }
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
        self.last_frame_bytes = LENGTH_BYTES + length;
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
        if spare < missing || spare == 0 {
            self.grow(missing);
        }
        &mut self.buffer
    }

    /// A large frame is read into a buffer that nothing else is in: what follows it belongs to the next.
    fn grow(&mut self, missing: usize) {
        let bytes = self.buffer.len() + missing.max(1);
        let (origin, bytes) = match (bytes, self.expected_bytes()) {
            (1, Some(expected)) => (Origin::Own, expected),
            (..=READ_BYTES, _) => (Origin::Small, bytes),
            (..=LARGE_BYTES_MAX, _) => (Origin::Large, bytes),
            _ => (Origin::Own, bytes),
        };
        let mut next = self.buffers.take(origin, bytes);
        next.extend_from_slice(&self.buffer);
        self.replace(next, origin);
    }

    /// Memory of its own for the beginning of a frame, where the last one was large: all of it then fits, with room to
    /// spare, so that a read that leaves some says that the socket is empty; or little of it has to be copied.
    fn expected_bytes(&self) -> Option<usize> {
        let is_large = self.last_frame_bytes > READ_BYTES;
        is_large.then_some(if self.last_frame_bytes < EXPECTED_BYTES_MAX { EXPECTED_BYTES_MAX } else { HEAD_BYTES })
    }

    /// Lets go of the buffer while nothing of a frame is in it: what comes next may take a while.
    pub fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.replace(BytesMut::new(), Origin::Own);
        }
    }

    fn replace(&mut self, next: BytesMut, origin: Origin) {
        let before = std::mem::replace(&mut self.buffer, next);
        self.buffers.give_back(before, std::mem::replace(&mut self.origin, origin));
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
    use super::{FrameError, FrameReader, ReadBuffers, Step};

    fn reader(frame_bytes_max: usize) -> FrameReader {
        FrameReader::new(ReadBuffers::default(), frame_bytes_max)
    }

    /// As a socket does: never more than there is room for.
    fn feed(reader: &mut FrameReader, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = reader.room();
            let taken = bytes.len().min(room.capacity() - room.len());
            assert!(taken > 0, "a read into no room looks like the end of the stream");
            room.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let payloads: [&[u8]; 4] = [b"first", b"", &[7; 40_000], b"last"];
        let buffers = ReadBuffers::default();
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        for chunk_bytes in [1, 3, 4, 5, 1000, stream.len()] {
            let mut reader = FrameReader::new(buffers.clone(), 100_000);
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
                reader.rest();
            }
            assert_eq!(frames, payloads, "chunks of {chunk_bytes}");
        }
    }

    #[test]
    fn connections_take_turns_with_a_buffer_that_no_frame_is_in() {
        let buffers = ReadBuffers::default();
        let address_after = |held: &mut Vec<bytes::Bytes>, payload: &[u8]| {
            let mut reader = FrameReader::new(buffers.clone(), 1 << 20);
            let address = reader.room().as_ptr() as usize;
            feed(&mut reader, &frame(payload));
            match reader.step() {
                Ok(Step::Frame(frame)) => held.push(frame.bytes),
                Ok(Step::Memory(_)) => reader.grant(None),
                step => panic!("{step:?}"),
            }
            reader.rest();
            address
        };
        let mut held = Vec::new();
        let first = address_after(&mut held, b"held");
        assert_ne!(address_after(&mut held, b"held, too"), first, "a frame is in it");
        held.remove(0);
        assert_eq!(address_after(&mut held, &[7; 20_000]), first, "free again");
    }

    #[test]
    fn a_large_frame_finds_the_memory_of_one_before() {
        let mut reader = reader(10 << 20);
        let mut next = |frame_bytes: usize| {
            let bytes = frame(&vec![7; frame_bytes]);
            feed(&mut reader, &bytes[..1000]);
            assert!(matches!(reader.step(), Ok(Step::Memory(_))));
            reader.grant(None);
            assert_eq!(reader.room().capacity(), bytes.len(), "what follows would have to be copied");
            feed(&mut reader, &bytes[1000..]);
            let Ok(Step::Frame(frame)) = reader.step() else { panic!("all of it was read") };
            reader.rest();
            frame.bytes
        };
        let first = next(1_000_000);
        let second = next(1_000_000);
        let addresses = [first.as_ptr() as usize, second.as_ptr() as usize];
        assert_ne!(addresses[0], addresses[1], "a frame is in it");
        drop(first);
        let third = next(1_040_000);
        assert_eq!(third.as_ptr() as usize, addresses[0]);
        drop(second);
        assert_eq!(next(900_000).as_ptr() as usize, addresses[1]);
        assert_eq!(next(3 << 20).len(), 3 << 20);
    }

    #[test]
    fn a_bad_length_is_refused_before_memory_is_taken() {
        let check = |length: i32, error: FrameError| {
            let mut reader = reader(1000);
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
        let mut reader = reader(100 << 20);
        feed(&mut reader, &(100_i32 << 20).to_be_bytes());
        assert!(matches!(reader.step(), Ok(Step::Memory(bytes)) if bytes == 100 << 20));
        assert!(reader.room().capacity() <= 2 * super::READ_BYTES);
        reader.grant(None);
        assert!(reader.room().capacity() >= 100 << 20);
    }

    #[test]
    fn the_room_for_a_frame_is_that_of_the_one_before() {
        let mut reader = reader(10 << 20);
        let mut room_after = |frame_bytes: usize| {
            feed(&mut reader, &frame(&vec![7; frame_bytes]));
            while !matches!(reader.step(), Ok(Step::Frame(_))) {
                reader.grant(None);
            }
            reader.rest();
            let room = reader.room().capacity();
            reader.rest();
            room
        };
        assert_eq!(room_after(100), super::READ_BYTES);
        assert_eq!(room_after(70_000), super::EXPECTED_BYTES_MAX);
        assert_eq!(room_after(1 << 20), super::HEAD_BYTES);
        assert_eq!(room_after(100), super::READ_BYTES);
    }
}
