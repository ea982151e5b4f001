//! What a log looks like to clients: produce, fetch, offsets, producer ids, restarts.

mod support;

use protocol::ErrorCode;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{
    DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ProduceRequest,
};
use support::{Broker, Client, batch, fetch, idempotent_batch, produce, record_bytes, row};

fn offset(client: &mut Client, topic: &str, timestamp: i64) -> (ErrorCode, i64) {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.to_owned(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let found = client.call(&request, 7).topics.remove(0).partitions.remove(0);
    (found.error_code, found.offset)
}

fn delete_records(client: &mut Client, topic: &str, offset: i64) -> (ErrorCode, i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions }];
    let row = client.call(&DeleteRecordsRequest { topics, timeout_ms: 5000 }, 2).topics.remove(0).partitions.remove(0);
    (row.error_code, row.low_watermark)
}

#[test]
fn what_is_produced_is_fetched_byte_for_byte_also_after_a_restart() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("kept");
    let sent = batch(&[b"one", b"two"]);
    assert_eq!(client.produce("kept", 0, sent.clone()).base_offset, 0);
    assert_eq!(client.produce("kept", 0, batch(&[b"three"])).base_offset, 2);
    for round in 0..2 {
        let data = client.fetch(&fetch("kept", 0, 1, 0));
        assert_eq!((data.high_watermark, data.last_stable_offset, data.log_start_offset), (3, 3, 0), "{round}");
        let bytes = record_bytes(&data);
        // All but the leader epoch, which the broker stamps.
        assert_eq!((&bytes[..12], &bytes[16..sent.len()]), (&sent[..12], &sent[16..]), "a whole batch, as it came");
        let tail = client.fetch(&fetch("kept", 0, 2, 0));
        assert_eq!(record_bytes(&tail)[..8], 2_i64.to_be_bytes());
        drop(client);
        broker.restart();
        client = broker.client();
    }
}

