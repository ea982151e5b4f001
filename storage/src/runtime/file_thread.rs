//! A thread that does what may block, one job after the other, and answers a core.

use std::io;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::LocalFuture;

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs in the order in which they came. Dropping it waits for those that were handed over.
///
/// The queue has no bound of its own: every job stands for a disk operation whose caller waits for it, and the buffers
/// of those are bounded where they are handed out.
pub(super) struct FileThread {
    jobs: Option<flume::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl FileThread {
    /// Starts the thread; errors are the operating system's.
    pub(super) fn start(name: &str) -> io::Result<FileThread> {
        let (jobs, queue) = flume::unbounded::<Job>();
        let work = move || {
            super::core::end_process_on_panic();
            while let Ok(job) = queue.recv() {
                job();
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(FileThread { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands over `job` at once; the future gives its result.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> LocalFuture<io::Result<T>> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The caller may have stopped waiting; the job was done all the same.
            let _ = sender.send(job());
        });
        if let Some(jobs) = &self.jobs {
            // Fails only when the thread is gone, and then the receiver says so.
            let _ = jobs.send(job);
        }
        Box::pin(async move { receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) })
    }

    /// For things whose drop may block: see [`Disposal::dispose`].
    pub(super) fn disposal(&self) -> Disposal {
        Disposal { jobs: self.jobs.as_ref().map(flume::Sender::downgrade) }
    }
}

impl Drop for FileThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has ended the process already.
            let _ = thread.join();
        }
    }
}

/// A way to have things dropped on a file thread that does not keep the thread alive.
#[derive(Clone)]
pub(super) struct Disposal {
    jobs: Option<flume::WeakSender<Job>>,
}

impl Disposal {
    /// Drops `value` on the file thread; here, if that has ended.
    pub(super) fn dispose(&self, value: impl Send + 'static) {
        if let Some(jobs) = self.jobs.as_ref().and_then(flume::WeakSender::upgrade) {
            let _ = jobs.send(Box::new(move || drop(value)));
        }
    }
}
