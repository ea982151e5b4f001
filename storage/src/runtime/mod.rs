//! The seam to the world: time, chance, tasks and disk of one core. Nothing else in the workspace may reach for them
//! (clippy's `disallowed-methods` says so), which is what lets a simulated machine run the very same storage code.
//!
//! A [`Runtime`] is a cheap, `!Send` handle that belongs to one core. It is dynamically dispatched on purpose: every
//! call behind it costs microseconds, and one type keeps the engine, the coordinators and their tests free of a
//! generic parameter that would reach every signature.

pub mod backend;
pub mod background;
pub mod buffers;
pub mod core;
mod file_thread;
#[cfg(feature = "glommio")]
mod glommio;
mod native;
pub mod net;
pub mod random;
mod read_buffers;
mod rope;
pub mod simulated;
mod threads;
mod uring;

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// A boxed future that stays on the core it was made on.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T> + 'static>>;

/// Alignment, in bytes, of every offset, length and memory address handed to a file opened with [`OpenOptions::direct`].
pub const BLOCK_BYTES: usize = 4096;

/// Nanoseconds since an arbitrary start; never goes backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// Time passed since `earlier`; zero if `earlier` is later than `self`.
    pub fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` after this one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// Open for writing as well as reading.
    pub write: bool,
    /// Create the file if it is missing. The caller syncs the directory.
    pub create: bool,
    /// Fail with `AlreadyExists` if the file exists (implies `create`).
    pub create_new: bool,
    /// Bypass the page cache where the file system allows it ([`File::is_direct`] tells); offsets, lengths and
    /// addresses are then multiples of [`BLOCK_BYTES`].
    pub direct: bool,
}

/// When a write counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The bytes are handed to the file system; a later [`Disk::sync_data`] makes them durable.
    Buffered,
    /// The bytes, and the file size if it grew, are on stable storage (RWF_DSYNC).
    Durable,
}

/// Which queue an operation waits in where a back end has queues: a commit never waits behind a cold read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Write-ahead log commits.
    Commit,
    /// Write-back, reads, housekeeping.
    Background,
}

/// What [`Disk::stat`] tells of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Whether the path is a directory.
    pub is_directory: bool,
    /// Last modification, in milliseconds since the Unix epoch.
    pub modified_ms: i64,
}

/// Space on the file system that holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes free for this process.
    pub available_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// An open file. Closed when the last clone is dropped and no operation on it is in flight.
#[derive(Clone)]
pub struct File {
    inner: Rc<dyn FileHandle>,
}

impl File {
    /// Wraps a back end's own file.
    pub fn new(inner: Rc<dyn FileHandle>) -> File {
        File { inner }
    }

    /// The back end's own file.
    pub fn handle(&self) -> &Rc<dyn FileHandle> {
        &self.inner
    }

    /// Whether direct I/O was asked for and is in force.
    pub fn is_direct(&self) -> bool {
        self.inner.is_direct()
    }
}

/// A back end's open file.
pub trait FileHandle: 'static {
    /// Whether direct I/O is in force on this file.
    fn is_direct(&self) -> bool;
    /// For the back end to find its own type again.
    fn into_any(self: Rc<Self>) -> Rc<dyn std::any::Any>;
}

/// Completion-style file access with owned buffers: a buffer belongs to the operation until it completes, whether or
/// not the caller still waits (dropping a future never frees memory the kernel may write to, nor cancels a write).
///
/// An operation starts when its method is called, not when its future is first polled, so several are in flight after
/// several calls. Operations in flight together complete in any order.
pub trait Disk {
    /// Opens a file. Never runs on the core thread.
    fn open(&self, path: &Path, options: OpenOptions) -> LocalFuture<io::Result<File>>;
    /// Writes all of `buffers`, in order, at `offset`. A short write is continued or reported, never swallowed.
    fn write(
        &self,
        file: &File,
        buffers: Vec<Bytes>,
        offset: u64,
        durability: Durability,
        lane: Lane,
    ) -> LocalFuture<io::Result<()>>;
    /// Reads up to `length` bytes at `offset`; fewer only at the end of the file. On a direct file the result is
    /// aligned memory and `offset` and `length` must be multiples of [`BLOCK_BYTES`].
    fn read(&self, file: &File, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>>;
    /// fdatasync: after `Ok`, every write completed before the call is durable.
    fn sync_data(&self, file: &File, lane: Lane) -> LocalFuture<io::Result<()>>;
    /// ftruncate, growing with zeros or cutting.
    fn set_len(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>>;
    /// fallocate of `[0, bytes)`, growing the file; falls back to `set_len` where it is not supported.
    fn allocate(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>>;
    /// rename(2), replacing `to`. Durable after `sync_directory` of both parents.
    fn rename(&self, from: &Path, to: &Path) -> LocalFuture<io::Result<()>>;
    /// unlink(2).
    fn remove_file(&self, path: &Path) -> LocalFuture<io::Result<()>>;
    /// Removes a directory and all below it.
    fn remove_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>>;
    /// mkdir -p.
    fn create_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>>;
    /// Names (not paths) in a directory, sorted.
    fn list(&self, path: &Path) -> LocalFuture<io::Result<Vec<String>>>;
    /// stat(2); `NotFound` if the path does not exist.
    fn stat(&self, path: &Path) -> LocalFuture<io::Result<Metadata>>;
    /// fsync of a directory: creations, renames and removals in it are durable after `Ok`.
    fn sync_directory(&self, path: &Path) -> LocalFuture<io::Result<()>>;
    /// statvfs(3).
    fn space(&self, path: &Path) -> LocalFuture<io::Result<Space>>;
}

/// What a back end provides.
pub trait Platform {
    /// The disk of this core.
    fn disk(&self) -> &dyn Disk;
    /// Monotonic time.
    fn now(&self) -> Monotonic;
    /// Milliseconds since the Unix epoch, as the wall clock has it; may jump.
    fn wall_clock_ms(&self) -> i64;
    /// A random number fit for identifiers (not for keys).
    fn random_u64(&self) -> u64;
    /// Completes at or after `at`.
    fn sleep_until(&self, at: Monotonic) -> LocalFuture<()>;
    /// Runs `task` on this core until it is done.
    fn spawn(&self, task: LocalFuture<()>);
    /// Runs `work` on a thread of lower priority, one after the other. It must not block for long: the runtime's end
    /// waits for it.
    fn run_aside(&self, work: Box<dyn FnOnce() + Send>);
    /// Name of the back end as in `msgloop.io.backend`: `uring`, `threads`, `glommio` or `simulated`.
    fn backend(&self) -> &'static str;
}

/// One core's handle to the world.
#[derive(Clone)]
pub struct Runtime {
    platform: Rc<dyn Platform>,
}

impl Runtime {
    /// Wraps a back end.
    pub fn new(platform: Rc<dyn Platform>) -> Runtime {
        Runtime { platform }
    }

    /// The disk of this core.
    pub fn disk(&self) -> &dyn Disk {
        self.platform.disk()
    }

    /// Monotonic time.
    pub fn now(&self) -> Monotonic {
        self.platform.now()
    }

    /// Milliseconds since the Unix epoch.
    pub fn wall_clock_ms(&self) -> i64 {
        self.platform.wall_clock_ms()
    }

    /// A random number fit for identifiers (not for keys).
    pub fn random_u64(&self) -> u64 {
        self.platform.random_u64()
    }

    /// Name of the I/O back end.
    pub fn backend(&self) -> &'static str {
        self.platform.backend()
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: Duration) -> LocalFuture<()> {
        self.platform.sleep_until(self.now().plus(duration))
    }

    /// Completes at or after `at`.
    pub fn sleep_until(&self, at: Monotonic) -> LocalFuture<()> {
        self.platform.sleep_until(at)
    }

    /// Runs `task` on this core. What it returns is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.platform.spawn(Box::pin(task));
    }

    /// Runs `task` on this core and hands its result back; `None` if the runtime was shut down first.
    pub fn spawn_with_result<T: 'static>(
        &self,
        task: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = Option<T>> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            // The receiver may be gone: the caller no longer cares.
            let _ = sender.send(task.await);
        });
        async move { receiver.await.ok() }
    }

    /// Does what would keep this core busy for too long on a thread of lower priority; `None` if the runtime was shut
    /// down first.
    pub fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.platform.run_aside(Box::new(move || {
            // The receiver may be gone: the caller no longer cares.
            let _ = sender.send(work());
        }));
        async move { receiver.await.ok() }
    }

    /// Lets every other task that is ready run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits for `future` at most `duration`; `None` when the time was up first.
    pub async fn timeout<T>(&self, duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(future);
        // Most are done at once, and a timer costs more than they do.
        let ready = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(value) = ready {
            return Some(value);
        }
        let sleep = self.sleep(duration);
        tokio::select! {
            biased;
            value = &mut future => Some(value),
            () = sleep => None,
        }
    }
}

/// A map with a fixed hash seed: the order of iteration is the same in every run, which simulation relies on. Keys a
/// stranger chooses freely belong in a `BTreeMap`.
pub type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::quality::FixedState>;
/// A set with a fixed hash seed; see [`HashMap`].
pub type HashSet<K> = std::collections::HashSet<K, foldhash::quality::FixedState>;
