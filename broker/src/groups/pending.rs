//! Offsets that wait for the end of their transactions.
//!
//! An offset that is committed outside the transaction after it, or in a later one that ends first, is newer: the waiting
//! one never takes its place. So each has its place in the log's order, and the newer one marks the older as overtaken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::offsets::CommittedOffset;

/// Group, topic, partition.
pub type Key = (Rc<str>, Rc<str>, i32);

#[derive(Debug, PartialEq, Eq)]
struct Pending {
    /// Counts in the order of the log.
    order: u64,
    value: CommittedOffset,
    overtaken: bool,
}

/// All of one `__consumer_offsets` partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PendingOffsets {
    by_producer: BTreeMap<i64, BTreeMap<Key, Pending>>,
    /// Producers with a transaction that waits, by key.
    open: BTreeMap<Key, BTreeSet<i64>>,
    added: u64,
    bytes: usize,
}

impl PendingOffsets {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An offset waits for the end of `producer_id`'s transaction.
    pub fn add(&mut self, producer_id: i64, key: Key, value: CommittedOffset) {
        self.added += 1;
        self.bytes += entry_bytes(&key, &value);
        self.open.entry(key.clone()).or_default().insert(producer_id);
        let pending = Pending { order: self.added, value, overtaken: false };
        let previous = self.by_producer.entry(producer_id).or_default().insert(key.clone(), pending);
        if let Some(previous) = previous {
            self.bytes -= entry_bytes(&key, &previous.value);
        }
    }

    /// Something newer was committed for a partition, or what was committed is deleted: then nothing waits any more.
    pub fn overtaken(&mut self, group_id: &Rc<str>, topic: &Rc<str>, partition: i32, deleted: bool) {
        if self.is_empty() {
            return;
        }
        let key = (group_id.clone(), topic.clone(), partition);
        if !deleted {
            return self.overtake(&key, self.added);
        }
        for producer_id in self.open.remove(&key).unwrap_or_default() {
            self.take(producer_id, &key);
        }
    }

    fn overtake(&mut self, key: &Key, order: u64) {
        for producer_id in self.open.get(key).into_iter().flatten() {
            let pending = self.by_producer.get_mut(producer_id).and_then(|keys| keys.get_mut(key));
            if let Some(pending) = pending.filter(|pending| pending.order <= order) {
                pending.overtaken = true;
            }
        }
    }

    fn take(&mut self, producer_id: i64, key: &Key) {
        let Some(keys) = self.by_producer.get_mut(&producer_id) else { return };
        if let Some(pending) = keys.remove(key) {
            self.bytes -= entry_bytes(key, &pending.value);
        }
        if keys.is_empty() {
            self.by_producer.remove(&producer_id);
        }
    }

    /// The transaction of a producer ended. Returns the offsets that are seen from now on.
    pub fn end(&mut self, producer_id: i64, commit: bool) -> Vec<(Key, CommittedOffset)> {
        let mut seen = Vec::new();
        for (key, pending) in self.by_producer.remove(&producer_id).unwrap_or_default() {
            self.bytes -= entry_bytes(&key, &pending.value);
            if let Some(producers) = self.open.get_mut(&key) {
                producers.remove(&producer_id);
                if producers.is_empty() {
                    self.open.remove(&key);
                }
            }
            if commit && !pending.overtaken {
                self.overtake(&key, pending.order);
                seen.push((key, pending.value));
            }
        }
        seen
    }

    /// Whether an offset of the partition waits.
    pub fn has(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        !self.is_empty() && self.open.contains_key(&(group_id.into(), topic.into(), partition))
    }

    /// Partitions of a group with an offset that waits.
    pub fn of_group<'a>(&'a self, group_id: &'a str) -> impl Iterator<Item = (Rc<str>, i32)> + 'a {
        let first = (Rc::from(group_id), Rc::from(""), i32::MIN);
        let range = self.open.range(first..).take_while(move |((group, ..), _)| **group == *group_id);
        range.map(|((_, topic, partition), _)| (topic.clone(), *partition))
    }

    /// All partitions with an offset that waits.
    pub fn all(&self) -> impl Iterator<Item = (&Rc<str>, &Rc<str>, i32)> {
        self.open.keys().map(|(group_id, topic, partition)| (group_id, topic, *partition))
    }
}

fn entry_bytes(key: &Key, value: &CommittedOffset) -> usize {
    256 + key.0.len() + key.1.len() + value.metadata.len()
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;

    fn key(partition: i32) -> Key {
        ("g".into(), "t".into(), partition)
    }

    fn offset(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: None,
            metadata: "".into(),
            commit_timestamp_ms: 0,
            expire_timestamp_ms: None,
            topic_id: Uuid::ZERO,
        }
    }

    fn seen(pending: &mut PendingOffsets, producer_id: i64, commit: bool) -> Vec<(i32, i64)> {
        pending.end(producer_id, commit).into_iter().map(|(key, value)| (key.2, value.offset)).collect()
    }

    #[test]
    fn offsets_are_seen_at_the_commit_and_forgotten_at_the_abort() {
        let mut pending = PendingOffsets::default();
        pending.add(1, key(0), offset(10));
        pending.add(1, key(0), offset(11));
        pending.add(2, key(1), offset(20));
        assert!(pending.has("g", "t", 0) && pending.has("g", "t", 1) && !pending.has("g", "t", 2));
        assert_eq!(seen(&mut pending, 1, true), [(0, 11)]);
        assert_eq!(seen(&mut pending, 1, true), [], "a marker that is written twice");
        assert_eq!(seen(&mut pending, 2, false), []);
        assert!(pending.is_empty() && pending.bytes() == 0);
    }

    #[test]
    fn the_newest_offset_of_the_log_wins() {
        let mut pending = PendingOffsets::default();
        pending.add(1, key(0), offset(10));
        pending.add(2, key(0), offset(20));
        assert_eq!(seen(&mut pending, 2, true), [(0, 20)]);
        assert!(pending.has("g", "t", 0), "the older one is undecided all the same");
        assert_eq!(seen(&mut pending, 1, true), []);

        pending.add(1, key(0), offset(10));
        pending.overtaken(&"g".into(), &"t".into(), 0, false);
        pending.add(2, key(0), offset(20));
        assert_eq!(seen(&mut pending, 1, true), []);
        assert_eq!(seen(&mut pending, 2, true), [(0, 20)]);
    }

    #[test]
    fn what_is_deleted_does_not_come_back() {
        let mut pending = PendingOffsets::default();
        pending.add(1, key(0), offset(10));
        pending.add(1, key(1), offset(11));
        pending.overtaken(&"g".into(), &"t".into(), 0, true);
        assert_eq!(pending.of_group("g").collect::<Vec<_>>(), [(Rc::from("t"), 1)]);
        assert_eq!(pending.of_group("h").count(), 0);
        assert_eq!(seen(&mut pending, 1, true), [(1, 11)]);
        assert!(pending.is_empty() && pending.bytes() == 0);
    }
}
