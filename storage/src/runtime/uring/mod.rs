//! The `uring` back end: one io_uring per core. Its completions arrive as an eventfd in the core's reactor, so disk and
//! network share one thread and one place to sleep.

mod ring;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use rustix::event::{EventfdFlags, eventfd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use self::ring::{Ring, Work};
use super::file_thread::FileThread;
use super::native::{NativeDisk, NativeFile, Transfer, WriteRequest};
use super::read_buffers::ReadBuffers;
use super::rope::Remaining;
use super::{Disk, Durability, FileHandle, Lane, LocalFuture};

/// Entries of a core's ring. Ring memory counts against RLIMIT_MEMLOCK (8 MiB hold about 290 such rings); operations
/// beyond it wait in user space.
const RING_ENTRIES: u32 = 256;

/// How long a completion whose wake-up got lost may go unseen. No such loss is known; a hang would be the worst answer.
/// Not less: a core with a little to do would be woken as often by this as by its clients.
const SAFETY_TICK: Duration = Duration::from_millis(250);

/// A disk on a ring of its own: the probe is making the ring, registering the eventfd and sending a NOP round. Within a
/// core's tokio runtime.
pub(super) fn disk(core: usize) -> io::Result<Box<dyn Disk>> {
    Ok(Box::new(NativeDisk::new(RingTransfer::start()?, FileThread::start(&format!("core-{core}-files"))?)))
}

/// Whether this process may have a ring at all.
#[cfg(feature = "glommio")]
pub(super) fn probe() -> io::Result<()> {
    Ring::new(RING_ENTRIES)?.probe()
}

struct RingTransfer {
    shared: Rc<Shared>,
    buffers: Rc<ReadBuffers>,
}

struct Shared {
    ring: RefCell<Ring>,
    /// Wakes the driver; several submissions before it runs go in with one call.
    driver: Cell<Option<Waker>>,
}

impl RingTransfer {
    fn start() -> io::Result<RingTransfer> {
        let mut ring = Ring::new(RING_ENTRIES)?;
        ring.probe()?;
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        ring.register_eventfd(event.as_raw_fd())?;
        // SAFETY: the descriptor is owned by the value handed over and closed with it, not before. Test: every one that
        // waits for the ring.
        let event = unsafe { AsyncFd::register_with_interest(event, Interest::READABLE) }?;
        let shared = Rc::new(Shared { ring: RefCell::new(ring), driver: Cell::default() });
        #[expect(clippy::disallowed_methods, reason = "the driver is part of the runtime")]
        tokio::task::spawn_local(Driver { shared: shared.clone(), event, tick: None });
        Ok(RingTransfer { shared, buffers: Rc::default() })
    }

    fn submit(&self, file: Rc<NativeFile>, work: Work) {
        self.shared.ring.borrow_mut().queue(file, work);
        if let Some(driver) = self.shared.driver.take() {
            driver.wake();
        }
    }
}

impl Transfer for RingTransfer {
    fn write(&self, file: Rc<NativeFile>, write: WriteRequest) -> LocalFuture<io::Result<()>> {
        let (done, result) = oneshot::channel();
        let remaining = Remaining::new(write.buffers, write.offset);
        if remaining.next().is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let durable = write.durability == Durability::Durable;
        self.submit(file, Work::Write { remaining, durable, vectors: Vec::new(), done });
        answer(result)
    }

    fn read(&self, file: Rc<NativeFile>, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>> {
        let (done, result) = oneshot::channel();
        let direct = file.is_direct();
        if length == 0 {
            return Box::pin(std::future::ready(Ok(BytesMut::new())));
        }
        self.submit(file, Work::Read { buffer: self.buffers.take(length), length, offset, direct, done });
        answer(result)
    }

    fn sync_data(&self, file: Rc<NativeFile>, _: Lane) -> LocalFuture<io::Result<()>> {
        let (done, result) = oneshot::channel();
        self.submit(file, Work::Sync { done });
        answer(result)
    }
}

fn answer<T: 'static>(result: oneshot::Receiver<io::Result<T>>) -> LocalFuture<io::Result<T>> {
    Box::pin(async move { result.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) })
}

/// The task that turns the ring: woken by submissions, by the eventfd, and by the safety tick while something is in
/// flight. Idle, it holds no timer.
struct Driver {
    shared: Rc<Shared>,
    event: AsyncFd<OwnedFd>,
    tick: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        driver.shared.driver.set(Some(context.waker().clone()));
        let signalled = driver.poll_event(context) | driver.poll_tick(context);
        let mut ring = driver.shared.ring.borrow_mut();
        if let Err(error) = ring.turn(signalled) {
            // Nothing is lost: entries stay queued, and the tick tries again.
            tracing::warn!(%error, "io_uring_enter failed");
        }
        let busy = !ring.is_idle();
        drop(ring);
        if busy && driver.tick.is_none() {
            driver.arm_tick(context);
        }
        Poll::Pending
    }
}

impl Driver {
    /// Whether the kernel has said that something completed. The eventfd is never read: the reactor is edge-triggered,
    /// each completion is an edge, and the counter does not overflow in the life of a machine.
    fn poll_event(&self, context: &mut Context<'_>) -> bool {
        let mut signalled = false;
        while let Poll::Ready(ready) = self.event.poll_read_ready(context) {
            signalled = true;
            match ready {
                Ok(mut guard) => guard.clear_ready(),
                // The reactor is shutting down; dropping the ring drains it.
                Err(_) => break,
            }
        }
        signalled
    }

    fn poll_tick(&mut self, context: &mut Context<'_>) -> bool {
        let fired = self.tick.as_mut().is_some_and(|tick| tick.as_mut().poll(context).is_ready());
        if fired {
            self.tick = None;
        }
        fired
    }

    fn arm_tick(&mut self, context: &mut Context<'_>) {
        #[expect(clippy::disallowed_methods, reason = "the driver is part of the runtime")]
        let mut tick = Box::pin(tokio::time::sleep(SAFETY_TICK));
        // Polled once, or it would not wake anybody. It cannot be over yet, and if it were the next turn sees it.
        let _ = tick.as_mut().poll(context);
        self.tick = Some(tick);
    }
}
