//! Which offset is the newest of each key, in bounded memory: a hash of the key and the offset, 24 bytes a slot.

use super::sip_hash::sip_hash_128;

/// Bytes of a slot.
const SLOT_BYTES: usize = 24;
/// The fewest slots; a smaller bound is taken for this.
const SLOTS_MIN: usize = 64;

/// Hash (two words) and offset plus one: an empty slot is all zeros, so that untouched memory costs nothing.
type Slot = [u64; 3];

/// The newest offset of each key.
pub struct KeyMap {
    slots: Vec<Slot>,
    used: usize,
    slots_max: usize,
    load_factor: f64,
    seed: [u64; 2],
}

impl KeyMap {
    /// For about `keys` keys to begin with; grows up to `bytes_max`, of which at most `load_factor` is used.
    #[must_use]
    pub fn new(seed: [u64; 2], keys: usize, bytes_max: usize, load_factor: f64) -> KeyMap {
        let slots_max = (bytes_max / SLOT_BYTES).max(SLOTS_MIN);
        let wanted = keys.saturating_mul(2).clamp(SLOTS_MIN, slots_max);
        // Growing needs the old table beside the new one: near the bound there is no room for both.
        let slots = if wanted > slots_max / 3 { slots_max } else { wanted };
        let load_factor = if load_factor > 0.0 { load_factor.min(0.95) } else { 0.9 };
        KeyMap { slots: vec![[0; 3]; slots], used: 0, slots_max, load_factor, seed }
    }

    /// Notes that `offset` is the newest of `key`; `false` if the key is new and there is no room for it.
    #[must_use]
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let hash = sip_hash_128(self.seed, key);
        let mut at = self.find(hash);
        if self.slots[at][2] == 0 {
            if self.used + 1 > self.usable() {
                if !self.grow() {
                    return false;
                }
                at = self.find(hash);
            }
            self.used += 1;
        }
        self.slots[at] = [hash[0], hash[1], offset as u64 + 1];
        true
    }

    /// The newest offset of `key`, if it has any here.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = self.slots[self.find(sip_hash_128(self.seed, key))];
        (slot[2] != 0).then(|| slot[2] as i64 - 1)
    }

    /// How full it is against its bound, from 0 to 1.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        self.used as f64 / self.slots_max as f64
    }

    fn usable(&self) -> usize {
        ((self.slots.len() as f64 * self.load_factor) as usize).max(1)
    }

    /// The slot of a key, or the empty one where it belongs. One is always empty.
    fn find(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len();
        let mut at = (hash[0] % count as u64) as usize;
        loop {
            let slot = &self.slots[at];
            if slot[2] == 0 || (slot[0], slot[1]) == (hash[0], hash[1]) {
                return at;
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
    }

    /// Makes room as far as old and new table together stay within the bound.
    fn grow(&mut self) -> bool {
        let count = self.slots.len();
        let room = self.slots_max - count.min(self.slots_max);
        let bigger = (2 * count).min(room);
        if bigger < count + count / 4 {
            return false;
        }
        let old = std::mem::replace(&mut self.slots, vec![[0; 3]; bigger]);
        for slot in old.iter().filter(|slot| slot[2] != 0) {
            let at = self.find([slot[0], slot[1]]);
            self.slots[at] = *slot;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_a_key_is_found() {
        let mut map = KeyMap::new([1, 2], 0, 1 << 20, 0.9);
        let mut model = std::collections::BTreeMap::new();
        for offset in 0..20_000i64 {
            let key = (offset * 7 % 3_000).to_be_bytes();
            assert!(map.put(&key, offset));
            model.insert(key, offset);
        }
        for (key, offset) in &model {
            assert_eq!(map.get(key), Some(*offset));
        }
        assert_eq!((map.get(b"never put"), map.get(&[])), (None, None));
        assert!(map.put(&[], 0));
        assert_eq!(map.get(&[]), Some(0), "the empty key is a key, and offset 0 an offset");
    }

    #[test]
    fn it_is_full_at_its_bound_and_still_takes_known_keys() {
        for (keys, bytes_max) in [(0, 0), (10, 1_000), (0, 100_000), (1 << 40, 100_000)] {
            let mut map = KeyMap::new([1, 2], keys, bytes_max, 0.9);
            let taken = (0i64..).take_while(|key| map.put(&key.to_be_bytes(), *key)).count() as i64;
            let slots_max = (bytes_max / SLOT_BYTES).max(SLOTS_MIN);
            assert!(map.slots.len() <= slots_max && taken as usize >= slots_max * 2 / 5, "{bytes_max}: {taken} keys");
            assert!(map.put(&0i64.to_be_bytes(), 77) && !map.put(b"new", 1));
            assert_eq!((map.get(&0i64.to_be_bytes()), map.get(b"new")), (Some(77), None));
            assert!((0..taken).skip(1).all(|key| map.get(&key.to_be_bytes()) == Some(key)));
            assert!(map.utilization() <= 0.95);
        }
    }
}
