//! The 61 bytes in front of a batch's records, and the view over both.

use std::borrow::Cow;

use super::codecs::{CompressionType, decompress};
use super::error::BatchError;
use super::record::RecordIter;

/// Size of the header, its length field included.
pub const HEADER_BYTES: usize = 61;
/// The only message format left since Kafka 4.0.
pub const MAGIC: i8 = 2;
/// "No producer id": the batch is neither idempotent nor transactional.
pub const NO_PRODUCER_ID: i64 = -1;
/// See [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// See [`NO_PRODUCER_ID`].
pub const NO_SEQUENCE: i32 = -1;
/// "No timestamp".
pub const NO_TIMESTAMP: i64 = -1;
/// What a producer writes into the leader epoch.
pub const NO_LEADER_EPOCH: i32 = -1;

/// Base offset and length field: bytes that the length does not count.
pub(super) const LOG_OVERHEAD: usize = 12;
/// Where the checksum's cover begins; it runs to the end of the batch.
pub const CRC_COVER: usize = 21;

/// The attribute bits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    /// Bits 0 to 2: the codec.
    pub const COMPRESSION: i16 = 0x07;
    /// Bit 3: every record's timestamp is the batch's max timestamp, set by the broker.
    pub const LOG_APPEND_TIME: i16 = 0x08;
    /// Bit 4: part of a transaction.
    pub const TRANSACTIONAL: i16 = 0x10;
    /// Bit 5: control records, never shown to applications.
    pub const CONTROL: i16 = 0x20;
    /// Bit 6: the base timestamp is the time from which compaction may drop tombstones.
    pub const DELETE_HORIZON: i16 = 0x40;

    /// Whether `bits` are all set.
    #[must_use]
    pub fn has(self, bits: i16) -> bool {
        self.0 & bits == bits
    }

    /// The same with `bits` set or cleared.
    #[must_use]
    pub fn with(self, bits: i16, on: bool) -> Attributes {
        Attributes(if on { self.0 | bits } else { self.0 & !bits })
    }

    /// The codec, unless its id is unknown.
    pub fn compression_type(self) -> Result<CompressionType, BatchError> {
        CompressionType::from_id((self.0 & Self::COMPRESSION) as u8)
    }

    /// The same with another codec.
    #[must_use]
    pub fn with_compression_type(self, compression: CompressionType) -> Attributes {
        Attributes(self.0 & !Self::COMPRESSION | i16::from(compression.id()))
    }
}

/// A batch's header as plain fields, in wire order. `Default` is a batch of no producer with nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; what a producer sends is 0.
    pub base_offset: i64,
    /// Bytes that follow the length field; see [`BatchHeader::size_bytes`].
    pub batch_length: i32,
    /// Epoch of the leader that appended it; -1 from a producer.
    pub partition_leader_epoch: i32,
    /// Message format.
    pub magic: i8,
    /// CRC32C from the attributes to the end.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// Offset of the last record less the base offset; survives compaction.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas are added to.
    pub base_timestamp: i64,
    /// Largest timestamp of the records.
    pub max_timestamp: i64,
    /// -1 when the producer is not idempotent.
    pub producer_id: i64,
    /// -1 when the producer is not idempotent.
    pub producer_epoch: i16,
    /// Sequence number of the first record; -1 when the producer is not idempotent.
    pub base_sequence: i32,
    /// How many records follow.
    pub records_count: i32,
}

impl Default for BatchHeader {
    fn default() -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            batch_length: (HEADER_BYTES - LOG_OVERHEAD) as i32,
            partition_leader_epoch: NO_LEADER_EPOCH,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            records_count: 0,
        }
    }
}

