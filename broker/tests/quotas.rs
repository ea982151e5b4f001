//! Clients that use more than their quotas are told, and then not read from (KIP-219). Real time, small windows.

mod support;

use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::messages::alter_client_quotas::{EntityData, EntryData, OpData};
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::{
    AlterClientQuotasRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClientQuotasRequest, FetchRequest,
    MetadataRequest, ProduceRequest,
};
use support::{Broker, Client, batch, fetch, produce, record_bytes, row};

/// Two samples of a second: a client may use its quota of one second at once.
const WINDOW: [&str; 2] = ["quota.window.num=2", "quota.window.size.seconds=1"];

fn set(client: &mut Client, entity_type: &str, name: Option<&str>, key: &str, value: f64) {
    let entity = vec![EntityData { entity_type: entity_type.to_owned(), entity_name: name.map(str::to_owned) }];
    let ops = vec![OpData { key: key.to_owned(), value, remove: false }];
    let request = AlterClientQuotasRequest { entries: vec![EntryData { entity, ops }], validate_only: false };
    let response = client.call(&request, 1);
    assert_eq!(response.entries[0].error_code, ErrorCode::NONE, "{:?}", response.entries);
}

#[expect(clippy::disallowed_methods, reason = "a test of the real broker runs in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Asks for something and tells how long that took.
fn time_of_next_answer(client: &mut Client) -> Duration {
    let begun = now();
    client.call(&MetadataRequest::default(), 9);
    begun.elapsed()
}

#[test]
fn a_producer_above_its_quota_is_answered_at_once_and_then_not_read_from() {
    let broker = Broker::start(&WINDOW);
    let mut client = broker.client_with_topic("limited");
    set(&mut client, "client-id", Some("test"), "producer_byte_rate", 10_000.0);
    let response: protocol::messages::ProduceResponse = client.call(&produce("limited", 0, batch(&[&[7; 5_000]])), 9);
    assert_eq!(response.throttle_time_ms, 0, "within the quota");
    let begun = now();
    let response = client.call::<ProduceRequest>(&produce("limited", 0, batch(&[&[7; 9_000]])), 9);
    assert!(response.throttle_time_ms >= 200, "told to pause for {} ms", response.throttle_time_ms);
    let pause = Duration::from_millis(response.throttle_time_ms as u64);
    assert!(begun.elapsed() < pause, "the answer itself does not wait");
    assert_eq!(row(response).error_code, ErrorCode::NONE, "what was sent is appended");
    // Another connection of the same client pays as well, once it produces; asking for metadata is free.
    assert!(time_of_next_answer(&mut broker.client()) < pause);
    let waited = time_of_next_answer(&mut client);
    assert!(waited + Duration::from_millis(50) >= pause && waited < pause * 3, "{waited:?} of {pause:?}");
    assert!(time_of_next_answer(&mut client) < pause);
}

#[test]
fn a_consumer_above_its_quota_gets_nothing_until_it_has_paused() {
    let broker = Broker::start(&WINDOW);
    let mut client = broker.client_with_topic("limited");
    for _ in 0..3 {
        client.produce("limited", 0, batch(&[&[7; 6_000]]));
    }
    set(&mut client, "client-id", None, "consumer_byte_rate", 10_000.0);
    let first = client.call::<FetchRequest>(&fetch("limited", 0, 0, 0), 11);
    let bytes = record_bytes(&first.responses[0].partitions[0]).len();
    assert!(first.throttle_time_ms == 0 && (6_000..=10_000).contains(&bytes), "{bytes} bytes");
    let second = client.call::<FetchRequest>(&fetch("limited", 0, 1, 0), 11);
    assert!(second.throttle_time_ms > 0 && second.responses.is_empty(), "{second:?}");
    let mut offset = 1;
    // Each answer with records is followed by a pause of the connection, so this ends.
    while offset < 3 {
        let next = client.call::<FetchRequest>(&fetch("limited", 0, offset, 0), 11);
        let has_records = next.responses.iter().any(|topic| !record_bytes(&topic.partitions[0]).is_empty());
        assert!(has_records || next.throttle_time_ms > 0);
        offset += i64::from(has_records);
    }
}

#[test]
fn partitions_beyond_the_quota_are_refused_or_cost_a_pause() {
    let broker = Broker::start(&["controller.quota.window.num=2"]);
    let mut client = broker.client();
    set(&mut client, "client-id", Some("test"), "controller_mutation_rate", 5.0);
    let mut create = |name: &str, version: i16| {
        let topic =
            CreatableTopic { name: name.to_owned(), num_partitions: 12, replication_factor: 1, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = client.call(&request, version);
        (response.topics[0].error_code, response.throttle_time_ms)
    };
    assert_eq!(create("first", 6), (ErrorCode::NONE, 0), "ten at once, as long as any is left");
    let (refused, pause_ms) = create("second", 6);
    assert_eq!(refused, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    assert!((1..=400).contains(&pause_ms), "{pause_ms} ms");
    let (lent, pause_ms) = create("second", 5);
    assert_eq!(lent, ErrorCode::NONE);
    assert!((2_000..=2_400).contains(&pause_ms), "{pause_ms} ms");
    let request = DeleteTopicsRequest { topic_names: vec!["first".to_owned()], ..Default::default() };
    let begun = now();
    let deleted = client.call(&request, 5);
    assert!(begun.elapsed() >= Duration::from_secs(1), "the connection was not read from");
    assert_eq!(deleted.responses[0].error_code, ErrorCode::NONE, "after the pause there are tokens");
}

#[test]
fn quotas_survive_a_restart() {
    let mut broker = Broker::start(&[]);
    set(&mut broker.client(), "user", None, "request_percentage", 12.5);
    broker.restart();
    let described = broker.client().call(&DescribeClientQuotasRequest::default(), 1);
    let entries = described.entries.expect("no error");
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].values[0].key.as_str(), entries[0].values[0].value), ("request_percentage", 12.5));
}

#[test]
fn requests_that_keep_a_core_busy_are_slowed() {
    let broker = Broker::start(&WINDOW);
    let mut client = broker.client();
    set(&mut client, "client-id", Some("test"), "request_percentage", 0.000_1);
    let response = client.call(&MetadataRequest::default(), 9);
    assert!((1..=1_000).contains(&response.throttle_time_ms), "{} ms", response.throttle_time_ms);
}
