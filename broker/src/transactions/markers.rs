//! How the end of a transaction reaches its partitions: a control record in each, and in `__consumer_offsets` the offsets
//! that were waiting for it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::records::{EndTransactionMarker, end_transaction_batch};
use storage::LogId;

use super::effects::Ended;
use super::state::Producer;
use super::{TopicPartition, TransactionHome};
use crate::error::append_code;
use crate::groups::OFFSETS_TOPIC;
use crate::shard::Shard;

/// Before partitions that could not take their marker are tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The end of a transaction, as a partition is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction.
    pub producer: Producer,
    /// Commit, else abort.
    pub commit: bool,
    /// Epoch of the coordinator that says so.
    pub coordinator_epoch: i32,
    /// Version of the transaction protocol it was under.
    pub transaction_version: i16,
}

/// Brings the end of a transaction to every partition, and tells the state machine of those that have it, until all do or
/// the coordinator is closed (the next one goes on then).
pub async fn deliver(shard: Rc<Shard>, home: Rc<TransactionHome>, ended: Ended) {
    let producer = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
    let marker = Marker {
        producer,
        commit: ended.commit,
        coordinator_epoch: home.partition().leader_epoch().0,
        transaction_version: ended.client_version,
    };
    let mut left = ended.partitions;
    loop {
        let (done, again) = write(&shard, marker, left).await;
        let told = home.change(&shard, |state, now_ms, effects| {
            state.markers_written(&ended.transactional_id, producer, &done, now_ms, effects);
        });
        // It may be complete, which is no change that would settle later.
        home.tell_settled();
        left = again;
        if told.is_err() || left.is_empty() {
            return;
        }
        let id = &ended.transactional_id;
        tracing::debug!(transactional_id = %id, partitions = left.len(), "markers are tried again");
        shard.runtime().sleep(RETRY_AFTER).await;
        if shard.stopping().is_set() || home.is_closed() {
            return;
        }
    }
}

/// Those that have their marker or need none, and those to be tried again.
async fn write(
    shard: &Rc<Shard>,
    marker: Marker,
    partitions: Vec<TopicPartition>,
) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
    let image = shard.image();
    let (mut done, mut again) = (Vec::new(), Vec::new());
    let mut known: BTreeMap<LogId, TopicPartition> = BTreeMap::new();
    for (topic, partition) in partitions {
        match image.topic(&topic).filter(|topic| topic.partition(partition).is_some()) {
            Some(found) => drop(known.insert(LogId { topic_id: found.id, partition }, (topic, partition))),
            // Deleted: nobody will read it.
            None => done.push((topic, partition)),
        }
    }
    for (id, code) in append_everywhere(shard, marker, known.keys().copied().collect()).await {
        let Some(partition) = known.remove(&id) else { continue };
        match code {
            ErrorCode::NONE => done.push(partition),
            // Somebody has ended it there already: a later epoch, or an operator by hand.
            ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::TRANSACTION_COORDINATOR_FENCED => {
                tracing::warn!(topic = %partition.0, partition = partition.1, %code, "a marker is not taken");
                done.push(partition);
            }
            _ => again.push(partition),
        }
    }
    (done, again)
}

/// Writes a marker to each of some partitions, on their cores, all at once; the codes say how it went.
pub async fn append_everywhere(shard: &Rc<Shard>, marker: Marker, ids: Vec<LogId>) -> Vec<(LogId, ErrorCode)> {
    let mut by_core: BTreeMap<usize, Vec<LogId>> = BTreeMap::new();
    ids.iter().for_each(|id| by_core.entry(shard.owner_of(*id)).or_default().push(*id));
    let sent = by_core.into_iter().map(|(core, ids)| {
        let asked = ids.clone();
        let written = shard.run_on(core, move |shard| {
            let shard = shard.clone();
            Box::pin(async move {
                let writes = ids.into_iter().map(|id| {
                    let shard = shard.clone();
                    async move { (id, append(&shard, marker, id).await.err().unwrap_or(ErrorCode::NONE)) }
                });
                join_all(writes).await
            })
        });
        async move {
            let closed = |_| asked.into_iter().map(|id| (id, ErrorCode::NOT_LEADER_OR_FOLLOWER)).collect();
            written.await.unwrap_or_else(closed)
        }
    });
    join_all(sent).await.into_iter().flatten().collect()
}

/// Writes a marker to a partition of this core, durably.
async fn append(shard: &Rc<Shard>, marker: Marker, id: LogId) -> Result<(), ErrorCode> {
    let partition = shard.leader(id)?;
    if partition.topic() == OFFSETS_TOPIC {
        return end_offsets(shard, marker, id).await;
    }
    let (batch, version) = (batch(shard, marker)?, marker.transaction_version);
    let appended = partition.append_marker(shard, batch, version).await.map_err(|error| append_code(&error))?;
    appended.durable.await.map_err(|error| crate::error::storage_code(&error))
}

/// The control batch of a marker.
pub fn batch(shard: &Shard, marker: Marker) -> Result<bytes::Bytes, ErrorCode> {
    let Marker { producer, commit, coordinator_epoch, .. } = marker;
    let end = EndTransactionMarker { commit, coordinator_epoch };
    let batch = end_transaction_batch(producer.id, producer.epoch, shard.runtime().wall_clock_ms(), end);
    batch.map_err(|error| {
        tracing::error!(%error, "a marker cannot be made");
        ErrorCode::UNKNOWN_SERVER_ERROR
    })
}

/// Offsets that were committed in the transaction count from now on, or never. A group coordinator that is not ready yet
/// looks like a leader that is not there, so that this comes again.
async fn end_offsets(shard: &Rc<Shard>, marker: Marker, id: LogId) -> Result<(), ErrorCode> {
    let ended = async {
        let home = shard.groups().homes().home(shard, id)?;
        home.end_transaction(shard, marker)?.wait(shard).await
    };
    ended.await.map_err(|code| match code {
        ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR => {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
        other => other,
    })
}
