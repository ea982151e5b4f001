//! A number that tells whether the topics a group depends on are still what they were.

use std::collections::BTreeSet;

use crate::metadata::MetadataImage;

/// A number that changes when one of `names` appears, goes, is made anew or grows; zero if there is none. (Kafka's own
/// hash differs; who brings a Kafka log along sees one rebalance more.)
pub fn hash_of_topics(names: &BTreeSet<&str>, image: &MetadataImage) -> i64 {
    let mut hash = Fnv::default();
    for topic in names.iter().filter_map(|name| image.topic(name)) {
        hash.add(&topic.id.0);
        hash.add(topic.name.as_bytes());
        hash.add(&(topic.partitions.len() as u64).to_be_bytes());
    }
    hash.finish()
}

/// FNV-1a: small, and the same in every build, since the result is recorded.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(Fnv::BASIS)
    }
}

impl Fnv {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Zero for nothing at all, as in Kafka.
    fn finish(self) -> i64 {
        if self.0 == Fnv::BASIS { 0 } else { self.0 as i64 }
    }
}
