//! When the next commit begins: at once, or, where many small appends come, a moment after the last one.
//!
//! A commit costs about as much CPU as three small requests: calls, interrupts, wake-ups, and the answers that leave one by
//! one. Where appends come so fast that a moment's wait brings company, commits therefore keep a distance. Where it does
//! not (a client that sends its next request when it has the answer to the last) they do not, and no commit ever waits for
//! an append that comes alone after a pause. Nor does one with an append in a hurry: a link in a chain of commits that
//! somebody waits for from end to end, such as those of a transaction, which would wait once for each link.

use std::time::Duration;

use crate::runtime::Monotonic;

/// From the beginning of a commit to that of the next, when waiting pays. The runtime's timers round it up to their next
/// millisecond.
const DISTANCE: Duration = Duration::from_millis(1);
/// A commit of so many bytes has company enough.
const BYTES_ENOUGH: usize = 32 << 10;
/// Commits that do not wait after one that waited in vain; doubled each time it happens again.
const SKIPPED_MIN: u32 = 8;
/// Bound of the doubling.
const SKIPPED_MAX: u32 = 4096;

/// What a commit has gathered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gathered {
    /// Entries.
    pub entries: usize,
    /// Their bytes.
    pub bytes: usize,
    /// One of them is in a hurry.
    pub in_hurry: bool,
}

impl Gathered {
    /// Another entry.
    pub fn add(&mut self, bytes: usize) {
        self.entries += 1;
        self.bytes += bytes;
    }

    /// Whether waiting for more would gain little.
    pub fn is_enough(self) -> bool {
        self.in_hurry || self.bytes >= BYTES_ENOUGH
    }
}

/// What a log knows of its commits' rhythm.
#[derive(Debug, Default)]
pub struct Pace {
    begun: Monotonic,
    /// Commits that go at once before the next attempt to wait.
    skipping: u32,
    skipped: u32,
}

impl Pace {
    /// Until when a commit waits for company.
    pub fn wait_until(&mut self, now: Monotonic, gathered: Gathered) -> Option<Monotonic> {
        let due = self.begun.plus(DISTANCE);
        if now >= due || gathered.is_enough() {
            return None;
        }
        if self.skipping > 0 {
            self.skipping -= 1;
            return None;
        }
        Some(due)
    }

    /// What a wait brought.
    pub fn waited(&mut self, found_company: bool) {
        self.skipped = if found_company { 0 } else { (self.skipped * 2).clamp(SKIPPED_MIN, SKIPPED_MAX) };
        self.skipping = self.skipped;
    }

    /// A commit begins.
    pub fn begin(&mut self, now: Monotonic) {
        self.begun = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: u64) -> Monotonic {
        Monotonic::default().plus(Duration::from_micros(microseconds))
    }

    fn bytes(bytes: usize) -> Gathered {
        Gathered { entries: 1, bytes, in_hurry: false }
    }

    #[test]
    fn only_commits_in_quick_succession_wait() {
        let mut pace = Pace::default();
        pace.begin(at(5000));
        assert_eq!(pace.wait_until(at(5100), bytes(4096)), Some(at(6000)));
        assert_eq!(pace.wait_until(at(5100), bytes(BYTES_ENOUGH)), None, "company enough");
        assert_eq!(pace.wait_until(at(6000), bytes(4096)), None, "the distance is kept already");
        let in_hurry = Gathered { in_hurry: true, ..bytes(4096) };
        assert_eq!(pace.wait_until(at(5100), in_hurry), None, "somebody cannot wait");
    }

    #[test]
    fn waiting_in_vain_is_given_up_for_longer_and_longer() {
        let mut pace = Pace::default();
        let mut waits_in = |commits: u32| {
            (0..commits).filter(|_| pace.wait_until(at(1), bytes(1)).inspect(|_| pace.waited(false)).is_some()).count()
        };
        assert_eq!(waits_in(1), 1);
        assert_eq!(waits_in(8), 0);
        assert_eq!(waits_in(1 + 16), 1);
        assert!(waits_in(100_000) < 40);
        pace.skipping = 0;
        pace.waited(true);
        assert_eq!(pace.wait_until(at(1), bytes(1)), Some(at(1000)), "company ends it");
    }
}
