//! The optional `glommio` back end: direct files travel through a glommio executor on a thread of its own per core,
//! everything else as in the `threads` back end.
//!
//! What it is careful about (glommio 0.9.0): its executor panics where io_uring is refused, so it starts only after our
//! own ring was made; it wants 512 KiB of lockable memory; and a file opened for reading first may put the whole device
//! on a ring that the executor spins on, which opening for writing first prevents. It has no RWF_DSYNC: a durable write
//! is a write and an fdatasync. Its buffers are its own, so every byte is copied once.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use ::glommio::io::{DmaFile, OpenOptions};
use ::glommio::sync::Gate;
use ::glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use bytes::{Bytes, BytesMut};
use rustix::process::{Resource, getrlimit};
use tokio::sync::oneshot;

use super::buffers::{aligned_with_capacity, rope_bytes};
use super::file_thread::FileThread;
use super::native::{NativeDisk, NativeFile, Transfer, WriteRequest};
use super::threads::Lanes;
use super::{Disk, Durability, FileHandle, Lane, LocalFuture, uring};

/// What an executor refuses to start below.
const LOCKED_BYTES_MIN: u64 = 512 << 10;

/// Memory an executor sets aside for its buffers; its own choice would be ten times as much, per core.
const BUFFER_POOL_BYTES: usize = 1 << 20;

/// Bytes of one read or write; longer ones are cut, so that one buffer is in use at a time.
const TRANSFER_BYTES_MAX: usize = 1 << 20;

/// A disk on an executor of its own; the error says why there cannot be one.
pub(super) fn disk(core: usize) -> Result<Box<dyn Disk>, String> {
    uring::probe().map_err(|error| format!("it needs io_uring, which is not available ({error})"))?;
    if getrlimit(Resource::Memlock).current.is_some_and(|bytes| bytes < LOCKED_BYTES_MIN) {
        return Err("it needs 512 KiB of locked memory: raise the limit (ulimit -l)".to_owned());
    }
    let build = || -> io::Result<Box<dyn Disk>> {
        let transfer = GlommioTransfer { executor: Executor::start(core)?, lanes: Lanes::start(core)? };
        Ok(Box::new(NativeDisk::new(transfer, FileThread::start(&format!("core-{core}-files"))?)))
    };
    build().map_err(|error| error.to_string())
}

struct GlommioTransfer {
    executor: Executor,
    /// For files without direct I/O.
    lanes: Lanes,
}

impl Transfer for GlommioTransfer {
    fn write(&self, file: Rc<NativeFile>, write: WriteRequest) -> LocalFuture<io::Result<()>> {
        if !file.is_direct() {
            return self.lanes.write(file, write);
        }
        let (done, result) = oneshot::channel();
        self.executor.send(&file, Work::Write(write.buffers, write.offset, write.durability, done));
        answer(result)
    }

    fn read(&self, file: Rc<NativeFile>, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>> {
        if !file.is_direct() {
            return self.lanes.read(file, offset, length);
        }
        let (done, result) = oneshot::channel();
        self.executor.send(&file, Work::Read(offset, length, done));
        answer(result)
    }

    fn sync_data(&self, file: Rc<NativeFile>, lane: Lane) -> LocalFuture<io::Result<()>> {
        if !file.is_direct() {
            return self.lanes.sync_data(file, lane);
        }
        let (done, result) = oneshot::channel();
        self.executor.send(&file, Work::Sync(done));
        answer(result)
    }
}

fn answer<T: 'static>(result: oneshot::Receiver<io::Result<T>>) -> LocalFuture<io::Result<T>> {
    Box::pin(async move { result.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) })
}

enum Command {
    Do(u64, Arc<OwnedFd>, Work),
    Forget(u64),
}

enum Work {
    Write(Vec<Bytes>, u64, Durability, oneshot::Sender<io::Result<()>>),
    Read(u64, usize, oneshot::Sender<io::Result<BytesMut>>),
    Sync(oneshot::Sender<io::Result<()>>),
}

/// The executor's thread; dropping it waits for what it was told to do.
struct Executor {
    commands: Option<flume::Sender<Command>>,
    thread: Option<ExecutorJoinHandle<()>>,
    next_file: Cell<u64>,
}

/// What an open file knows of its twin on the executor.
struct Twin {
    number: u64,
    commands: flume::WeakSender<Command>,
}

impl Drop for Twin {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.upgrade() {
            // An executor that has ended has closed its files.
            let _ = commands.send(Command::Forget(self.number));
        }
    }
}

impl Executor {
    fn start(core: usize) -> io::Result<Executor> {
        let (commands, queue) = flume::unbounded();
        // Not pinned: on the CPU of its core the two would take turns.
        let thread = LocalExecutorBuilder::new(Placement::Unbound)
            .name(&format!("core-{core}-glommio"))
            .io_memory(BUFFER_POOL_BYTES)
            .spawn(move || async move {
                super::core::end_process_on_panic();
                serve(queue).await;
            })?;
        Ok(Executor { commands: Some(commands), thread: Some(thread), next_file: Cell::new(0) })
    }

