//! The second, small runtime at lower priority: admin HTTP, stream tasks, signals. Nothing on it may hold up a core.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// How much nicer than the cores these threads are, in steps of nice(1).
const NICE_STEPS: i32 = 10;

/// How long [`Background::shut_down`] waits for what is still running.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

/// The runtime; its tasks end with it.
pub struct Background {
    tokio: tokio::runtime::Runtime,
}

impl Background {
    /// Starts `threads` threads.
    pub fn start(threads: usize) -> io::Result<Background> {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("background")
            .on_thread_start(lower_priority)
            .enable_all()
            .build()?;
        Ok(Background { tokio })
    }

    /// For spawning from elsewhere.
    pub fn handle(&self) -> &Handle {
        self.tokio.handle()
    }

    /// Runs `task` here; dropping what this returns does not end it.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tokio.spawn(task)
    }

    /// Runs `future` on the calling thread with this runtime's timers and signals.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.tokio.block_on(future)
    }

    /// Ends it, waiting two seconds at most for what is still running.
    pub fn shut_down(self) {
        self.tokio.shutdown_timeout(SHUTDOWN_WAIT);
    }
}

/// On Linux nice(2) applies to the calling thread alone.
pub(super) fn lower_priority() {
    if let Err(error) = rustix::process::nice(NICE_STEPS) {
        tracing::debug!(%error, "background threads keep their priority");
    }
}

/// A request to end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termination {
    /// SIGTERM.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

/// Requests to end the process, from when this was made on: they no longer end it by themselves.
pub struct Terminations {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Terminations {
    /// Starts listening; within [`Background::block_on`] or a task.
    pub fn listen() -> io::Result<Terminations> {
        Ok(Terminations { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next request.
    pub async fn next(&mut self) -> Termination {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Termination::Terminate,
            _ = self.interrupt.recv() => Termination::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_termination_signal_arrives_as_a_value() {
        let background = Background::start(1).unwrap();
        let seen = background.block_on(async {
            let mut terminations = Terminations::listen().unwrap();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
            terminations.next().await
        });
        assert_eq!(seen, Termination::Terminate);
        background.shut_down();
    }

    #[test]
    fn background_threads_are_nicer() {
        let background = Background::start(1).unwrap();
        let own = rustix::process::getpriority_process(None).unwrap();
        let theirs = background.spawn(async { rustix::process::getpriority_process(None).unwrap() });
        assert!(background.block_on(theirs).unwrap() > own);
        background.shut_down();
    }
}
