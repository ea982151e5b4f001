//! Batches as the `kafka-protocol` crate reads and writes them. Without codecs (those are held against Java's bytes) and
//! without duplicate header keys, which that crate cannot keep.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as theirs;
use protocol::records::{
    Attributes, BatchBuilder, BatchHeader, BatchView, Batches, Compression, Header, NewRecord, increment_sequence,
};
use protocol::wire::Generator;

const CASES: u64 = 512;

/// Made-up values, some of them absent.
struct Values(Generator);

impl Values {
    fn number(&mut self, below: i64) -> i64 {
        self.0.number().rem_euclid(below)
    }

    fn flag(&mut self) -> bool {
        self.number(2) == 0
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let size = if self.number(20) == 0 { 20_000 } else { self.number(40) };
        let present = self.number(4) != 0;
        present.then(|| (0..size).map(|_| self.0.number() as u8).collect())
    }

    /// A batch of theirs: records in a row that share what a batch has once.
    fn batch(&mut self) -> Vec<theirs::Record> {
        let idempotent = self.flag();
        let base_sequence = if idempotent { self.number(1 << 30) as i32 } else { -1 };
        let producer = if idempotent { (self.number(i64::MAX), self.number(1 << 15) as i16) } else { (-1, -1) };
        let (base_offset, base_timestamp) = (self.number(1 << 62), self.number(1 << 42));
        let (transactional, control, epoch) = (self.flag(), self.number(8) == 0, self.number(1 << 31) as i32 - 1);
        let count = if idempotent { 1 + self.number(20) } else { 1 };
        let record = |number: i64, values: &mut Values| theirs::Record {
            transactional,
            control,
            delete_horizon: false,
            partition_leader_epoch: epoch,
            producer_id: producer.0,
            producer_epoch: producer.1,
            timestamp_type: theirs::TimestampType::Creation,
            offset: base_offset + number,
            sequence: if idempotent { base_sequence + number as i32 } else { -1 },
            timestamp: base_timestamp + values.number(1 << 40),
            key: values.bytes(),
            value: values.bytes(),
            headers: (0..values.number(4))
                .map(|header| (StrBytes::from_string(format!("header-{header}")), values.bytes()))
                .collect(),
        };
        (0..count).map(|number| record(number, self)).collect()
    }
}

/// The same records by our builder.
fn ours(records: &[theirs::Record]) -> Bytes {
    let first = &records[0];
    let attributes =
        Attributes(0).with(Attributes::TRANSACTIONAL, first.transactional).with(Attributes::CONTROL, first.control);
    let header = BatchHeader {
        base_offset: first.offset,
        partition_leader_epoch: first.partition_leader_epoch,
        attributes,
        producer_id: first.producer_id,
        producer_epoch: first.producer_epoch,
        base_sequence: first.sequence,
        ..BatchHeader::default()
    };
    let mut builder = BatchBuilder::new(header, Compression::None);
    for record in records {
        let headers = record.headers.iter().map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() });
        let headers: Vec<_> = headers.collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(NewRecord { timestamp_ms: record.timestamp, key, value, headers: &headers }).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn they_read_what_we_write() {
    let mut values = Values(Generator::new(1));
    for case in 0..CASES {
        let records = values.batch();
        let sets = theirs::RecordBatchDecoder::decode_all(&mut ours(&records)).unwrap();
        let read: Vec<_> = sets.into_iter().flat_map(|set| set.records).collect();
        assert_eq!(read, records, "case {case}");
    }
}

#[test]
fn we_read_what_they_write() {
    let mut values = Values(Generator::new(2));
    for case in 0..CASES {
        let records = values.batch();
        let mut bytes = BytesMut::new();
        let options = theirs::RecordEncodeOptions { version: 2, compression: theirs::Compression::None };
        theirs::RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
        let batches: Vec<_> = Batches::new(&bytes).map(Result::unwrap).collect();
        let [batch] = &batches[..] else { panic!("case {case}: {} batches", batches.len()) };
        check(batch, &records, case);
    }
}

fn check(batch: &BatchView<'_>, records: &[theirs::Record], case: u64) {
    batch.verify_crc().unwrap();
    let (header, first) = (&batch.header, &records[0]);
    let got = (header.producer_id, header.producer_epoch, header.is_transactional(), header.is_control());
    assert_eq!(got, (first.producer_id, first.producer_epoch, first.transactional, first.control), "case {case}");
    assert_eq!(header.max_timestamp, records.iter().map(|record| record.timestamp).max().unwrap());
    assert_eq!(header.last_offset(), records[records.len() - 1].offset);
    let read: Vec<_> = batch.records(batch.payload()).map(Result::unwrap).collect();
    assert_eq!(read.len(), records.len());
    for (number, (ours, theirs)) in (0..).zip(read.iter().zip(records)) {
        let sequence = if first.sequence < 0 { -1 } else { increment_sequence(first.sequence, number) };
        assert_eq!((ours.offset, ours.timestamp_ms, ours.sequence), (theirs.offset, theirs.timestamp, sequence));
        assert_eq!((ours.key, ours.value), (theirs.key.as_deref(), theirs.value.as_deref()));
        let headers = theirs.headers.iter().map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() });
        assert!(ours.headers.eq(headers), "case {case}, record {number}");
    }
}