    fn send(&self, file: &NativeFile, work: Work) {
        let Some(commands) = &self.commands else { return };
        let twin = file.attachment.get_or_init(|| {
            let number = self.next_file.replace(self.next_file.get() + 1);
            Box::new(Twin { number, commands: commands.downgrade() }) as Box<dyn Any>
        });
        if let Some(twin) = twin.downcast_ref::<Twin>() {
            // Fails only when the thread is gone, and then the receiver says so.
            let _ = commands.send(Command::Do(twin.number, file.descriptor().clone(), work));
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs commands, each in a task of its own, until there are no more and all are done.
async fn serve(queue: flume::Receiver<Command>) {
    let mut files: BTreeMap<u64, Rc<DmaFile>> = BTreeMap::new();
    let gate = Gate::new();
    while let Ok(command) = queue.recv_async().await {
        match command {
            Command::Do(number, descriptor, work) => {
                let file = match files.get(&number) {
                    Some(file) => Ok(file.clone()),
                    None => reopen(&descriptor).await.inspect(|file| drop(files.insert(number, file.clone()))),
                };
                spawn(&gate, run(file, work));
            }
            Command::Forget(number) => {
                if let Some(file) = files.remove(&number) {
                    spawn(&gate, close(file));
                }
            }
        }
    }
    // Only an open gate closes, and this one is.
    let _ = gate.close().await;
    for file in files.into_values() {
        close(file).await;
    }
}

fn spawn(gate: &Gate, task: impl Future<Output = ()> + 'static) {
    if let Ok(task) = gate.spawn(task) {
        task.detach();
    }
}

async fn close(file: Rc<DmaFile>) {
    // Operations still running keep it open, and then the last of them closes it.
    let _ = file.close_rc().await;
}

/// The same file again, by way of its descriptor: its name may be another's by now.
async fn reopen(descriptor: &OwnedFd) -> io::Result<Rc<DmaFile>> {
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let writable = OpenOptions::new().write(true).dma_open(&path).await;
    let can_write = writable.is_ok();
    if let Ok(first) = writable {
        first.close().await?;
    }
    Ok(Rc::new(OpenOptions::new().read(true).write(can_write).dma_open(&path).await?))
}

async fn run(file: io::Result<Rc<DmaFile>>, work: Work) {
    // Whoever asked may be gone: the operation was done all the same.
    match work {
        Work::Write(buffers, offset, durability, done) => {
            let _ = done.send(match file {
                Ok(file) => write(&file, &buffers, offset, durability).await,
                Err(error) => Err(error),
            });
        }
        Work::Read(offset, length, done) => {
            let _ = done.send(match file {
                Ok(file) => read(&file, offset, length).await,
                Err(error) => Err(error),
            });
        }
        Work::Sync(done) => {
            let _ = done.send(match file {
                Ok(file) => file.fdatasync().await.map_err(io::Error::from),
                Err(error) => Err(error),
            });
        }
    }
}

async fn write(file: &DmaFile, buffers: &[Bytes], mut offset: u64, durability: Durability) -> io::Result<()> {
    let mut rope = Rope { buffers, at: 0 };
    let mut left = rope_bytes(buffers);
    while left > 0 {
        let length = left.min(TRANSFER_BYTES_MAX);
        let mut buffer = file.alloc_dma_buffer(length);
        rope.copy_to(buffer.as_bytes_mut());
        // Whole or not at all: the rest of a short direct write would start off a block.
        if file.write_at(buffer, offset).await? != length {
            return Err(io::ErrorKind::WriteZero.into());
        }
        left -= length;
        offset += length as u64;
    }
    match durability {
        Durability::Durable => Ok(file.fdatasync().await?),
        Durability::Buffered => Ok(()),
    }
}

/// A rope and how far it was read.
struct Rope<'a> {
    buffers: &'a [Bytes],
    at: usize,
}

impl Rope<'_> {
    fn copy_to(&mut self, mut target: &mut [u8]) {
        while let Some(buffer) = self.buffers.first().filter(|_| !target.is_empty()) {
            let length = (buffer.len() - self.at).min(target.len());
            let (now, later) = target.split_at_mut(length);
            now.copy_from_slice(&buffer[self.at..self.at + length]);
            target = later;
            self.at += length;
            if self.at == buffer.len() {
                self.buffers = &self.buffers[1..];
                self.at = 0;
            }
        }
    }
}

async fn read(file: &DmaFile, offset: u64, length: usize) -> io::Result<BytesMut> {
    let mut all = aligned_with_capacity(length);
    while all.len() < length {
        let wanted = (length - all.len()).min(TRANSFER_BYTES_MAX);
        let part = file.read_at_aligned(offset + all.len() as u64, wanted).await?;
        all.extend_from_slice(&part);
        if part.len() < wanted {
            break;
        }
    }
    Ok(all)
}
