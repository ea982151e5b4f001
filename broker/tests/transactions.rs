//! Transactions over the wire, in both versions of their protocol: what is seen, what is refused, what a restart keeps.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::describe_producers::TopicRequest;
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest, DescribeTransactionsRequest,
    EndTxnRequest, EndTxnResponse, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    ListTransactionsRequest, OffsetFetchRequest, ProduceRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use protocol::records::{Attributes, BatchBuilder, BatchHeader, Compression, NewRecord};

use support::{Broker, Client, fetch, pause, produce, row};

/// A client that speaks version 1 of the protocol, and one that speaks version 2.
const OLD: i16 = 9;
const NEW: i16 = 12;

struct Producer {
    id: i64,
    epoch: i16,
}

fn coordinator(client: &mut Client, key_type: i8, key: &str) {
    let request = FindCoordinatorRequest { key: key.to_owned(), key_type, ..Default::default() };
    assert_eq!(client.call(&request, 3).error_code, ErrorCode::NONE);
}

/// Asks until the transaction before is out of the way.
fn init(client: &mut Client, id: &str) -> Producer {
    coordinator(client, 1, id);
    let request = InitProducerIdRequest {
        transactional_id: Some(id.to_owned()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    for _ in 0..200 {
        let given = client.call(&request, 4);
        if given.error_code == ErrorCode::NONE {
            return Producer { id: given.producer_id, epoch: given.producer_epoch };
        }
        let soon = [ErrorCode::CONCURRENT_TRANSACTIONS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS];
        assert!(soon.contains(&given.error_code), "{:?}", given.error_code);
        pause();
    }
    panic!("{id} is never free");
}

fn batch(producer: &Producer, sequence: i32, values: &[&[u8]]) -> Bytes {
    let header = BatchHeader {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: sequence,
        attributes: Attributes(Attributes::TRANSACTIONAL),
        ..Default::default()
    };
    let mut builder = BatchBuilder::new(header, Compression::None);
    for value in values {
        let record = NewRecord { timestamp_ms: 1_700_000_000_000, key: None, value: Some(value), headers: &[] };
        builder.append(record).unwrap();
    }
    builder.build().unwrap()
}

fn write(client: &mut Client, id: &str, topic: &str, batch: Bytes, version: i16) -> ErrorCode {
    let request = ProduceRequest { transactional_id: Some(id.to_owned()), ..produce(topic, 0, batch) };
    row(client.call(&request, version)).error_code
}

fn add(client: &mut Client, id: &str, producer: &Producer, topic: &str, partitions: Vec<i32>) -> ErrorCode {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.to_owned(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: topic.to_owned(), partitions }],
        ..Default::default()
    };
    client.call(&request, 3).results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn end(client: &mut Client, id: &str, producer: &Producer, committed: bool, version: i16) -> EndTxnResponse {
    let request = EndTxnRequest {
        transactional_id: id.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
    };
    client.call(&request, version)
}

/// Commits or aborts in the newer protocol; who to go on as.
fn end_new(client: &mut Client, id: &str, producer: &Producer, committed: bool) -> Producer {
    for _ in 0..200 {
        let ended = end(client, id, producer, committed, 5);
        // Sent again, it finds the markers on their way.
        if ended.error_code != ErrorCode::CONCURRENT_TRANSACTIONS {
            assert_eq!(ended.error_code, ErrorCode::NONE);
            return Producer { id: ended.producer_id, epoch: ended.producer_epoch };
        }
        pause();
    }
    panic!("{id} is never complete")
}

/// High watermark and last stable offset, once they are as expected; markers come after the answer.
fn ends(client: &mut Client, topic: &str, expected: (i64, i64)) {
    let mut found = (-1, -1);
    for _ in 0..200 {
        let mut end = |isolation_level| {
            let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
            let topic = ListOffsetsTopic { name: topic.to_owned(), partitions: vec![partition] };
            let request =
                ListOffsetsRequest { replica_id: -1, isolation_level, topics: vec![topic], ..Default::default() };
            client.call(&request, 4).topics.remove(0).partitions.remove(0).offset
        };
        found = (end(0), end(1));
        if found == expected {
            return;
        }
        pause();
    }
    assert_eq!(found, expected);
}

/// Producers of aborted transactions, as a reader of committed data is told.
fn aborted(client: &mut Client, topic: &str, offset: i64) -> Vec<(i64, i64)> {
    let request = FetchRequest { isolation_level: 1, ..fetch(topic, 0, offset, 0) };
    let data = client.fetch(&request);
    assert_eq!(data.error_code, ErrorCode::NONE);
    let aborted = data.aborted_transactions.unwrap_or_default();
    aborted.into_iter().map(|one| (one.producer_id, one.first_offset)).collect()
}

#[test]
fn the_newer_protocol_adds_partitions_and_raises_the_epoch() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("new");
    let first = init(&mut client, "n");
    assert_eq!(write(&mut client, "n", "new", batch(&first, 0, &[b"a", b"b"]), NEW), ErrorCode::NONE);
    assert_eq!(write(&mut client, "n", "new", batch(&first, 2, &[b"c"]), NEW), ErrorCode::NONE);
    ends(&mut client, "new", (3, 0));
    let second = end_new(&mut client, "n", &first, false);
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    // The next transaction begins at once, however far the markers of the last one have come.
    assert_eq!(write(&mut client, "n", "new", batch(&second, 0, &[b"d"]), NEW), ErrorCode::NONE);
    ends(&mut client, "new", (5, 4));
    assert_eq!(aborted(&mut client, "new", 0), [(first.id, 0)]);
    // What is late of the first transaction is refused in the second.
    let late = write(&mut client, "n", "new", batch(&first, 3, &[b"late"]), NEW);
    assert_eq!(late, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut client, "n", &first, true, 5).error_code, ErrorCode::PRODUCER_FENCED);
    let third = end_new(&mut client, "n", &second, true);
    ends(&mut client, "new", (6, 6));
    assert_eq!(end_new(&mut client, "n", &second, true).epoch, third.epoch, "the same request again");
    assert_eq!(end(&mut client, "n", &second, false, 5).error_code, ErrorCode::INVALID_TXN_STATE);
    drop(client);
    broker.restart();
    let mut client = broker.client();
    ends(&mut client, "new", (6, 6));
    assert_eq!(aborted(&mut client, "new", 0), [(first.id, 0)]);
    assert_eq!(aborted(&mut client, "new", 4), []);
    let again = init(&mut client, "n");
    assert_eq!((again.id, again.epoch), (first.id, third.epoch + 1), "epochs outlive a restart");
}

