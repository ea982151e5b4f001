//! The ring itself: operations in slots that own everything the kernel may touch, until their completion is seen.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};

use bytes::BytesMut;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{EnterFlags, IoUring, opcode, squeue};
use slab::Slab;
use tokio::sync::oneshot;

use super::super::BLOCK_BYTES;
use super::super::native::NativeFile;
use super::super::rope::Remaining;

/// The kernel moves no more bytes in one operation (MAX_RW_COUNT).
const BYTES_PER_CALL_MAX: usize = 0x7fff_f000;

/// An operation and whom to tell.
pub(super) enum Work {
    Write {
        remaining: Remaining,
        durable: bool,
        /// Read by the kernel when the entry is submitted, or later on kernels without IORING_FEAT_SUBMIT_STABLE.
        vectors: Vec<libc::iovec>,
        done: oneshot::Sender<io::Result<()>>,
    },
    Read {
        /// What was read so far, with room for all of `length`.
        buffer: BytesMut,
        length: usize,
        offset: u64,
        direct: bool,
        done: oneshot::Sender<io::Result<BytesMut>>,
    },
    Sync {
        done: oneshot::Sender<io::Result<()>>,
    },
}

/// What is to be done with an operation after a completion.
enum Next {
    /// Short, or interrupted: the rest goes in again.
    Again(Work),
    /// Its caller, if still there, has the result.
    Done,
}

struct Slot {
    /// Keeps the descriptor open.
    file: Rc<NativeFile>,
    /// `None` only within [`Ring::complete`].
    work: Option<Work>,
}

/// An io_uring with its operations. Dropping it waits for every one of them.
pub(super) struct Ring {
    ring: IoUring,
    /// The kernel says in memory whether a call is needed to see completions.
    tells_work: bool,
    /// By user data of the entry.
    slots: Slab<Slot>,
    /// Slots that wait for an entry of the ring.
    queue: VecDeque<usize>,
    /// Entries given to the ring whose completion was not seen. At most the size of the submission queue, which is half
    /// that of the completion queue: completions cannot overflow.
    in_ring: usize,
    completed: Vec<(usize, i32)>,
}

