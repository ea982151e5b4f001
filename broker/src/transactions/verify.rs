//! What the leader of a partition asks the coordinator of a transaction before it takes the transaction's first batch
//! (AddPartitionsToTxnManager.java): from clients of version 2 to add the partition, from older ones whether they have.

use std::rc::Rc;

use protocol::ErrorCode;

use super::state::Producer;
use super::{TopicPartition, TransactionHomes};
use crate::shard::Shard;

/// What the version of a request says of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Does not know TRANSACTION_ABORTABLE.
    Old,
    /// Knows it, and adds partitions by itself.
    Abortable,
    /// Leaves it to the leader to add them.
    AddsPartitions,
}

impl Support {
    /// Of a Produce request.
    pub fn of_produce(version: i16) -> Support {
        match version {
            ..=10 => Support::Old,
            11 => Support::Abortable,
            _ => Support::AddsPartitions,
        }
    }

    /// Of a TxnOffsetCommit request.
    pub fn of_offset_commit(version: i16) -> Support {
        match version {
            ..=3 => Support::Old,
            4 => Support::Abortable,
            _ => Support::AddsPartitions,
        }
    }

    /// Every transaction of the client has an epoch of its own.
    pub fn bumps_epochs(self) -> bool {
        self == Support::AddsPartitions
    }
}

/// Whether the partitions are part of the transaction, one answer each; those of a client that leaves it to the leader
/// are added. The codes are those that a client is to see, but for the coordinator's own troubles.
pub async fn ask(
    shard: &Rc<Shard>,
    transactional_id: String,
    producer: Producer,
    partitions: Vec<(String, i32)>,
    support: Support,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    if transactional_id.is_empty() {
        return vec![ErrorCode::INVALID_REQUEST; count];
    }
    let id = transactional_id.clone();
    let asked = TransactionHomes::at(shard, &id, move |shard, home| {
        Box::pin(async move {
            let partitions: Vec<TopicPartition> =
                partitions.into_iter().map(|(topic, partition)| (topic.into(), partition)).collect();
            if support.bumps_epochs() {
                home.add_partitions(&shard, &transactional_id, producer, &partitions, 2).await?;
                return Ok(vec![true; partitions.len()]);
            }
            home.read(|state| state.verify_partitions(&transactional_id, producer, &partitions))?
        })
    });
    let refused = if support == Support::Old { ErrorCode::INVALID_TXN_STATE } else { ErrorCode::TRANSACTION_ABORTABLE };
    match asked.await {
        Ok(answers) => answers.into_iter().map(|yes| if yes { ErrorCode::NONE } else { refused }).collect(),
        // Producers know what to do with this one.
        Err(ErrorCode::PRODUCER_FENCED) => vec![ErrorCode::INVALID_PRODUCER_EPOCH; count],
        Err(code) => vec![code; count],
    }
}
