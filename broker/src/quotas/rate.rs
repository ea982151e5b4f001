//! A rate over a sliding window of samples, and how long a client must pause to come back under a bound: Kafka's
//! arithmetic (SampledStat.java, Rate.java, QuotaUtils.java), as clients see its results.

use std::collections::VecDeque;
use std::time::Duration;

use storage::runtime::Monotonic;

/// `quota.window.num` and `quota.window.size.seconds`, or the same of `controller.quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Samples kept, the current one included.
    pub samples: usize,
    /// Length of one, in seconds.
    pub sample_seconds: u64,
}

impl Window {
    fn sample_ms(self) -> u64 {
        self.sample_seconds * 1_000
    }

    /// Tokens that a client who used nothing may use at once.
    pub fn burst(self, limit: f64) -> f64 {
        limit * self.samples as f64 * self.sample_seconds as f64
    }

    /// What a client may use at once without passing `limit` a second: all whole samples of the window.
    pub fn allowance(self, limit: f64) -> f64 {
        limit * (self.samples.saturating_sub(1) as f64) * self.sample_seconds as f64
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    start_ms: u64,
    /// When something was last added: as long as that is within the window, all of the sample counts.
    last_ms: u64,
    amount: f64,
}

/// What one client used lately. Holds at most [`Window::samples`] samples, and one that only overlaps the window.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    samples: VecDeque<Sample>,
}

impl Rate {
    /// Adds `amount`, and tells how long to pause until the rate is no more than `limit` a second again.
    pub fn record(&mut self, window: Window, limit: f64, amount: f64, now: Monotonic) -> Duration {
        let now_ms = now.0 / 1_000_000;
        self.drop_old(window, now_ms);
        match self.samples.back_mut() {
            Some(sample) if now_ms - sample.start_ms < window.sample_ms() => {
                sample.amount += amount;
                sample.last_ms = now_ms;
            }
            _ => self.samples.push_back(Sample { start_ms: now_ms, last_ms: now_ms, amount }),
        }
        while self.samples.len() > window.samples + 1 {
            self.samples.pop_front();
        }
        let window_ms = self.window_ms(window, now_ms) as f64;
        let used: f64 = self.samples.iter().map(|sample| sample.amount).sum();
        let rate = used / (window_ms / 1_000.0);
        if rate <= limit {
            return Duration::ZERO;
        }
        let pause_ms = ((rate - limit) / limit * window_ms).round();
        Duration::from_millis(pause_ms.min(f64::from(i32::MAX)) as u64)
    }

    /// Whether nothing of it counts any more.
    pub fn is_over(&self, window: Window, now: Monotonic) -> bool {
        let age_ms = window.sample_ms() * window.samples as u64;
        self.samples.iter().all(|sample| now.0 / 1_000_000 - sample.last_ms >= age_ms)
    }

    fn drop_old(&mut self, window: Window, now_ms: u64) {
        let age_ms = window.sample_ms() * window.samples as u64;
        while self.samples.front().is_some_and(|sample| now_ms - sample.last_ms >= age_ms) {
            self.samples.pop_front();
        }
    }

    /// All whole samples but one, plus what has passed of the current one: a short history must not look like a burst.
    fn window_ms(&self, window: Window, now_ms: u64) -> u64 {
        let elapsed_ms = self.samples.front().map_or(0, |oldest| now_ms - oldest.start_ms);
        let whole = elapsed_ms / window.sample_ms();
        let missing = (window.samples as u64).saturating_sub(1).saturating_sub(whole);
        match elapsed_ms + missing * window.sample_ms() {
            // The very beginning of a window of a single sample.
            0 => window.sample_ms(),
            window_ms => window_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_seconds: 1 };

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms * 1_000_000)
    }

    /// Pauses, in milliseconds, after each (time in milliseconds, amount).
    fn pauses(limit: f64, used: &[(u64, f64)]) -> Vec<u64> {
        let mut rate = Rate::default();
        used.iter().map(|(ms, amount)| rate.record(WINDOW, limit, *amount, at(*ms)).as_millis() as u64).collect()
    }

    #[test]
    fn a_window_may_be_used_at_once_and_more_is_paid_for_with_time() {
        assert_eq!(WINDOW.allowance(100.0), 1_000.0);
        assert_eq!(pauses(100.0, &[(0, 1_000.0)]), [0]);
        // 2,000 in a window of ten seconds is 200 a second: ten more seconds are needed.
        assert_eq!(pauses(100.0, &[(0, 2_000.0)]), [10_000]);
        assert_eq!(pauses(100.0, &[(0, 1_000.0), (500, 100.0)]), [0, 500]);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        assert_eq!(pauses(100.0, &[(0, 1_000.0), (11_000, 1_000.0)]), [0, 0]);
        assert_eq!(pauses(100.0, &[(0, 1_000.0), (10_999, 1_000.0)]), [0, 9_001]);
        // A sample counts as long as its last addition does: 2,000 since 0 is 2,000 in 11.5 seconds.
        assert_eq!(pauses(100.0, &[(0, 500.0), (900, 500.0), (11_500, 1_000.0)]), [0, 0, 8_500]);
        let mut rate = Rate::default();
        rate.record(WINDOW, 1.0, 1.0, at(0));
        assert!(!rate.is_over(WINDOW, at(10_999)) && rate.is_over(WINDOW, at(11_000)));
    }

    #[test]
    fn a_window_of_one_sample_is_that_long_from_the_start() {
        let window = Window { samples: 1, sample_seconds: 1 };
        assert_eq!(Rate::default().record(window, 100.0, 150.0, at(0)), Duration::from_millis(500));
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        assert_eq!(pauses(100.0, &[(0, 2_000.0), (0, -2_000.0), (10, 500.0)]), [10_000, 0, 0]);
    }
}
