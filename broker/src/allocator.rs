//! The allocator, and the one thing it has to be told: it hands freed pages back to the system only while it is used, so a
//! core that has gone quiet would keep what its last burst needed.

use std::time::Duration;

use storage::runtime::Monotonic;

/// Without a request for so long, a core's free memory is handed back. Later than the engine's own caches (10 s), ...
const IDLE_AGE_MIN: Duration = Duration::from_secs(12);
/// ... and again and again until partitions are settled (30 s) and their memory has gone, too.
const IDLE_AGE_MAX: Duration = Duration::from_secs(50);
/// From one time to the next.
const EVERY: Duration = Duration::from_secs(6);

/// When a core's free memory is handed back.
#[derive(Debug, Default)]
pub struct GivingBack {
    last: Monotonic,
}

impl GivingBack {
    /// Whether it is time, on a core whose last request was at `last_active`; the caller then does it.
    pub fn is_due(&mut self, now: Monotonic, last_active: Monotonic) -> bool {
        let idle = now.since(last_active);
        let due = (IDLE_AGE_MIN..IDLE_AGE_MAX).contains(&idle) && now.since(self.last) >= EVERY;
        if due {
            self.last = now;
        }
        due
    }
}

/// Hands free memory of the calling thread, and of threads that are gone, back to the system. A millisecond or so.
pub fn give_back() {
    // SAFETY: no argument but a flag; the allocator's own structures are those of the calling thread or locked. Test:
    // `memory_is_given_back_a_few_times_and_then_no_more`.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_a_few_times_and_then_no_more() {
        let mut giving_back = GivingBack::default();
        let at = |seconds: u64| Monotonic::default().plus(Duration::from_secs(seconds));
        let times: Vec<u64> = (100..1000).filter(|&second| giving_back.is_due(at(second), at(100))).collect();
        assert_eq!(times, [112, 118, 124, 130, 136, 142, 148]);
        give_back();
        assert!(giving_back.is_due(at(2012), at(2000)), "after the next burst again");
    }
}