#[test]
fn the_older_protocol_adds_partitions_itself() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("old");
    let producer = init(&mut client, "o");
    let unknown = write(&mut client, "o", "old", batch(&producer, 0, &[b"a"]), OLD);
    assert_eq!(unknown, ErrorCode::INVALID_TXN_STATE, "the partition was not added");
    let unknown = write(&mut client, "o", "old", batch(&producer, 0, &[b"a"]), 11);
    assert_eq!(unknown, ErrorCode::TRANSACTION_ABORTABLE);
    assert_eq!(add(&mut client, "o", &producer, "old", vec![7]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(add(&mut client, "o", &producer, "old", vec![0]), ErrorCode::NONE);
    assert_eq!(write(&mut client, "o", "old", batch(&producer, 0, &[b"a"]), OLD), ErrorCode::NONE);
    assert_eq!(end(&mut client, "o", &producer, true, 3).error_code, ErrorCode::NONE);
    ends(&mut client, "old", (2, 2));
    assert_eq!(end(&mut client, "o", &producer, true, 3).error_code, ErrorCode::NONE, "the same request again");
    assert_eq!(end(&mut client, "o", &producer, false, 3).error_code, ErrorCode::INVALID_TXN_STATE);
    let outside = write(&mut client, "o", "old", batch(&producer, 1, &[b"b"]), OLD);
    assert_eq!(outside, ErrorCode::INVALID_TXN_STATE, "the transaction is over");
    let anonymous = row(client.call(&produce("old", 0, batch(&producer, 1, &[b"b"])), OLD)).error_code;
    assert_eq!(anonymous, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "no transactional id in the request");
    // A second producer fences the first, in words that its version knows.
    init(&mut client, "o");
    assert_eq!(end(&mut client, "o", &producer, true, 1).error_code, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut client, "o", &producer, true, 3).error_code, ErrorCode::PRODUCER_FENCED);
    assert_eq!(add(&mut client, "o", &producer, "old", vec![0]), ErrorCode::PRODUCER_FENCED);
}

