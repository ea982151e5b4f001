//! One partition on its core, and the only caller of an append: clients, coordinators, stream tasks and mirrors all
//! take this road.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use storage::log::{AbortedTransaction, LogRead};
use storage::producer_state::Verification;
use storage::{AppendError, AppendOptions, Appended, LeaderEpoch, Log, LogId, Offset, ReadLimit, ReadOptions};

use crate::config::TopicConfig;
use crate::error::{append_code, read_code};
use crate::metrics::traffic::{Flow, Traffic};
use crate::shard::Shard;

/// Who holds a partition, as its leader has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leadership {
    /// This broker leads.
    pub is_leader: bool,
    /// The epoch the leader leads under.
    pub leader_epoch: LeaderEpoch,
    /// Replicas in sync, the leader included.
    pub in_sync_replicas: usize,
}

/// A partition this broker has.
pub struct Partition {
    topic: Rc<str>,
    log: Rc<Log>,
    leadership: Cell<Leadership>,
    /// `min.insync.replicas`.
    in_sync_replicas_min: Cell<usize>,
    /// `cleanup.policy` has `delete`, or is not `compact`.
    deletes_records: Cell<bool>,
    traffic: Traffic,
}

/// What to read of a partition.
#[derive(Debug, Clone, Copy)]
pub struct ReadRequest {
    /// First offset wanted.
    pub offset: Offset,
    /// At most this many bytes.
    pub bytes_max: usize,
    /// One batch even if it is larger (KIP-74).
    pub at_least_one_batch: bool,
    /// How far the reader may see.
    pub limit: ReadLimit,
    /// Leader epoch the client knows; -1 for none.
    pub current_leader_epoch: i32,
    /// Epoch of the client's last record, to find out whether its log went another way; -1 for none.
    pub last_fetched_epoch: i32,
}

/// What a read of a partition gave. Offsets are -1 where an error left them unknown.
#[derive(Debug, Clone, Default)]
pub struct PartitionRead {
    /// NONE, or why there is nothing.
    pub error_code: ErrorCode,
    /// End of what a read_uncommitted consumer sees.
    pub high_watermark: i64,
    /// End of what a read_committed consumer sees.
    pub last_stable_offset: i64,
    /// First offset there is.
    pub log_start_offset: i64,
    /// Epoch and end offset of the last point both logs share, when they went different ways.
    pub diverging_epoch: Option<(i32, i64)>,
    /// For a reader up to the last stable offset.
    pub aborted_transactions: Vec<AbortedTransaction>,
    /// Whole batches.
    pub records: Vec<Bytes>,
}

impl PartitionRead {
    /// Nothing but an error.
    pub fn failed(error_code: ErrorCode) -> PartitionRead {
        PartitionRead {
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            ..Default::default()
        }
    }
}

impl Partition {
    /// Wraps an open log.
    pub fn new(topic: Rc<str>, log: Rc<Log>, leadership: Leadership, config: &TopicConfig) -> Partition {
        Partition {
            topic,
            log,
            leadership: Cell::new(leadership),
            in_sync_replicas_min: Cell::new(config.min_insync_replicas),
            deletes_records: Cell::new(deletes_records(config)),
            traffic: Traffic::default(),
        }
    }

