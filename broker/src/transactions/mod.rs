//! The transaction coordinator: who may write under a transactional id, which partitions its transaction includes, and
//! how it ended.
//!
//! Start with [`transaction`], one transactional id and what may follow what, then [`state`], the state machine of one
//! `__transaction_state` partition. They do nothing by themselves: [`effects`] lists what they ask for, and
//! [`coordinator`] carries it out on the core that owns the partition. [`records`] is what is kept; reading and appending
//! them is what every coordinator has in common ([`crate::coordinator`]). [`markers`] is how an end reaches the partitions
//! of the transaction, [`verify`] is what the leader of a partition asks before a transaction's first batch.

pub mod coordinator;
pub mod effects;
pub mod markers;
pub mod records;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod verify;

pub use coordinator::{TransactionHome, TransactionHomes};

/// The version of the transaction protocol that is finalized for the cluster (`transaction.version`): every transaction
/// has an epoch of its own, and partitions join with their first batch (KIP-890).
pub const TRANSACTION_VERSION: i16 = 2;

/// A partition as a transaction names it.
pub type TopicPartition = (std::rc::Rc<str>, i32);
