//! Waiting for data across cores: the long poll of a fetch.
//!
//! Each core that owns partitions of the fetch reads them, adds what it found to a sum all of them share, and waits on
//! its own partitions only. Whoever brings the sum to the client's minimum, finds an error or reaches the deadline ends
//! the wait for all, so a long poll costs one message to each core and one back, however long it lasts.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage::runtime::{Monotonic, Runtime};
use tokio::sync::{Notify, Semaphore};

/// The shared end of one long poll.
#[derive(Debug)]
pub struct Gathering {
    bytes: AtomicUsize,
    bytes_min: usize,
    /// Closed when the wait is over: a broadcast that late comers see as well, on whichever core.
    over: Semaphore,
}

impl Gathering {
    /// A wait for at least `bytes_min` bytes in all.
    pub fn new(bytes_min: usize) -> Arc<Gathering> {
        Arc::new(Gathering { bytes: AtomicUsize::new(0), bytes_min, over: Semaphore::new(0) })
    }

    /// A core that had contributed `before` bytes now has `now`; ends the wait when that is enough.
    pub fn contribute(&self, before: usize, now: usize) {
        // The sum never wraps: a core takes back only what it put in.
        let sum = self.bytes.fetch_add(now, Ordering::Relaxed) + now;
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        if sum - before >= self.bytes_min {
            self.finish();
        }
    }

    /// Ends the wait for all cores.
    pub fn finish(&self) {
        self.over.close();
    }

    /// Whether the wait is over.
    pub fn is_over(&self) -> bool {
        self.over.is_closed()
    }

    /// Whether some bytes are waited for, still.
    pub fn waits(&self) -> bool {
        self.bytes_min > 0 && !self.is_over()
    }

    /// Completes when the wait is over.
    pub async fn over(&self) {
        // There are no permits: this only ever fails, when the semaphore is closed.
        let _ = self.over.acquire().await;
    }
}

/// Why a core's wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// One of its partitions moved: read again.
    Progress,
    /// Another core, the deadline or the end of the connection: answer with what there is.
    Over,
}

/// Waits until `progress` is notified or the gathering ends, at the latest until `deadline`.
pub async fn wait(gathering: &Gathering, progress: &Rc<Notify>, runtime: &Runtime, deadline: Monotonic) -> Woken {
    let expiry = runtime.sleep_until(deadline);
    tokio::select! {
        biased;
        () = gathering.over() => Woken::Over,
        () = progress.notified() => Woken::Progress,
        () = expiry => {
            gathering.finish();
            Woken::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gathering;

    #[test]
    fn the_sum_of_all_cores_ends_the_wait() {
        let gathering = Gathering::new(100);
        gathering.contribute(0, 60);
        gathering.contribute(0, 30);
        assert!(!gathering.is_over());
        gathering.contribute(60, 65);
        assert!(!gathering.is_over(), "a second reading replaces the first");
        gathering.contribute(30, 35);
        assert!(gathering.is_over());
    }

    #[test]
    fn a_fetch_without_a_minimum_does_not_wait() {
        let gathering = Gathering::new(0);
        gathering.contribute(0, 0);
        assert!(gathering.is_over());
    }
}