fn commit_offset(client: &mut Client, id: &str, producer: &Producer, offset: i64, version: i16) -> ErrorCode {
    let partition =
        TxnOffsetCommitRequestPartition { committed_offset: offset, committed_leader_epoch: -1, ..Default::default() };
    let topic =
        TxnOffsetCommitRequestTopic { name: "read".to_owned(), partitions: vec![partition], ..Default::default() };
    let request = TxnOffsetCommitRequest {
        transactional_id: id.to_owned(),
        group_id: "g".to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    client.call(&request, version).topics[0].partitions[0].error_code
}

fn committed(client: &mut Client, require_stable: bool) -> (ErrorCode, i64) {
    let topic = OffsetFetchRequestTopics { name: "read".to_owned(), partition_indexes: vec![0], ..Default::default() };
    let group = OffsetFetchRequestGroup { group_id: "g".to_owned(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() };
    let mut answer = client.call(&request, 8);
    let mut group = answer.groups.remove(0);
    if group.error_code != ErrorCode::NONE {
        return (group.error_code, -1);
    }
    let partition = group.topics.remove(0).partitions.remove(0);
    (partition.error_code, partition.committed_offset)
}

fn wait_committed(client: &mut Client, expected: i64) {
    for _ in 0..200 {
        if committed(client, true) == (ErrorCode::NONE, expected) {
            return;
        }
        pause();
    }
    assert_eq!(committed(client, true), (ErrorCode::NONE, expected));
}

#[test]
fn offsets_wait_for_the_end_of_their_transaction() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("read");
    coordinator(&mut client, 0, "g");
    let producer = init(&mut client, "w");
    assert_eq!(commit_offset(&mut client, "w", &producer, 10, 3), ErrorCode::INVALID_TXN_STATE, "not added");
    let add = AddOffsetsToTxnRequest {
        transactional_id: "w".to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        group_id: "g".to_owned(),
    };
    assert_eq!(client.call(&add, 3).error_code, ErrorCode::NONE);
    assert_eq!(commit_offset(&mut client, "w", &producer, 10, 3), ErrorCode::NONE);
    assert_eq!(committed(&mut client, false), (ErrorCode::NONE, -1), "not seen yet");
    assert_eq!(committed(&mut client, true), (ErrorCode::UNSTABLE_OFFSET_COMMIT, -1));
    assert_eq!(end(&mut client, "w", &producer, true, 3).error_code, ErrorCode::NONE);
    wait_committed(&mut client, 10);
    // The newer protocol adds the group's partition by itself; an abort takes everything back.
    let newer = init(&mut client, "w");
    assert_eq!(commit_offset(&mut client, "w", &newer, 20, 5), ErrorCode::NONE);
    let newer = end_new(&mut client, "w", &newer, false);
    wait_committed(&mut client, 10);
    // Undecided over a restart, and decided after it.
    assert_eq!(commit_offset(&mut client, "w", &newer, 30, 5), ErrorCode::NONE);
    drop(client);
    broker.restart();
    let mut client = broker.client();
    coordinator(&mut client, 0, "g");
    while committed(&mut client, true).0 == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
        pause();
    }
    assert_eq!(committed(&mut client, true), (ErrorCode::UNSTABLE_OFFSET_COMMIT, -1));
    assert_eq!(committed(&mut client, false), (ErrorCode::NONE, 10));
    end_new(&mut client, "w", &newer, true);
    wait_committed(&mut client, 30);
}