impl BatchHeader {
    /// Reads a header; the records need not be there. Checks the length field and the magic, in the order that lets an
    /// old format be told from damage: all formats keep the magic at byte 16.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let truncated = |needed_bytes| BatchError::Truncated { needed_bytes, available_bytes: bytes.len() };
        let start = bytes.first_chunk::<17>().ok_or(truncated(HEADER_BYTES))?;
        if start[16] as i8 != MAGIC {
            return Err(BatchError::Magic(start[16] as i8));
        }
        let fixed = bytes.first_chunk::<HEADER_BYTES>().ok_or(truncated(HEADER_BYTES))?;
        let header = Self::read(fixed);
        if header.batch_length < (HEADER_BYTES - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length(header.batch_length));
        }
        Ok(header)
    }

    fn read(bytes: &[u8; HEADER_BYTES]) -> BatchHeader {
        BatchHeader {
            base_offset: i64::from_be_bytes(array(bytes, 0)),
            batch_length: i32::from_be_bytes(array(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(array(bytes, 12)),
            magic: bytes[16] as i8,
            crc: u32::from_be_bytes(array(bytes, 17)),
            attributes: Attributes(i16::from_be_bytes(array(bytes, 21))),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)),
            producer_id: i64::from_be_bytes(array(bytes, 43)),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            records_count: i32::from_be_bytes(array(bytes, 57)),
        }
    }

    /// The header's bytes, with the fields as they are.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&self.base_offset.to_be_bytes());
        put(&self.batch_length.to_be_bytes());
        put(&self.partition_leader_epoch.to_be_bytes());
        put(&self.magic.to_be_bytes());
        put(&self.crc.to_be_bytes());
        put(&self.attributes.0.to_be_bytes());
        put(&self.last_offset_delta.to_be_bytes());
        put(&self.base_timestamp.to_be_bytes());
        put(&self.max_timestamp.to_be_bytes());
        put(&self.producer_id.to_be_bytes());
        put(&self.producer_epoch.to_be_bytes());
        put(&self.base_sequence.to_be_bytes());
        put(&self.records_count.to_be_bytes());
        bytes
    }

    /// Size of the whole batch in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record, or of the last one before compaction.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Sequence number of the last record; -1 without one.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// Whether the producer is idempotent (or transactional).
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// From when on compaction may drop this batch's tombstones and markers.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has(Attributes::DELETE_HORIZON).then_some(self.base_timestamp)
    }

    /// Whether this is part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes.has(Attributes::TRANSACTIONAL)
    }

    /// Whether these are control records.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes.has(Attributes::CONTROL)
    }

    /// Whether the timestamps are the broker's.
    #[must_use]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes.has(Attributes::LOG_APPEND_TIME)
    }
}

/// Sequence numbers wrap from `i32::MAX` to 0 (`DefaultRecordBatch.incrementSequence`).
#[must_use]
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    (i64::from(sequence) + i64::from(increment)).rem_euclid(1 << 31) as i32
}

fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

/// One whole batch at the front of some bytes. The checksum is not checked until [`BatchView::verify_crc`].
#[derive(Debug, Clone, Copy)]
pub struct BatchView<'a> {
    /// The fields of the header.
    pub header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch that `bytes` begin with; whatever follows it is left alone.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let needed_bytes = header.size_bytes();
        match bytes.get(..needed_bytes) {
            Some(bytes) => Ok(BatchView { header, bytes }),
            None => Err(BatchError::Truncated { needed_bytes, available_bytes: bytes.len() }),
        }
    }

    /// The batch's bytes, header included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records' bytes as they are, compressed or not.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// What the checksum covers: from the attributes to the end.
    #[must_use]
    pub fn covered(&self) -> &'a [u8] {
        &self.bytes[CRC_COVER..]
    }

    /// Compares the checksum: CRC32C of [`BatchView::covered`].
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        self.check_crc(crc32c::crc32c(self.covered()))
    }

    /// Compares the checksum with one that was `computed`.
    pub fn check_crc(&self, computed: u32) -> Result<(), BatchError> {
        let stored = self.header.crc;
        if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
    }

    /// The records' bytes without compression: borrowed if there is none, else at most `bytes_max` bytes are made.
    pub fn body(&self, bytes_max: usize) -> Result<Cow<'a, [u8]>, BatchError> {
        match self.header.attributes.compression_type()? {
            CompressionType::None => Ok(Cow::Borrowed(self.payload())),
            // A batch that compaction emptied has no payload to unfold.
            _ if self.header.records_count == 0 => Ok(Cow::Borrowed(&[])),
            compression => decompress(compression, self.payload(), bytes_max).map(Cow::Owned),
        }
    }

    /// Iterates over the records in `body`, which is [`BatchView::body`]'s answer.
    #[must_use]
    pub fn records<'b>(&self, body: &'b [u8]) -> RecordIter<'b> {
        RecordIter::new(&self.header, body)
    }
}

/// Iterates over the batches in some bytes; ends after the first error.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// From the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = BatchView::parse(self.rest);
        self.rest = batch.as_ref().map_or(&[], |batch| &self.rest[batch.bytes.len()..]);
        Some(batch)
    }
}
