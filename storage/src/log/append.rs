//! Appending: check, give offsets, copy into the commit that gathers.

use std::rc::Rc;

use bytes::Bytes;
use protocol::records::{BatchError, BatchView, CRC_COVER};

use super::{AppendOptions, Appended, DurableFuture, Log};
use crate::crc::BatchCrc;
use crate::error::{AppendError, StorageError};
use crate::ids::Offset;
use crate::memory::Reservation;
use crate::producer_state::{Admission, BatchMetadata, ProducerBatch, ProducerCheck, ProducerUpdate};
use crate::runtime::BLOCK_BYTES;
use crate::tail::TailBatch;
use crate::validate::{Source, TimestampStamp, Validated, validate};
use crate::wal::format::append_header;
use crate::wal::{BatchMemory, Body, Committed};
use crate::write_back::WRITE_BACK_BYTES;

impl Log {
    /// Checks the batch, gives it its offsets and puts it into the tail and the next commit. Does not wait: order of
    /// calls is order in the log. Await [`Appended::durable`] before acknowledging.
    pub fn append(
        &self,
        reservation: Reservation,
        batch: Bytes,
        options: AppendOptions,
    ) -> Result<Appended, AppendError> {
        self.check_open()?;
        self.check_room(&reservation, batch.len())?;
        let now_ms = self.volume.runtime.wall_clock_ms();
        // Where it will be unless a segment begins with it.
        let position = self.state.borrow().head.bytes;
        let source = Source { origin: options.origin, produce_version: options.produce_version, now_ms, position };
        let validated = validate(&batch, &self.state.borrow().config, source)?;
        let base_offset = self.end.get();
        let update = match self.admit(&validated, base_offset, options)? {
            Some(Admission::Duplicate(original)) => return Ok(self.duplicate(original)),
            Some(Admission::Append(update)) => Some(update),
            None => None,
        };
        let next_offset = base_offset + i64::from(validated.header.last_offset_delta) + 1;
        let durable = self.append_batch(&validated, base_offset, next_offset, options)?;
        drop(reservation);
        self.apply_producer(update, next_offset);
        self.move_offsets(self.start.get(), self.high.get(), next_offset);
        Ok(Appended {
            base_offset: Offset(base_offset),
            last_offset: Offset(next_offset - 1),
            log_append_time_ms: match validated.timestamps {
                TimestampStamp::LogAppendTime(time_ms) => Some(time_ms),
                TimestampStamp::Keep | TimestampStamp::Max(_) => None,
            },
            log_start_offset: Offset(self.start.get()),
            duplicate: false,
            durable,
        })
    }

    /// A full directory takes only what leads to space being freed.
    fn check_room(&self, reservation: &Reservation, bytes: usize) -> Result<(), StorageError> {
        let health = &self.volume.health;
        if !reservation.is_spare() || !health.is_full() {
            return health.check();
        }
        health.check_failed()?;
        let wal = &self.volume.wal;
        // The last of it is for the entries of the deletion itself.
        if wal.has_spare_room(2 * BLOCK_BYTES + bytes, wal.ring().spare_bytes() / 16) {
            Ok(())
        } else {
            Err(health.full_error())
        }
    }

    /// What the producer's state says to the batch; `None` for a batch of no producer.
    fn admit(
        &self,
        validated: &Validated,
        base_offset: i64,
        options: AppendOptions,
    ) -> Result<Option<Admission>, AppendError> {
        let corrupt = |error: BatchError| AppendError::CorruptMessage(error.to_string());
        let view = BatchView::parse(&validated.bytes).map_err(corrupt)?;
        let producer = ProducerBatch::new(&view, Offset(base_offset), validated.max_timestamp_ms);
        let Some(producer) = producer else { return Ok(None) };
        let AppendOptions { origin, verification, transaction_version, .. } = options;
        let rules = ProducerCheck { origin, verification, transaction_version };
        self.state.borrow().producers.check(&producer, rules).map(Some)
    }

    fn apply_producer(&self, update: Option<ProducerUpdate>, next_offset: i64) {
        let mut state = self.state.borrow_mut();
        match update {
            Some(update) => {
                if let Some(aborted) = state.producers.apply(update) {
                    state.aborted.push(aborted);
                }
            }
            None => state.producers.set_end_offset(Offset(next_offset)),
        }
    }