#[test]
fn a_fetch_waits_for_data_on_whichever_core() {
    let broker = Broker::start(&["num.partitions=2"]);
    let mut reader = broker.client_with_topic("awaited");
    let mut writer = broker.client();
    let everything = |partitions: &[(i32, i64)]| FetchRequest {
        max_wait_ms: 8000,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "awaited".to_owned(),
            partitions: partitions
                .iter()
                .map(|&(partition, fetch_offset)| FetchPartition {
                    partition,
                    fetch_offset,
                    partition_max_bytes: 1 << 20,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    for number in 0..6 {
        let partition = number % 2;
        let read_from = [(0, i64::from(number - number / 2)), (1, i64::from(number / 2))];
        reader.send(&everything(&read_from), 11);
        support::pause();
        writer.produce("awaited", partition, batch(&[b"at last"]));
        let (_, response) = reader.receive::<FetchRequest>(11);
        let rows = &response.responses[0].partitions;
        let bytes: Vec<bool> = rows.iter().map(|row| !record_bytes(row).is_empty()).collect();
        assert_eq!(bytes, [partition == 0, partition == 1], "round {number}");
    }
}

#[test]
fn a_fetch_at_the_end_is_answered_when_its_time_is_over_whichever_core_it_waits_for() {
    let broker = Broker::start(&["num.partitions=2"]);
    let mut client = broker.client_with_topic("quiet");
    for records in 1..4 {
        for partition in 0..2 {
            client.produce("quiet", partition, batch(&[b"new"]));
            let read = |client: &mut Client, offset| {
                let data = client.fetch(&fetch("quiet", partition, offset, 30));
                let offsets = (data.high_watermark, data.last_stable_offset, data.log_start_offset);
                (data.error_code, offsets, record_bytes(&data).is_empty())
            };
            let offsets = (records, records, 0);
            assert_eq!(read(&mut client, records - 1), (ErrorCode::NONE, offsets, false));
            assert_eq!(read(&mut client, records), (ErrorCode::NONE, offsets, true));
            assert_eq!(read(&mut client, records + 1), (ErrorCode::OFFSET_OUT_OF_RANGE, offsets, true));
        }
    }
}

#[test]
fn the_first_batch_comes_whole_and_others_only_if_they_fit() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("sized");
    let value = vec![1; 10_000];
    for _ in 0..5 {
        client.produce("sized", 0, batch(&[&value]));
    }
    let mut bytes_for = |bytes_max: i32| {
        let mut request = fetch("sized", 0, 0, 0);
        request.max_bytes = bytes_max;
        record_bytes(&client.fetch(&request)).len() / 10_000
    };
    assert_eq!([1, 15_000, 25_000, 1 << 20].map(&mut bytes_for), [1, 1, 2, 5]);
}

#[test]
fn offsets_outside_the_log_and_unknown_places_have_their_codes() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("edges");
    client.produce("edges", 0, batch(&[b"only"]));
    let mut code = |topic: &str, partition, offset| {
        let row = client.fetch(&fetch(topic, partition, offset, 0));
        row.error_code
    };
    assert_eq!(code("edges", 0, 1), ErrorCode::NONE, "the end is no error");
    assert_eq!(code("edges", 0, 2), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(code("edges", 0, -1), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(code("edges", 7, 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(code("nowhere", 0, 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut stale = fetch("edges", 0, 0, 0);
    stale.topics[0].partitions[0].current_leader_epoch = 9;
    assert_eq!(client.fetch(&stale).error_code, ErrorCode::UNKNOWN_LEADER_EPOCH);
}

#[test]
fn a_session_answers_what_is_new() {
    let broker = Broker::start(&["num.partitions=2"]);
    let mut client = broker.client_with_topic("session");
    let mut full = fetch("session", 0, 0, 0);
    (full.session_epoch, full.session_id) = (0, 0);
    let other = FetchPartition { partition: 1, partition_max_bytes: 1 << 20, ..Default::default() };
    full.topics[0].partitions.push(other);
    let opened = client.call(&full, 11);
    assert!(opened.session_id > 0 && opened.responses[0].partitions.len() == 2);
    client.produce("session", 1, batch(&[b"news"]));
    let next = FetchRequest { session_id: opened.session_id, session_epoch: 1, ..fetch("session", 0, 0, 1000) };
    let news = client.call(&FetchRequest { topics: Vec::new(), ..next.clone() }, 11);
    let rows: Vec<i32> = news.responses[0].partitions.iter().map(|row| row.partition_index).collect();
    assert_eq!((news.session_id, rows), (opened.session_id, vec![1]));
    assert_eq!(client.call(&next, 11).error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
}

#[test]
fn bad_batches_are_refused_with_kafkas_codes() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("picky");
    let good = batch(&[b"good"]);
    let mut wrong_crc = good.to_vec();
    *wrong_crc.last_mut().expect("bytes") ^= 1;
    let twice = [good.clone(), good.clone()].concat();
    let large = batch(&[&vec![0; 1_100_000]]);
    let check = |client: &mut Client, batch: Vec<u8>, expected: ErrorCode, case: &str| {
        let row = client.produce("picky", 0, batch.into());
        assert_eq!((row.error_code, row.base_offset), (expected, -1), "{case}");
    };
    check(&mut client, wrong_crc, ErrorCode::CORRUPT_MESSAGE, "a wrong CRC");
    check(&mut client, twice, ErrorCode::INVALID_RECORD, "two batches");
    check(&mut client, Vec::new(), ErrorCode::INVALID_RECORD, "no batch");
    check(&mut client, vec![1, 2, 3], ErrorCode::INVALID_RECORD, "no header");
    check(&mut client, large.to_vec(), ErrorCode::MESSAGE_TOO_LARGE, "too large");
    let acks = ProduceRequest { acks: 2, ..produce("picky", 0, good.clone()) };
    assert_eq!(row(client.call(&acks, 9)).error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    let missing = produce("picky", 5, good.clone());
    assert_eq!(row(client.call(&missing, 9)).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(client.produce("picky", 0, good).base_offset, 0, "nothing of all this was appended");
}

#[test]
fn ends_times_and_epochs_are_found() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("found");
    assert_eq!(offset(&mut client, "found", 0), (ErrorCode::NONE, -1));
    for value in [b"a", b"b", b"c"] {
        client.produce("found", 0, batch(&[value]));
    }
    let check = |client: &mut Client, timestamp, expected| assert_eq!(offset(client, "found", timestamp), expected);
    check(&mut client, -1, (ErrorCode::NONE, 3));
    check(&mut client, -2, (ErrorCode::NONE, 0));
    check(&mut client, 0, (ErrorCode::NONE, 0));
    check(&mut client, i64::MAX, (ErrorCode::NONE, -1));
    check(&mut client, -4, (ErrorCode::UNSUPPORTED_VERSION, -1));
    let partition = OffsetForLeaderPartition { leader_epoch: 0, ..Default::default() };
    let topic = OffsetForLeaderTopic { topic: "found".to_owned(), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
    let end = client.call(&request, 4).topics.remove(0).partitions.remove(0);
    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (ErrorCode::NONE, 0, 3));
}

#[test]
fn deleted_records_are_gone_for_good() {
    let mut broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("cut");
    for _ in 0..4 {
        client.produce("cut", 0, batch(&[b"x"]));
    }
    assert_eq!(delete_records(&mut client, "cut", 3), (ErrorCode::NONE, 3));
    assert_eq!(delete_records(&mut client, "cut", 5).0, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(delete_records(&mut client, "nowhere", 0).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    drop(client);
    broker.restart();
    let mut client = broker.client();
    assert_eq!(offset(&mut client, "cut", -2), (ErrorCode::NONE, 3));
    assert_eq!(client.fetch(&fetch("cut", 0, 2, 0)).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(delete_records(&mut client, "cut", -1), (ErrorCode::NONE, 4));
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut broker = Broker::start(&[]);
    let mut given = std::collections::BTreeSet::new();
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    for _ in 0..3 {
        for _ in 0..4 {
            // A connection each, so that both cores give some.
            let response = broker.client().call(&request, 4);
            assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
            assert!(given.insert(response.producer_id), "{} was given before", response.producer_id);
        }
        broker.restart();
    }
}

#[test]
fn an_idempotent_producer_writes_once() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("once");
    let row = |client: &mut Client, sequence| {
        let row = client.produce("once", 0, idempotent_batch(7, sequence, &[b"x"]));
        (row.error_code, row.base_offset)
    };
    assert_eq!(row(&mut client, 0), (ErrorCode::NONE, 0));
    assert_eq!(row(&mut client, 1), (ErrorCode::NONE, 1));
    assert_eq!(row(&mut client, 1), (ErrorCode::NONE, 1), "a duplicate has the offset of the original");
    assert_eq!(row(&mut client, 5), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    assert_eq!(row(&mut client, 2), (ErrorCode::NONE, 2));
}
