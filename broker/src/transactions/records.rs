//! The records of `__transaction_state`, in Kafka's own format (TransactionLog.java): tools read them.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::coordinator_record::{RecordKey, read_record_type, to_versioned_bytes};
use protocol::messages::transaction_log::{PartitionsSchema, TransactionLogKey, TransactionLogValue};
use protocol::wire::{DecodeError, Message, Reader};
use thiserror::Error;

use super::transaction::{NO_PRODUCER_EPOCH, Status, Transaction};
use crate::coordinator::InternalRecord;

/// The flexible version, which has room for what follows an epoch's end.
const VALUE_VERSION: i16 = 1;

/// A transactional id and where it stands; without a value, a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionRecord {
    /// The id.
    pub transactional_id: Rc<str>,
    /// `None` forgets it.
    pub value: Option<Transaction>,
}

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// They end early, or are longer than they say.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A status nobody knows.
    #[error("unknown transaction status {0}")]
    Status(i8),
}

impl InternalRecord for TransactionRecord {
    type Error = RecordError;

    fn bytes(&self) -> usize {
        let partitions = self.value.iter().flat_map(|value| &value.partitions);
        128 + self.transactional_id.len() + partitions.map(|(topic, _)| 12 + topic.len()).sum::<usize>()
    }

    fn encode(&self) -> (Bytes, Option<Bytes>) {
        let key = TransactionLogKey { transactional_id: self.transactional_id.to_string() };
        let value = self.value.as_ref().map(|value| to_versioned_bytes(&to_value(value), VALUE_VERSION));
        (key.to_record_key(), value)
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<TransactionRecord>, RecordError> {
        let mut key = Reader::new(Bytes::copy_from_slice(key));
        if read_record_type(&mut key)? != TransactionLogKey::TYPE {
            return Ok(None);
        }
        let transactional_id = TransactionLogKey::decode(&mut key, 0)?.transactional_id.into();
        let Some(value) = value else { return Ok(Some(TransactionRecord { transactional_id, value: None })) };
        let mut value = Reader::new(Bytes::copy_from_slice(value));
        let version = value.read_i16()?;
        if !(0..=VALUE_VERSION).contains(&version) {
            return Ok(None);
        }
        let value = Some(from_value(TransactionLogValue::decode(&mut value, version)?)?);
        Ok(Some(TransactionRecord { transactional_id, value }))
    }
}

fn to_value(transaction: &Transaction) -> TransactionLogValue {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in &transaction.partitions {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let schema = |(topic, partition_ids): (&str, Vec<i32>)| PartitionsSchema { topic: topic.to_owned(), partition_ids };
    TransactionLogValue {
        producer_id: transaction.producer_id,
        previous_producer_id: transaction.previous_producer_id,
        next_producer_id: transaction.next_producer_id,
        producer_epoch: transaction.producer_epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.status.number(),
        transaction_partitions: (transaction.status != Status::Empty)
            .then(|| by_topic.into_iter().map(schema).collect()),
        transaction_last_update_timestamp_ms: transaction.update_ms,
        transaction_start_timestamp_ms: transaction.start_ms,
        client_transaction_version: transaction.client_version,
        ..Default::default()
    }
}

fn from_value(value: TransactionLogValue) -> Result<Transaction, RecordError> {
    let status = Status::from_number(value.transaction_status);
    let status = status.ok_or(RecordError::Status(value.transaction_status))?;
    let topics = value.transaction_partitions.filter(|_| status != Status::Empty).unwrap_or_default();
    let partitions = topics.into_iter().flat_map(|topic| {
        let name: Rc<str> = topic.topic.into();
        topic.partition_ids.into_iter().map(move |partition| (name.clone(), partition))
    });
    Ok(Transaction {
        producer_id: value.producer_id,
        previous_producer_id: value.previous_producer_id,
        next_producer_id: value.next_producer_id,
        producer_epoch: value.producer_epoch,
        last_producer_epoch: NO_PRODUCER_EPOCH,
        timeout_ms: value.transaction_timeout_ms,
        status,
        partitions: partitions.collect(),
        start_ms: value.transaction_start_timestamp_ms,
        update_ms: value.transaction_last_update_timestamp_ms,
        client_version: value.client_transaction_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(status: Status) -> Transaction {
        let mut transaction = Transaction::new(7, 60_000, 12);
        transaction.status = status;
        transaction.producer_epoch = 3;
        transaction.next_producer_id = 9;
        transaction.client_version = 2;
        transaction
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let mut ongoing = transaction(Status::Ongoing);
        ongoing.partitions = [("a".into(), 0), ("a".into(), 5), ("b".into(), 1)].into();
        ongoing.start_ms = 11;
        for value in [None, Some(transaction(Status::Empty)), Some(ongoing), Some(transaction(Status::CompleteAbort))] {
            let record = TransactionRecord { transactional_id: "id".into(), value };
            let (key, value) = record.encode();
            assert!(key.len() + value.as_ref().map_or(0, Bytes::len) + 20 <= record.bytes(), "{record:?}");
            assert_eq!(TransactionRecord::decode(&key, value.as_deref()), Ok(Some(record)));
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let record = TransactionRecord { transactional_id: "id".into(), value: Some(transaction(Status::Empty)) };
        let (key, value) = record.encode();
        assert_eq!(&key[..], b"\0\0\0\x02id");
        // Version, producer id, epoch, timeout, status, no partitions, two times, three tagged fields.
        let expected =
            b"\0\x01\0\0\0\0\0\0\0\x07\0\x03\0\0\xea\x60\0\0\0\0\0\0\0\0\0\x0c\xff\xff\xff\xff\xff\xff\xff\xff\
            \x02\x01\x08\0\0\0\0\0\0\0\x09\x02\x02\0\x02";
        assert_eq!(value.as_deref(), Some(&expected[..]));
    }

    #[test]
    fn unknown_types_are_passed_over_and_broken_records_are_not() {
        assert_eq!(TransactionRecord::decode(b"\0\x05\0\x01g", Some(b"\0\0")), Ok(None));
        assert_eq!(TransactionRecord::decode(b"\0\0\0\x01g", Some(b"\0\x09")), Ok(None), "a version to come");
        let broken: &[(&[u8], Option<&[u8]>)] =
            &[(b"", None), (b"\0\0\0\x09g", None), (b"\0\0\0\x01g", Some(b"\0\x01\0"))];
        for (key, value) in broken {
            assert!(TransactionRecord::decode(key, *value).is_err(), "{key:?} {value:?}");
        }
        let (key, value) =
            TransactionRecord { transactional_id: "g".into(), value: Some(transaction(Status::Empty)) }.encode();
        let mut value = value.expect("there is a value").to_vec();
        value[16] = 99;
        assert_eq!(TransactionRecord::decode(&key, Some(&value)), Err(RecordError::Status(99)));
    }
}