#[test]
fn the_clock_aborts_what_is_left_open() {
    let overrides = ["transaction.abort.timed.out.transaction.cleanup.interval.ms=50"];
    let broker = Broker::start(&overrides);
    let mut client = broker.client_with_topic("left");
    coordinator(&mut client, 1, "l");
    let request = InitProducerIdRequest {
        transactional_id: Some("l".to_owned()),
        transaction_timeout_ms: 300,
        ..Default::default()
    };
    let given = client.call(&request, 4);
    let producer = Producer { id: given.producer_id, epoch: given.producer_epoch };
    assert_eq!(write(&mut client, "l", "left", batch(&producer, 0, &[b"a"]), NEW), ErrorCode::NONE);
    ends(&mut client, "left", (2, 2));
    assert_eq!(aborted(&mut client, "left", 0), [(producer.id, 0)]);
    let late = write(&mut client, "l", "left", batch(&producer, 1, &[b"b"]), NEW);
    assert_eq!(late, ErrorCode::INVALID_PRODUCER_EPOCH);
    let ended = end(&mut client, "l", &producer, true, 5).error_code;
    assert_eq!(ended, ErrorCode::INVALID_TXN_STATE, "it looks like the same request again, for the other end");
    let too_long = InitProducerIdRequest { transaction_timeout_ms: 900_001, ..request };
    assert_eq!(client.call(&too_long, 4).error_code, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
}

#[test]
fn operators_see_transactions_and_end_them() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("seen");
    let producer = init(&mut client, "s");
    assert_eq!(write(&mut client, "s", "seen", batch(&producer, 0, &[b"a"]), NEW), ErrorCode::NONE);
    let list = ListTransactionsRequest {
        state_filters: vec!["Ongoing".to_owned(), "Nonsense".to_owned()],
        duration_filter: -1,
        transactional_id_pattern: Some("s.?".to_owned()),
        ..Default::default()
    };
    let listed = client.call(&list, 2);
    assert_eq!(listed.unknown_state_filters, ["Nonsense"]);
    assert_eq!(listed.transaction_states.len(), 1);
    assert_eq!(
        (listed.transaction_states[0].producer_id, &*listed.transaction_states[0].transaction_state),
        (producer.id, "Ongoing")
    );
    let broken = ListTransactionsRequest { transactional_id_pattern: Some("(".to_owned()), ..list };
    assert_eq!(client.call(&broken, 2).error_code, ErrorCode::INVALID_REGULAR_EXPRESSION);
    let describe = DescribeTransactionsRequest { transactional_ids: vec!["s".to_owned(), "t".to_owned()] };
    let described = client.call(&describe, 0).transaction_states;
    assert_eq!((described[0].topics.len(), described[0].producer_epoch), (1, producer.epoch));
    assert_eq!(described[1].error_code, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND);
    let producers = DescribeProducersRequest {
        topics: vec![TopicRequest { name: "seen".to_owned(), partition_indexes: vec![0, 9] }],
    };
    let found = client.call(&producers, 0).topics.remove(0).partitions;
    assert_eq!(
        (found[0].active_producers[0].producer_id, found[0].active_producers[0].current_txn_start_offset),
        (producer.id, 0)
    );
    assert_eq!(found[1].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut marker = |epoch, coordinator_epoch, partitions| {
        let topics = vec![WritableTxnMarkerTopic { name: "seen".to_owned(), partition_indexes: partitions }];
        let marker = WritableTxnMarker {
            producer_id: producer.id,
            producer_epoch: epoch,
            transaction_result: false,
            topics,
            coordinator_epoch,
            transaction_version: 0,
        };
        let mut written = client.call(&WriteTxnMarkersRequest { markers: vec![marker] }, 1).markers.remove(0);
        written.topics.remove(0).partitions.remove(0).error_code
    };
    assert_eq!(marker(producer.epoch, 0, vec![9]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(marker(producer.epoch - 1, 0, vec![0]), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(marker(producer.epoch, 5, vec![0]), ErrorCode::NONE);
    assert_eq!(marker(producer.epoch, 4, vec![0]), ErrorCode::TRANSACTION_COORDINATOR_FENCED);
    ends(&mut client, "seen", (2, 2));
}
