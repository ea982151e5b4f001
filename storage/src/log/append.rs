//! Appending: check, give offsets, copy into the commit that gathers.

use std::rc::Rc;

use bytes::Bytes;
use protocol::records::{BatchError, BatchView};

use super::state::Head;
use super::{AppendOptions, Appended, DurableFuture, Log};
use crate::error::AppendError;
use crate::ids::Offset;
use crate::memory::Reservation;
use crate::tail::TailBatch;
use crate::wal::format::append_header;
use crate::wal::{BatchMemory, Committed};
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
        self.volume.health.check()?;
        let header = check(&batch)?;
        let base_offset = self.end.get();
        let next_offset = base_offset + i64::from(header.last_offset_delta) + 1;
        let durable = self.append_batch(&batch, base_offset, next_offset, header.max_timestamp, options);
        drop(reservation);
        self.move_offsets(self.start.get(), self.high.get(), next_offset);
        Ok(Appended {
            base_offset: Offset(base_offset),
            last_offset: Offset(next_offset - 1),
            log_append_time_ms: None,
            log_start_offset: Offset(self.start.get()),
            duplicate: false,
            durable,
        })
    }

    /// Copies the batch, stamped, into the write-ahead log's memory and refers to it from the tail.
    fn append_batch(
        &self,
        batch: &Bytes,
        base_offset: i64,
        next_offset: i64,
        max_timestamp: i64,
        options: AppendOptions,
    ) -> DurableFuture {
        let (segment_base_offset, position) = self.place(batch.len() as u64, base_offset, next_offset, max_timestamp);
        let memory = Rc::new(BatchMemory::default());
        let this: Option<Rc<dyn Committed>> = self.this.upgrade().map(|this| this as Rc<dyn Committed>);
        // Base offset and leader epoch are outside the checksum: stamped on the way.
        let stamped: [&[u8]; 4] =
            [&base_offset.to_be_bytes(), &batch[8..12], &options.leader_epoch.0.to_be_bytes(), &batch[16..]];
        let header = append_header(self.id, base_offset);
        let token = this.as_ref().map(|this| (this, next_offset));
        let wal_position = self.volume.wal.append(&header, &stamped, Some(&memory), token);
        self.volume.note_append(&self.this, next_offset);
        let mut state = self.state.borrow_mut();
        let now = self.volume.runtime.now();
        state.last_append = now;
        state.dirty_since.get_or_insert(now);
        state.unwritten_bytes += batch.len() as u64;
        if state.unwritten_bytes >= WRITE_BACK_BYTES {
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
        Box::pin(wal_position.group.wait())
    }

    /// Where the batch goes: segment, position in it, and
    pub(crate) fn place(&self, bytes: u64, base_offset: i64, next_offset: i64, max_timestamp: i64) -> (i64, u64) {
        let now_ms = self.volume.runtime.wall_clock_ms();
        let mut state = self.state.borrow_mut();
        if state.must_roll(bytes, next_offset - 1, max_timestamp, now_ms) {
            state.head = Head { base_offset, created_ms: now_ms, ..Head::default() };
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

fn check(batch: &Bytes) -> Result<protocol::records::BatchHeader, AppendError> {
    let corrupt = |error: BatchError| AppendError::CorruptMessage(error.to_string());
    let view = BatchView::parse(batch).map_err(corrupt)?;
    if view.bytes().len() != batch.len() {
        return Err(AppendError::CorruptMessage("more than one batch".to_owned()));
    }
    if view.header.last_offset_delta < 0 {
        return Err(AppendError::InvalidRecord { message: "negative last offset delta".to_owned(), records: vec![] });
    }
    view.verify_crc().map_err(corrupt)?;
    Ok(view.header)
}
