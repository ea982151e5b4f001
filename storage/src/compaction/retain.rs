//! What compaction keeps: decisions and new batches, pure (Cleaner.java, `MemoryRecords.filterTo`).
//!
//! A pass knows the newest offset of every key of the dirty part, up to `end`. It walks the log from its start and
//! leaves out records whose key has a newer one, tombstones and markers whose time is up, and what was aborted. Offsets,
//! timestamps, order and codec of what stays are the old ones.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::records::{
    Attributes, BatchBuilder, BatchError, BatchHeader, BatchView, Compression, ControlRecordType, Header, NO_TIMESTAMP,
    NewRecord, Record,
};

use super::key_map::KeyMap;
use super::transactions::{CleanedTransactions, Marker};
use crate::segment::AbortedTxn;
use crate::validate::DECOMPRESSED_BYTES_MAX;

/// The last thing that an active producer wrote: its batch stays, if need be without records, because it says the
/// producer's sequence number and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastRecord {
    /// Last offset of its last batch of data; `None` if it has only a marker.
    pub data_offset: Option<i64>,
    /// Its epoch.
    pub epoch: i16,
}

/// What does not change during a pass.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// The time the pass began.
    pub now_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// The last batch below it stays, since it says where the log ends.
    pub high_watermark: i64,
    /// Active producers.
    pub producers: BTreeMap<i64, LastRecord>,
}

/// A batch of the cleaned log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// A slice of what was read, or a new encoding.
    pub bytes: Bytes,
    /// Offset of its first record before compaction.
    pub base_offset: i64,
    /// Of its last.
    pub last_offset: i64,
    /// Largest timestamp of its records.
    pub max_timestamp_ms: i64,
    /// The transaction that this marker aborted, for the index.
    pub aborted: Option<AbortedTxn>,
}

/// A pass over one log. Moves between the core and the thread aside.
pub(super) struct Pass {
    keys: KeyMap,
    /// Records from here on are not in `keys` and stay.
    end: i64,
    rules: Rules,
    transactions: CleanedTransactions,
    /// Records read and kept, for the statistics.
    pub records: (u64, u64),
}

impl Pass {
    /// With the keys of the dirty part that ends at `end`, and all transactions aborted in the log.
    pub fn new(keys: KeyMap, end: i64, rules: Rules, transactions: CleanedTransactions) -> Pass {
        Pass { keys, end, rules, transactions, records: (0, 0) }
    }

    /// The key map, for what it says of itself.
    pub fn keys(&self) -> &KeyMap {
        &self.keys
    }

    /// What is left of the whole batch in `bytes`, the next one of the log; `None`: nothing.
    pub fn filter(&mut self, bytes: &Bytes) -> Result<Option<Kept>, BatchError> {
        let batch = BatchView::parse(bytes)?;
        let header = &batch.header;
        self.records.0 += header.records_count.max(0) as u64;
        let kept = if header.is_control() { self.filter_control(&batch)? } else { self.filter_data(&batch)? };
        let (content, aborted) = kept;
        let rebuilt = match content {
            Content::All => bytes.slice(..header.size_bytes()),
            Content::Rebuilt(rebuilt) => rebuilt,
            Content::Nothing if !self.must_stay(header) => return Ok(None),
            Content::Nothing if header.records_count == 0 => bytes.slice(..header.size_bytes()),
            Content::Nothing => emptied(header)?,
        };
        let now = BatchHeader::parse(&rebuilt)?;
        self.records.1 += now.records_count.max(0) as u64;
        Ok(Some(Kept {
            bytes: rebuilt,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp_ms: now.max_timestamp,
            aborted,
        }))
    }

    /// A marker goes once nothing of its transaction is left and its horizon, set when that was first seen, is past.
    fn filter_control(&mut self, batch: &BatchView<'_>) -> Result<(Content, Option<AbortedTxn>), BatchError> {
        let header = &batch.header;
        let first = batch.records(batch.payload()).next().transpose()?;
        let kind =
            first.map(|record| record.key.and_then(ControlRecordType::parse).unwrap_or(ControlRecordType::Other(-1)));
        match self.transactions.on_control(header, kind) {
            Marker::Needed(aborted) => Ok((Content::All, aborted)),
            Marker::Expendable if kind.is_none() => Ok((Content::Nothing, None)),
            Marker::Expendable => Ok(match header.delete_horizon_ms() {
                Some(horizon_ms) if horizon_ms <= self.rules.now_ms => (Content::Nothing, None),
                Some(_) => (Content::All, None),
                None => (self.rebuild(batch, batch.payload(), |_| true, Some(self.horizon_ms()))?, None),
            }),
        }
    }