    /// The batch is in the log already: its ack waits for the original's commit.
    fn duplicate(&self, original: BatchMetadata) -> Appended {
        Appended {
            base_offset: original.first_offset(),
            last_offset: original.last_offset,
            log_append_time_ms: None,
            log_start_offset: Offset(self.start.get()),
            duplicate: true,
            durable: self.durable_up_to(original.last_offset.0 + 1),
        }
    }

    /// Copies the batch, stamped, into the write-ahead log's memory and refers to it from the tail.
    fn append_batch(
        &self,
        validated: &Validated,
        base_offset: i64,
        next_offset: i64,
        options: AppendOptions,
    ) -> Result<DurableFuture, AppendError> {
        let restamped = restamped(validated, base_offset, options)?;
        let batch = restamped.as_ref().unwrap_or(&validated.bytes);
        let max_timestamp = validated.max_timestamp_ms;
        let (segment_base_offset, position) = self.place(batch.len() as u64, base_offset, next_offset, max_timestamp);
        let this: Option<Rc<dyn Committed>> = self.this.upgrade().map(|this| this as Rc<dyn Committed>);
        // Base offset and leader epoch are outside the checksum: stamped on the way.
        let (offset, epoch) = (base_offset.to_be_bytes(), options.leader_epoch.0.to_be_bytes());
        let (before_checked, checked) = batch.split_at(CRC_COVER);
        let parts = [&offset[..], &before_checked[8..12], &epoch, &before_checked[16..], checked];
        let stamped_crc = before_checked.last_chunk().map_or(0, |crc| u32::from_be_bytes(*crc));
        let is_known = stamped_crc == validated.crc.value;
        let memory = BatchMemory::to_fill(if is_known { validated.crc.clone() } else { BatchCrc::whole(stamped_crc) });
        let header = append_header(self.id, base_offset);
        let token = this.as_ref().map(|this| (this, next_offset));
        let body = Body { parts: &parts, last_crc: Some(memory.crc()), position: Some(position) };
        let wal_position = self.volume.wal.append(&header, body, Some(&memory), token);
        if options.in_hurry {
            self.volume.wal.hurry();
        }
        self.volume.note_append(&self.this, next_offset, batch.len());
        let mut state = self.state.borrow_mut();
        let now = self.volume.runtime.now();
        state.last_append = now;
        state.dirty_since.get_or_insert(now);
        let unwritten = state.unwritten_bytes;
        state.unwritten_bytes += batch.len() as u64;
        // Not with every batch that comes while it is at work.
        if unwritten / WRITE_BACK_BYTES != state.unwritten_bytes / WRITE_BACK_BYTES {
            self.volume.wake.notify_one();
        }
        state.assign_epoch(options.leader_epoch.0, base_offset);
        state.add_uncommitted(next_offset, wal_position.group.clone());
        state.tail.push(TailBatch {
            base_offset,
            next_offset,
            bytes: batch.len() as u32,
            max_timestamp,
            segment_base_offset,
            position,
            lsn: wal_position.lsn,
            memory,
        });
        Ok(Box::pin(wal_position.group.wait()))
    }

    /// Where the batch goes: segment, position in it, and
    pub(crate) fn place(&self, bytes: u64, base_offset: i64, next_offset: i64, max_timestamp: i64) -> (i64, u64) {
        let now_ms = self.volume.runtime.wall_clock_ms();
        let mut state = self.state.borrow_mut();
        if state.must_roll(bytes, next_offset - 1, max_timestamp, now_ms) {
            state.begin_segment(base_offset, now_ms);
            self.volume.unwritten_rolls.set(self.volume.unwritten_rolls.get() + 1);
        }
        let interval = state.config.index_interval_bytes;
        state.head.place(bytes, max_timestamp, interval)
    }

    /// Completes when all below `next_offset` is durable.
    pub(crate) fn durable_up_to(&self, next_offset: i64) -> DurableFuture {
        let group = self.state.borrow().commit_of(next_offset);
        match group {
            Some(group) => Box::pin(group.wait()),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }
}

/// A stamp that renews the checksum needs a copy of its own; the usual one is done on the way into the commit.
fn restamped(validated: &Validated, base_offset: i64, options: AppendOptions) -> Result<Option<Bytes>, AppendError> {
    if validated.timestamps == TimestampStamp::Keep {
        return Ok(None);
    }
    let mut copy = validated.bytes.to_vec();
    let stamped = validated.stamp(&mut copy, Offset(base_offset), options.leader_epoch);
    stamped.map_err(|error| AppendError::CorruptMessage(error.to_string()))?;
    Ok(Some(copy.into()))
}
