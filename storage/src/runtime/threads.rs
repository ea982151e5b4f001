//! The `threads` back end: blocking system calls on two threads per core, one for commits and one for the rest, so that
//! a commit never waits behind a cold read.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use rustix::io::{Errno, ReadWriteFlags};

use super::file_thread::FileThread;
use super::native::{NativeDisk, NativeFile, Transfer, WriteRequest};
use super::read_buffers::ReadBuffers;
use super::rope::Remaining;
use super::{BLOCK_BYTES, Disk, Durability, FileHandle, Lane, LocalFuture};

/// A disk on file threads.
pub(super) fn disk(core: usize) -> io::Result<impl Disk + 'static> {
    Ok(NativeDisk::new(Lanes::start(core)?, FileThread::start(&format!("core-{core}-files"))?))
}

/// A thread per lane.
pub(super) struct Lanes {
    commit: FileThread,
    background: FileThread,
    buffers: Rc<ReadBuffers>,
}

impl Lanes {
    pub(super) fn start(core: usize) -> io::Result<Lanes> {
        let start = |role: &str| FileThread::start(&format!("core-{core}-{role}"));
        Ok(Lanes { commit: start("commit")?, background: start("disk")?, buffers: Rc::default() })
    }

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
        let mut buffer = self.buffers.take(length);
        self.background.run(move || {
            buffer.resize(length, 0);
            read_up_to(&descriptor, direct, offset, buffer)
        })
    }

    fn sync_data(&self, file: Rc<NativeFile>, lane: Lane) -> LocalFuture<io::Result<()>> {
        let descriptor = file.descriptor().clone();
        self.of(lane).run(move || Ok(rustix::fs::fdatasync(&descriptor)?))
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

fn read_up_to(file: &OwnedFd, direct: bool, offset: u64, mut buffer: BytesMut) -> io::Result<BytesMut> {
    let mut filled = 0;
    while filled < buffer.len() {
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
