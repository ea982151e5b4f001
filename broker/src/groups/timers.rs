//! One core's group timers: an ordered set, one entry a timer.
//!
//! Heartbeats and commits move a timer into the future all the time and almost none ever goes off. Moving one only
//! notes the new deadline; the entry in the ordered set stays where it is until its time comes, and is then put where
//! it belongs. So a heartbeat costs one look-up.

use std::collections::{BTreeMap, BTreeSet};

use storage::runtime::Monotonic;

#[derive(Debug, Clone, Copy)]
struct Timer {
    deadline: Monotonic,
    /// Where the timer is in `queue`; never later than `deadline`.
    queued: Monotonic,
}

/// Timers by key.
#[derive(Debug)]
pub struct Timers<K> {
    timers: BTreeMap<K, Timer>,
    queue: BTreeSet<(Monotonic, K)>,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Timers<K> {
        Timers { timers: BTreeMap::new(), queue: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets a timer, in place of one of the same key.
    pub fn set(&mut self, key: K, deadline: Monotonic) {
        if let Some(timer) = self.timers.get_mut(&key) {
            if timer.queued <= deadline {
                timer.deadline = deadline;
                return;
            }
            self.queue.remove(&(timer.queued, key.clone()));
        }
        self.timers.insert(key.clone(), Timer { deadline, queued: deadline });
        self.queue.insert((deadline, key));
    }

    /// Cancels a timer, if it is set.
    pub fn cancel(&mut self, key: &K) {
        if let Some(timer) = self.timers.remove(key) {
            self.queue.remove(&(timer.queued, key.clone()));
        }
    }

    /// When to look again; never later than the next deadline.
    pub fn next(&self) -> Option<Monotonic> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes a timer that is due, earliest first.
    pub fn pop_due(&mut self, now: Monotonic) -> Option<K> {
        loop {
            let (queued, _) = self.queue.first()?;
            if *queued > now {
                return None;
            }
            let (_, key) = self.queue.pop_first()?;
            let Some(timer) = self.timers.get_mut(&key) else { continue };
            if timer.deadline <= now {
                self.timers.remove(&key);
                return Some(key);
            }
            timer.queued = timer.deadline;
            self.queue.insert((timer.deadline, key));
        }
    }

    /// Cancels every timer whose key `keep` turns down.
    pub fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.timers.retain(|key, _| keep(key));
        self.queue.retain(|(_, key)| keep(key));
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use storage::runtime::Monotonic;

    use super::Timers;

    #[test]
    fn timers_go_off_in_order_once_and_at_their_last_deadline() {
        let mut timers = Timers::default();
        for (key, at) in [("moved later", 5), ("moved earlier", 50), ("cancelled", 6), ("stays", 20)] {
            timers.set(key, Monotonic(at));
        }
        timers.set("moved later", Monotonic(30));
        timers.set("moved earlier", Monotonic(10));
        timers.cancel(&"cancelled");
        let mut fired = Vec::new();
        for now in 0..60 {
            while let Some(key) = timers.pop_due(Monotonic(now)) {
                fired.push((now, key));
            }
            assert!(timers.next().is_none_or(|next| next > Monotonic(now)));
        }
        assert_eq!(fired, [(10, "moved earlier"), (20, "stays"), (30, "moved later")]);
        assert!(timers.is_empty());
    }
}
