//! One producer of a partition.

use crate::ids::Offset;

/// Batches that are remembered a producer: as many as a client may have in flight (`NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_KEPT: usize = 5;

/// A batch that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchMetadata {
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Its last offset less its first.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp_ms: i64,
}

impl BatchMetadata {
    /// Sequence number of its first record; they wrap from `i32::MAX` to 0.
    #[must_use]
    pub fn first_sequence(&self) -> i32 {
        (i64::from(self.last_sequence) - i64::from(self.offset_delta)).rem_euclid(1 << 31) as i32
    }

    /// Offset of its first record.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// What is known of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Which.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// Epoch of the coordinator that wrote its last marker, -1 without one.
    pub coordinator_epoch: i32,
    /// Of its last batch or marker.
    pub last_timestamp_ms: i64,
    /// First record of its open transaction.
    pub current_txn_first_offset: Option<Offset>,
    batches: [BatchMetadata; BATCHES_KEPT],
    batch_count: u8,
}

impl ProducerEntry {
    /// One that has not written yet.
    #[must_use]
    pub fn new(producer_id: i64) -> ProducerEntry {
        ProducerEntry {
            producer_id,
            producer_epoch: -1,
            coordinator_epoch: -1,
            last_timestamp_ms: -1,
            current_txn_first_offset: None,
            batches: [BatchMetadata::default(); BATCHES_KEPT],
            batch_count: 0,
        }
    }

    /// Its last batches of the current epoch, oldest first.
    #[must_use]
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches[..usize::from(self.batch_count)]
    }

    /// Sequence number of its last record, -1 when no batch of the current epoch is known.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(-1, |batch| batch.last_sequence)
    }

    /// The remembered batch with exactly these sequence numbers: what was sent is a retry of it.
    #[must_use]
    pub fn find(&self, epoch: i16, first_sequence: i32, last_sequence: i32) -> Option<BatchMetadata> {
        let same =
            |batch: &&BatchMetadata| (batch.first_sequence(), batch.last_sequence) == (first_sequence, last_sequence);
        self.batches().iter().find(same).copied().filter(|_| epoch == self.producer_epoch)
    }

    /// Whether a transaction of this epoch is open.
    #[must_use]
    pub fn has_open_transaction(&self, epoch: i16) -> bool {
        self.current_txn_first_offset.is_some() && self.producer_epoch == epoch
    }

    /// Remembers a batch; a new epoch forgets the old one's.
    pub(super) fn push(&mut self, epoch: i16, batch: BatchMetadata) {
        self.set_epoch(epoch);
        if self.batches().len() == BATCHES_KEPT {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        self.batches[usize::from(self.batch_count)] = batch;
        self.batch_count += 1;
        self.last_timestamp_ms = batch.timestamp_ms;
    }

    pub(super) fn set_epoch(&mut self, epoch: i16) {
        if self.producer_epoch != epoch {
            self.producer_epoch = epoch;
            self.batches = [BatchMetadata::default(); BATCHES_KEPT];
            self.batch_count = 0;
        }
    }

    pub(super) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.current_txn_first_offset.is_none() && now_ms.saturating_sub(self.last_timestamp_ms) >= expiration_ms
    }
}
