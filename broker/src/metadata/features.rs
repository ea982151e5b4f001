//! Features of the cluster: what clients may rely on, each at a level that UpdateFeatures can change.

use super::MetadataImage;
use crate::transactions::TRANSACTION_VERSION;

/// Something that brokers and clients do in one way or another, by its level. Level 0 is always without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Kafka's name for it.
    pub name: &'static str,
    /// Lowest level this version of the broker knows.
    pub level_min: i16,
    /// Highest level this version of the broker knows.
    pub level_max: i16,
    /// The level of a cluster in which it was never changed.
    pub level_default: i16,
}

/// KIP-848 consumer groups, from level 1 on.
pub const GROUP_VERSION: Feature = Feature { name: "group.version", level_min: 0, level_max: 1, level_default: 1 };

/// KIP-1071 streams groups, from level 1 on.
pub const STREAMS_VERSION: Feature = Feature { name: "streams.version", level_min: 0, level_max: 1, level_default: 1 };

/// Levels of the transaction protocol; clients follow KIP-890 at level 2.
const TRANSACTIONS: Feature = Feature {
    name: "transaction.version",
    level_min: 0,
    level_max: TRANSACTION_VERSION,
    level_default: TRANSACTION_VERSION,
};

/// All of them. Kafka's `share.version` joins with the protocol it stands for; until then its absence sends clients to the
/// protocols that are served.
pub const FEATURES: &[Feature] = &[GROUP_VERSION, STREAMS_VERSION, TRANSACTIONS];

impl Feature {
    /// The feature of this name.
    pub fn of(name: &str) -> Option<&'static Feature> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// Its level in force; 0 when it is switched off.
    pub fn level(&self, image: &MetadataImage) -> i16 {
        image.features.get(self.name).copied().unwrap_or(self.level_default)
    }
}