    fn filter_data(&mut self, batch: &BatchView<'_>) -> Result<(Content, Option<AbortedTxn>), BatchError> {
        let header = &batch.header;
        if self.transactions.on_data(header) || header.records_count == 0 {
            return Ok((Content::Nothing, None));
        }
        if header.base_offset >= self.end {
            return Ok((Content::All, None));
        }
        let body = batch.body(DECOMPRESSED_BYTES_MAX)?;
        let (mut kept, mut tombstones) = (0, false);
        for record in batch.records(&body) {
            let record = record?;
            if self.keeps(header, &record) {
                kept += 1;
                tombstones |= record.value.is_none();
            }
        }
        // Only once every older record of the tombstones' keys is gone with this pass does their time begin: Kafka also
        // begins it for those beyond the end of a pass.
        let begins = tombstones && header.delete_horizon_ms().is_none() && header.last_offset() < self.end;
        let horizon_ms = begins.then(|| self.horizon_ms());
        Ok(match kept {
            0 => (Content::Nothing, None),
            _ if kept == header.records_count && !begins => (Content::All, None),
            _ => (self.rebuild(batch, &body, |record| self.keeps(header, record), horizon_ms)?, None),
        })
    }

    fn keeps(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if record.offset >= self.end {
            return true;
        }
        // Without a key a record can be no key's newest.
        let Some(key) = record.key else { return false };
        let newest = self.keys.get(key).is_none_or(|newest| record.offset >= newest);
        let expired = header.delete_horizon_ms().is_some_and(|horizon_ms| horizon_ms <= self.rules.now_ms);
        newest && (record.value.is_some() || !expired)
    }

    fn horizon_ms(&self) -> i64 {
        self.rules.now_ms.saturating_add(self.rules.delete_retention_ms)
    }

    /// Whether a batch without records stays, for what its header says.
    fn must_stay(&self, header: &BatchHeader) -> bool {
        let last_of_producer =
            self.rules.producers.get(&header.producer_id).is_some_and(|last| match last.data_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.epoch,
            });
        (header.has_producer_id() && last_of_producer) || header.last_offset() + 1 == self.rules.high_watermark
    }

    /// The same batch with some of its records and perhaps a delete horizon, which takes the base timestamp's place.
    fn rebuild(
        &self,
        batch: &BatchView<'_>,
        body: &[u8],
        keep: impl Fn(&Record<'_>) -> bool,
        horizon_ms: Option<i64>,
    ) -> Result<Content, BatchError> {
        let compression = Compression::with_default_level(batch.header.attributes.compression_type()?);
        let mut header = batch.header;
        if let Some(horizon_ms) = horizon_ms {
            header.attributes = header.attributes.with(Attributes::DELETE_HORIZON, true);
            header.base_timestamp = horizon_ms;
        }
        let mut builder = BatchBuilder::new(header, compression);
        for record in batch.records(body) {
            let record = record?;
            match horizon_ms {
                _ if !keep(&record) => {}
                None => builder.append_encoded(&record)?,
                Some(_) => append_again(&mut builder, &record)?,
            }
        }
        Ok(Content::Rebuilt(builder.build()?))
    }
}

/// What is left of a batch's records.
enum Content {
    All,
    Nothing,
    Rebuilt(Bytes),
}

fn append_again(builder: &mut BatchBuilder, record: &Record<'_>) -> Result<(), BatchError> {
    let headers: Vec<Header<'_>> = record.headers.collect();
    let again =
        NewRecord { timestamp_ms: record.timestamp_ms, key: record.key, value: record.value, headers: &headers };
    builder.append_at(record.offset_delta, again)
}

/// The batch's header alone (`DefaultRecordBatch.writeEmptyHeader`).
fn emptied(header: &BatchHeader) -> Result<Bytes, BatchError> {
    let attributes = header.attributes.with(Attributes::DELETE_HORIZON, false);
    let header = BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, ..*header };
    BatchBuilder::new(header, Compression::None).build()
}

/// The keys of a dirty part, collected batch by batch from its start.
pub(super) struct Collected {
    /// So far.
    pub keys: KeyMap,
    /// The first offset that is not in it.
    pub end: i64,
    /// Where the dirty part begins.
    from: i64,
    transactions: CleanedTransactions,
    /// No further key fits.
    pub full: bool,
}

impl Collected {
    /// Nothing yet.
    pub fn new(keys: KeyMap, from: i64, transactions: CleanedTransactions) -> Collected {
        Collected { keys, end: from, from, transactions, full: false }
    }

    /// Adds the next whole batch, unless it is full.
    pub fn add(&mut self, batch: &BatchView<'_>) -> Result<(), BatchError> {
        let header = &batch.header;
        if self.full || header.last_offset() < self.from {
            return Ok(());
        }
        if header.is_control() {
            let kind = batch.records(batch.payload()).next().transpose()?;
            let kind = kind.map(|record| record.key.and_then(ControlRecordType::parse));
            self.transactions.on_control(header, kind.map(|kind| kind.unwrap_or(ControlRecordType::Other(-1))));
        } else if !self.transactions.on_data(header) {
            let body = batch.body(DECOMPRESSED_BYTES_MAX)?;
            for record in batch.records(&body) {
                let record = record?;
                let Some(key) = record.key.filter(|_| record.offset >= self.from) else { continue };
                if !self.keys.put(key, record.offset) {
                    self.full = true;
                    self.end = record.offset;
                    return Ok(());
                }
            }
        }
        self.end = header.last_offset() + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
