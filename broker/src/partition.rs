//! One partition on its core, and the only caller of an append: clients, coordinators, stream tasks and mirrors all
//! take this road.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use storage::{AppendError, AppendOptions, Appended, LeaderEpoch, Log, LogId, Origin};

use crate::shard::Shard;

/// A partition this broker leads.
pub struct Partition {
    topic: String,
    log: Rc<Log>,
    leader_epoch: Cell<LeaderEpoch>,
}

impl Partition {
    /// Wraps an open log.
    pub fn new(topic: String, log: Rc<Log>, leader_epoch: LeaderEpoch) -> Partition {
        Partition { topic, log, leader_epoch: Cell::new(leader_epoch) }
    }

    /// Topic id and partition number.
    pub fn id(&self) -> LogId {
        self.log.id()
    }

    /// Name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The log, for reading.
    pub fn log(&self) -> &Rc<Log> {
        &self.log
    }

    /// The epoch this broker leads under.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch.get()
    }

    /// Appends one batch a client sent with a Produce request of `produce_version`. Calls are served in the order of
    /// their first poll. The batch has its offsets when this returns; await [`Appended::durable`] to acknowledge it.
    pub async fn append(&self, shard: &Shard, batch: Bytes, produce_version: i16) -> Result<Appended, AppendError> {
        self.append_as(shard, batch, Origin::Client, produce_version).await
    }

    /// Appends one batch of a coordinator of this broker; may be a control batch. See [`Partition::append`].
    pub async fn append_as_coordinator(&self, shard: &Shard, batch: Bytes) -> Result<Appended, AppendError> {
        self.append_as(shard, batch, Origin::Coordinator, i16::MAX).await
    }

    async fn append_as(
        &self,
        shard: &Shard,
        batch: Bytes,
        origin: Origin,
        produce_version: i16,
    ) -> Result<Appended, AppendError> {
        let _turn = shard.append_gate().lock().await;
        let reservation = shard.engine().reserve(batch.len()).await?;
        let options = AppendOptions { leader_epoch: self.leader_epoch.get(), origin, produce_version };
        self.log.append(reservation, batch, options)
    }
}