    /// What went through it.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
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
        self.leadership.get().leader_epoch
    }

    /// Whether this broker leads.
    pub fn is_leader(&self) -> bool {
        self.leadership.get().is_leader
    }

    /// Takes over the topic's settings.
    pub fn set_config(&self, config: &TopicConfig) {
        self.in_sync_replicas_min.set(config.min_insync_replicas);
        self.deletes_records.set(deletes_records(config));
        self.log.set_config(config.log.clone());
    }

    /// Whether DeleteRecords may move the start: a log that is only compacted keeps every key.
    pub fn deletes_records(&self) -> bool {
        self.deletes_records.get()
    }

    /// Takes over what the metadata says now.
    pub fn set_leadership(&self, leadership: Leadership) {
        self.leadership.set(leadership);
    }

    /// Whether an append with acks=-1 may begin: `min.insync.replicas` are in sync.
    pub fn has_enough_replicas(&self) -> bool {
        self.leadership.get().in_sync_replicas >= self.in_sync_replicas_min.get()
    }

    /// Compares the leader epoch a client knows with ours; -1 is not compared (KIP-320).
    pub fn check_leader_epoch(&self, current_leader_epoch: i32) -> Result<(), ErrorCode> {
        match current_leader_epoch {
            -1 => Ok(()),
            epoch if epoch < self.leader_epoch().0 => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.leader_epoch().0 => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Appends one batch a client sent with a Produce request of `produce_version`. Calls are served in the order of
    /// their first poll. The batch has its offsets when this returns; await [`Appended::durable`] to acknowledge it.
    pub async fn append(&self, shard: &Shard, batch: Bytes, produce_version: i16) -> Result<Appended, AppendError> {
        let bytes = batch.len();
        self.traffic.count(Flow::ProduceRequests, 1);
        let options = AppendOptions::client(self.leader_epoch(), produce_version);
        let appended = self.append_with(shard, batch, options).await;
        if let Err(error) = &appended {
            self.traffic.count(Flow::FailedProduceRequests, 1);
            if append_code(error) == ErrorCode::MESSAGE_TOO_LARGE {
                self.traffic.count(Flow::BytesRejected, bytes);
            }
        }
        appended
    }

    /// Appends one batch of a client as part of a transaction, in a hurry if it is the transaction's first here: its
    /// commit is one of the four or five that a short transaction waits for, one after the other. See
    /// [`Partition::append`].
    pub async fn append_in_transaction(
        &self,
        shard: &Shard,
        batch: Bytes,
        produce_version: i16,
        verification: Verification,
    ) -> Result<Appended, AppendError> {
        let options = AppendOptions::client(self.leader_epoch(), produce_version);
        let in_hurry = matches!(verification, Verification::Confirmed(_));
        self.append_with(shard, batch, AppendOptions { verification, in_hurry, ..options }).await
    }

    /// Appends offsets that a client commits as part of a transaction. See [`Partition::append`].
    pub async fn append_offsets(
        &self,
        shard: &Shard,
        batch: Bytes,
        verification: Verification,
    ) -> Result<Appended, AppendError> {
        let options = AppendOptions::coordinator(self.leader_epoch());
        self.append_with(shard, batch, AppendOptions { verification, in_hurry: true, ..options }).await
    }

    /// Appends the end of a transaction. See [`Partition::append`].
    pub async fn append_marker(
        &self,
        shard: &Shard,
        batch: Bytes,
        transaction_version: i16,
    ) -> Result<Appended, AppendError> {
        let options = AppendOptions::coordinator(self.leader_epoch());
        self.append_with(shard, batch, AppendOptions { transaction_version, in_hurry: true, ..options }).await
    }

    /// Appends one batch of a coordinator of this broker; may be a control batch. See [`Partition::append`].
    pub async fn append_as_coordinator(
        &self,
        shard: &Shard,
        batch: Bytes,
        in_hurry: bool,
    ) -> Result<Appended, AppendError> {
        let options = AppendOptions::coordinator(self.leader_epoch());
        self.append_with(shard, batch, AppendOptions { in_hurry, ..options }).await
    }

    async fn append_with(&self, shard: &Shard, batch: Bytes, options: AppendOptions) -> Result<Appended, AppendError> {
        let _turn = shard.append_gate().lock().await;
        let reservation = shard.engine().reserve(batch.len()).await?;
        let bytes = batch.len();
        let appended = self.log.append(reservation, batch, options)?;
        self.traffic.count(Flow::BytesIn, bytes);
        self.traffic.count(Flow::MessagesIn, (appended.last_offset.0 - appended.base_offset.0 + 1).max(0) as usize);
        Ok(appended)
    }

    /// Reads for a consumer or a follower; errors are part of the answer.
    pub async fn read(&self, request: ReadRequest) -> PartitionRead {
        if let Err(error_code) = self.check_leader_epoch(request.current_leader_epoch) {
            return PartitionRead::failed(error_code);
        }
        match self.divergence(request.last_fetched_epoch, request.offset) {
            Ok(None) => {}
            Ok(diverging_epoch) => return PartitionRead { diverging_epoch, ..self.bounds() },
            Err(error_code) => return PartitionRead { error_code, ..self.bounds() },
        }
        let options = ReadOptions {
            offset: request.offset,
            bytes_max: request.bytes_max,
            at_least_one_batch: request.at_least_one_batch,
            limit: request.limit,
        };
        match self.log.read(options).await {
            Ok(LogRead { records, aborted_transactions, .. }) => {
                PartitionRead { records, aborted_transactions, ..self.bounds() }
            }
            Err(error) => PartitionRead { error_code: read_code(&error), ..self.bounds() },
        }
    }

    fn bounds(&self) -> PartitionRead {
        PartitionRead {
            high_watermark: self.log.high_watermark().0,
            last_stable_offset: self.log.last_stable_offset().0,
            log_start_offset: self.log.log_start_offset().0,
            ..Default::default()
        }
    }

    /// Where a log whose last record has `last_fetched_epoch` and ends at `offset` left ours, if it did
    /// (Partition.readRecords).
    fn divergence(&self, last_fetched_epoch: i32, offset: Offset) -> Result<Option<(i32, i64)>, ErrorCode> {
        if last_fetched_epoch < 0 {
            return Ok(None);
        }
        let end = self.log.end_offset_for_epoch(LeaderEpoch(last_fetched_epoch));
        let (epoch, end_offset) = end.ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        let diverges = epoch.0 < last_fetched_epoch || end_offset < offset;
        Ok(diverges.then_some((epoch.0, end_offset.0)))
    }
}

fn deletes_records(config: &TopicConfig) -> bool {
    config.log.cleanup_delete || !config.log.cleanup_compact
}