impl Ring {
    /// A ring of `entries` entries; errors are those of io_uring_setup(2).
    pub(super) fn new(entries: u32) -> io::Result<Ring> {
        // Completions wait for our next call instead of interrupting the core, and a flag says that there are some.
        // Kernels before 6.1 do not have it.
        let mut builder = IoUring::builder();
        let (ring, tells_work) =
            match builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().build(entries) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => (IoUring::new(entries)?, false),
                result => (result?, true),
            };
        Ok(Ring { ring, tells_work, slots: Slab::new(), queue: VecDeque::new(), in_ring: 0, completed: Vec::new() })
    }

    /// Sends a NOP round: some sandboxes allow the setup and refuse the rest.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        self.push(&opcode::Nop::new().build());
        self.ring.submit_and_wait(1)?;
        match self.ring.completion().next().map(|completion| completion.result()) {
            Some(0) => Ok(()),
            Some(error) => Err(io::Error::from_raw_os_error(-error)),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Every completion counts up `event`. (Not the `async` variant of the call: that one is silent about completions
    /// by interrupt, which are those of direct I/O.)
    pub(super) fn register_eventfd(&self, event: RawFd) -> io::Result<()> {
        self.ring.submitter().register_eventfd(event)
    }

    /// Takes an operation; it goes to the kernel at the next [`Ring::turn`].
    pub(super) fn queue(&mut self, file: Rc<NativeFile>, work: Work) {
        let slot = self.slots.insert(Slot { file, work: Some(work) });
        self.queue.push_back(slot);
    }

    /// Whether no operation is queued or in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// Sees what completed, then submits what waits, until there is nothing more to do without sleeping. `signalled`:
    /// the kernel has said that there are completions to collect.
    ///
    /// Meanwhile it need not say so: it would count up the event for what this is about to see, and the core would be
    /// woken for nothing.
    pub(super) fn turn(&mut self, signalled: bool) -> io::Result<()> {
        self.ring.completion().disable_eventfd();
        let turned = self.look(signalled);
        self.ring.completion().enable_eventfd();
        // The kernel says that there is work, then asks whether it should signal: the other way round here.
        fence(Ordering::SeqCst);
        if self.has_news() { turned.and(self.look(true)) } else { turned }
    }

    fn has_news(&mut self) -> bool {
        !self.ring.completion().is_empty() || (self.tells_work && self.ring.submission().taskrun())
    }

    fn look(&mut self, mut signalled: bool) -> io::Result<()> {
        loop {
            self.reap();
            self.fill();
            let submission = self.ring.submission();
            let (waiting, has_work) = (submission.len(), !self.tells_work || submission.taskrun());
            drop(submission);
            // A completion that an earlier call brought along has still counted up the event.
            if waiting == 0 && !(signalled && has_work) {
                return Ok(());
            }
            signalled = false;
            self.enter(waiting, 0)?;
            self.reap();
        }
    }

    fn reap(&mut self) {
        self.completed.extend(self.ring.completion().map(|entry| (entry.user_data() as usize, entry.result())));
        let mut completed = std::mem::take(&mut self.completed);
        for (slot, result) in completed.drain(..) {
            self.in_ring -= 1;
            self.complete(slot, result);
        }
        self.completed = completed;
    }

    fn complete(&mut self, slot: usize, result: i32) {
        let Some(work) = self.slots.get_mut(slot).and_then(|slot| slot.work.take()) else { return };
        match work.completed(result) {
            Next::Again(work) => {
                self.slots[slot].work = Some(work);
                // Ahead of newer ones: its caller has waited longest.
                self.queue.push_front(slot);
            }
            Next::Done => drop(self.slots.remove(slot)),
        }
    }

    /// Moves waiting operations into the submission queue, as many as fit.
    fn fill(&mut self) {
        let room = self.ring.submission().capacity();
        while self.in_ring < room
            && let Some(slot) = self.queue.pop_front()
        {
            let Slot { file, work } = &mut self.slots[slot];
            let Some(work) = work else { continue };
            let entry = work.entry(Fd(file.descriptor().as_raw_fd())).user_data(slot as u64);
            self.in_ring += 1;
            self.push(&entry);
        }
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: what the entry points to (buffer, vectors, descriptor) is owned by its slot, on the heap, and is not
        // moved, changed or freed before the entry's completion was seen: `complete` alone takes it out, and dropping
        // the ring waits. Test: `dropping_a_ring_waits_for_what_is_in_flight`.
        let pushed = unsafe { self.ring.submission().push(entry) };
        // `in_ring` never exceeds the size of the queue.
        assert!(pushed.is_ok(), "the submission queue has room");
    }

    fn enter(&self, to_submit: usize, wait_for: u32) -> io::Result<()> {
        loop {
            // SAFETY: no argument beside the numbers; entries were vouched for in `push`. Test: every one of the ring.
            let entered = unsafe {
                self.ring.submitter().enter::<()>(to_submit as u32, wait_for, EnterFlags::GETEVENTS.bits(), None)
            };
            match entered {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(|_| ()),
            }
        }
    }

    /// Waits for everything in flight or queued.
    fn drain(&mut self) -> io::Result<()> {
        while !self.is_idle() {
            self.reap();
            self.fill();
            let waiting = self.ring.submission().len();
            if self.in_ring > 0 {
                self.enter(waiting, 1)?;
            }
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Err(error) = self.drain() {
            // The kernel may still write to these buffers: better lost than reused.
            tracing::error!(%error, "operations in flight could not be waited for");
            std::mem::forget(std::mem::take(&mut self.slots));
        }
    }
}

impl Work {
    fn entry(&mut self, file: Fd) -> squeue::Entry {
        match self {
            Work::Write { remaining, durable, vectors, .. } => {
                let flags = if *durable { libc::RWF_DSYNC } else { 0 };
                if let [one] = remaining.next() {
                    let length = one.len().min(BYTES_PER_CALL_MAX) as u32;
                    return opcode::Write::new(file, one.as_ptr(), length)
                        .offset(remaining.offset)
                        .rw_flags(flags)
                        .build();
                }
                vectors.clear();
                vectors.extend(
                    remaining.next().iter().map(|buffer| libc::iovec {
                        iov_base: buffer.as_ptr().cast_mut().cast(),
                        iov_len: buffer.len(),
                    }),
                );
                opcode::Writev::new(file, vectors.as_ptr(), vectors.len() as u32)
                    .offset(remaining.offset)
                    .rw_flags(flags)
                    .build()
            }
            Work::Read { buffer, length, offset, .. } => {
                let filled = buffer.len();
                let rest = &mut buffer.spare_capacity_mut()[..*length - filled];
                let length = rest.len().min(BYTES_PER_CALL_MAX) as u32;
                opcode::Read::new(file, rest.as_mut_ptr().cast(), length).offset(*offset + filled as u64).build()
            }
            Work::Sync { .. } => opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build(),
        }
    }

    /// What a completion with this result (bytes, or a negated error number) means. A caller that is gone is no error:
    /// the operation has happened all the same.
    fn completed(self, result: i32) -> Next {
        if matches!(-result, libc::EINTR | libc::EAGAIN) {
            return Next::Again(self);
        }
        let bytes = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        match self {
            Work::Write { remaining, durable, vectors, done } => wrote(remaining, durable, vectors, done, bytes),
            Work::Read { buffer, length, offset, direct, done } => match bytes {
                Ok(bytes) => did_read(buffer, length, offset, direct, done, bytes),
                Err(error) => {
                    let _ = done.send(Err(error));
                    Next::Done
                }
            },
            Work::Sync { done } => {
                let _ = done.send(bytes.map(|_| ()));
                Next::Done
            }
        }
    }
}

fn wrote(
    mut remaining: Remaining,
    durable: bool,
    vectors: Vec<libc::iovec>,
    done: oneshot::Sender<io::Result<()>>,
    bytes: io::Result<usize>,
) -> Next {
    let result = match bytes {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(bytes) => {
            remaining.advance(bytes);
            if !remaining.next().is_empty() {
                return Next::Again(Work::Write { remaining, durable, vectors, done });
            }
            Ok(())
        }
        Err(error) => Err(error),
    };
    let _ = done.send(result);
    Next::Done
}

fn did_read(
    mut buffer: BytesMut,
    length: usize,
    offset: u64,
    direct: bool,
    done: oneshot::Sender<io::Result<BytesMut>>,
    bytes: usize,
) -> Next {
    let total = (buffer.len() + bytes).min(length);
    // SAFETY: the kernel has just written the `bytes` behind what the buffer held, and `entry` offered it no more than
    // the room up to `length`, which the buffer has. Test: every one that reads a file on a ring.
    unsafe { buffer.set_len(total) };
    // The end of the file: nothing came, or direct I/O stopped off a block, from where it cannot go on.
    let is_end = bytes == 0 || (direct && !total.is_multiple_of(BLOCK_BYTES));
    if total < length && !is_end {
        return Next::Again(Work::Read { buffer, length, offset, direct, done });
    }
    let _ = done.send(Ok(buffer));
    Next::Done
}
