//! A bucket of tokens that fills at the quota's rate (TokenBucket.java): what changes of metadata are paid from. Unlike a
//! rate over a window, a single large change is forgotten as soon as it is paid for.

use std::time::Duration;

use storage::runtime::Monotonic;

use super::rate::Window;

/// What is done with a change that finds no token left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// It is refused; a change is accepted whole as long as any token is left.
    Refuses,
    /// It is made, and the client told to pause.
    Lends,
}

/// The tokens of one client: full at first, below zero when it has used more than there were.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    tokens: f64,
    filled: Monotonic,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(window: Window, limit: f64, now: Monotonic) -> TokenBucket {
        TokenBucket { tokens: window.burst(limit), filled: now }
    }

    /// Takes `amount` tokens of a quota of `limit` a second, unless there are none and `exhausted` refuses. How long to
    /// pause until there are tokens again; zero while there are any.
    pub fn take(&mut self, window: Window, limit: f64, amount: f64, exhausted: Exhausted, now: Monotonic) -> Duration {
        let passed_ms = now.since(self.filled).as_millis() as f64;
        self.tokens = (self.tokens + limit * passed_ms / 1_000.0).min(window.burst(limit));
        self.filled = now;
        let is_refused = exhausted == Exhausted::Refuses && self.tokens < 0.0;
        if !is_refused {
            self.tokens -= amount;
        }
        if exhausted == Exhausted::Refuses && !is_refused {
            return Duration::ZERO;
        }
        let pause_ms = (-self.tokens / limit * 1_000.0).round();
        Duration::from_millis(pause_ms.clamp(0.0, f64::from(i32::MAX)) as u64)
    }

    /// Whether it is full again, and so as good as new.
    pub fn is_full(&self, window: Window, limit: f64, now: Monotonic) -> bool {
        self.tokens + limit * now.since(self.filled).as_secs_f64() >= window.burst(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 10, sample_seconds: 1 };

    #[test]
    fn a_bucket_is_paid_from_until_it_is_empty_and_refills_at_the_rate() {
        let check = |exhausted: Exhausted, taken: &[(u64, f64, u64)]| {
            let mut bucket = TokenBucket::full(WINDOW, 5.0, Monotonic(0));
            for &(ms, amount, pause_ms) in taken {
                let pause = bucket.take(WINDOW, 5.0, amount, exhausted, Monotonic(ms * 1_000_000));
                assert_eq!(pause, Duration::from_millis(pause_ms), "{amount} at {ms} ms, {exhausted:?}");
            }
        };
        // 50 tokens, and none is not yet below zero.
        check(Exhausted::Refuses, &[(0, 50.0, 0), (0, 10.0, 0), (0, 1.0, 2_000), (1_500, 1.0, 500), (2_000, 1.0, 0)]);
        check(Exhausted::Lends, &[(0, 50.0, 0), (0, 10.0, 2_000), (0, 5.0, 3_000), (3_000, 5.0, 1_000)]);
        // No more than 50 are saved up.
        check(Exhausted::Lends, &[(1_000_000, 55.0, 1_000)]);
    }

    #[test]
    fn a_bucket_left_alone_fills_up() {
        let mut bucket = TokenBucket::full(WINDOW, 5.0, Monotonic(0));
        bucket.take(WINDOW, 5.0, 10.0, Exhausted::Lends, Monotonic(0));
        let at = |ms: u64| Monotonic(ms * 1_000_000);
        assert!(!bucket.is_full(WINDOW, 5.0, at(1_999)) && bucket.is_full(WINDOW, 5.0, at(2_000)));
    }
}
