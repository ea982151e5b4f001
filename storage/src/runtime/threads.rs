//! The `threads` back end: blocking system calls on two threads per core, one for commits and one for the rest, so that
//! a commit never waits behind a cold read.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use rustix::io::{Errno, ReadWriteFlags};

use super::buffers::aligned_zeroed;
use super::file_thread::FileThread;
use super::native::{NativeDisk, NativeFile, Transfer, WriteRequest};
use super::{BLOCK_BYTES, Disk, Durability, FileHandle, Lane, LocalFuture};

/// The kernel takes no more buffers in one call (UIO_MAXIOV).
pub(super) const BUFFERS_PER_CALL_MAX: usize = 1024;

/// A disk on file threads.
pub(super) fn disk(core: usize) -> io::Result<impl Disk + 'static> {
    let start = |role: &str| FileThread::start(&format!("core-{core}-{role}"));
    let lanes = Lanes { commit: start("commit")?, background: start("disk")? };
    Ok(NativeDisk::new(lanes, start("files")?))
}

struct Lanes {
    commit: FileThread,
    background: FileThread,
}

impl Lanes {
    fn of(&self, lane: Lane) -> &FileThread {
        match lane {
            Lane::Commit => &self.commit,
            Lane::Background => &self.background,
        }
    }
}

impl Transfer for Lanes {
    fn write(&self, file: Rc<NativeFile>, write: WriteRequest) -> LocalFuture<io::Result<()>> {
        let descriptor = file.descriptor().clone();
        self.of(write.lane).run(move || write_all(&descriptor, write.buffers, write.offset, write.durability))
    }

    fn read(&self, file: Rc<NativeFile>, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>> {
        let (descriptor, direct) = (file.descriptor().clone(), file.is_direct());
        self.background.run(move || read_up_to(&descriptor, direct, offset, length))
    }

    fn sync_data(&self, file: Rc<NativeFile>, lane: Lane) -> LocalFuture<io::Result<()>> {
        let descriptor = file.descriptor().clone();
        self.of(lane).run(move || Ok(rustix::fs::fdatasync(&descriptor)?))
    }
}

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

fn write_all(file: &OwnedFd, buffers: Vec<Bytes>, offset: u64, durability: Durability) -> io::Result<()> {
    let mut remaining = Remaining::new(buffers, offset);
    while !remaining.next().is_empty() {
        let slices: Vec<IoSlice<'_>> = remaining.next().iter().map(|buffer| IoSlice::new(buffer)).collect();
        match write_some(file, &slices, remaining.offset, durability) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => remaining.advance(written),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn write_some(file: &OwnedFd, slices: &[IoSlice<'_>], offset: u64, durability: Durability) -> Result<usize, Errno> {
    if durability == Durability::Buffered {
        return rustix::io::pwritev(file, slices, offset);
    }
    match rustix::io::pwritev2(file, slices, offset, ReadWriteFlags::DSYNC) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let written = rustix::io::pwritev(file, slices, offset)?;
            rustix::fs::fdatasync(file)?;
            Ok(written)
        }
        result => result,
    }
}

fn read_up_to(file: &OwnedFd, direct: bool, offset: u64, length: usize) -> io::Result<BytesMut> {
    let mut buffer = aligned_zeroed(length);
    let mut filled = 0;
    while filled < length {
        match rustix::io::pread(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if direct && !filled.is_multiple_of(BLOCK_BYTES) {
            // The end of the file; going on from off a block would be refused.
            break;
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
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
