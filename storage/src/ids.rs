//! Numbers that must not be mixed up.

use protocol::Uuid;

/// A position in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub i64);

impl Offset {
    /// The first offset of a new partition.
    pub const ZERO: Offset = Offset(0);

    /// The offset `count` records later; saturates, since a damaged file may state any offset.
    #[must_use]
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.saturating_add(count))
    }
}

/// The reign of one leader of a partition (KIP-101).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaderEpoch(pub i32);

/// A partition of one incarnation of a topic: a topic deleted and made again has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// Id of the topic.
    pub topic_id: Uuid,
    /// Number of the partition within the topic.
    pub partition: i32,
}
