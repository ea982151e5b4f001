//! What a connection does with what it gets: order, hostile bytes, bounds.

mod support;

use protocol::ErrorCode;
use protocol::messages::api_versions::ApiVersion;
use protocol::messages::{
    ApiKey, ApiVersionsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use support::{Broker, Client, batch, encode, fetch, produce, record_bytes, row};

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
        ..Default::default()
    }
}

#[test]
fn answers_come_in_the_order_of_requests_and_appends_keep_it() {
    let broker = Broker::start(&["num.partitions=4"]);
    let mut client = broker.client_with_topic("ordered");
    // Partitions live on both cores; a long poll in front holds back answers but not the appends behind it.
    let mut sent = vec![client.send(&fetch("ordered", 3, 0, 300), 11)];
    let count = 200;
    for number in 0..count {
        let value = format!("value {number}");
        sent.push(client.send(&produce("ordered", number % 2, batch(&[value.as_bytes()])), 9));
    }
    sent.push(client.send(&MetadataRequest::default(), 9));
    let mut received = vec![client.receive::<FetchRequest>(11).0];
    let mut next = [0; 2];
    for number in 0..count {
        let (correlation_id, response) = client.receive::<ProduceRequest>(9);
        received.push(correlation_id);
        let row = row(response);
        assert_eq!((row.error_code, row.base_offset), (ErrorCode::NONE, next[number as usize % 2]));
        next[number as usize % 2] += 1;
    }
    received.push(client.receive::<MetadataRequest>(9).0);
    assert_eq!(received, sent);
}

#[test]
fn an_answer_above_the_output_bound_does_not_stop_the_next_request() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("large");
    let value = vec![7; 900_000];
    for _ in 0..3 {
        assert_eq!(client.produce("large", 0, batch(&[&value])).error_code, ErrorCode::NONE);
    }
    let mut all = fetch("large", 0, 0, 0);
    all.max_bytes = 10_000_000;
    all.topics[0].partitions[0].partition_max_bytes = 10_000_000;
    for _ in 0..3 {
        assert!(record_bytes(&client.fetch(&all)).len() > 2_700_000);
    }
}

#[test]
fn bytes_that_are_no_request_close_their_connection_only() {
    let broker = Broker::start(&["socket.request.max.bytes=100000", "message.max.bytes=90000"]);
    let mut bystander = broker.client();
    let huge_array = {
        let mut bytes = encode(&ListOffsetsRequest::default(), 1, 1);
        let length = bytes.len();
        bytes[length - 4..].copy_from_slice(&1_000_000_000_i32.to_be_bytes());
        bytes
    };
    let cut_short = {
        let mut bytes = encode(&MetadataRequest::default(), 9, 1);
        bytes.truncate(bytes.len() - 2);
        let length = (bytes.len() as i32 - 4).to_be_bytes();
        bytes[..4].copy_from_slice(&length);
        bytes
    };
    let unknown_version = encode(&MetadataRequest::default(), 13, 1).into_iter().enumerate();
    let unknown_version: Vec<u8> = unknown_version.map(|(at, byte)| if at == 7 { 99 } else { byte }).collect();
    let cases: [(&str, &[u8]); 10] = [
        ("a negative length", &[0xff, 0xff, 0xff, 0xff]),
        ("a length of 2 GiB", &[0x7f, 0xff, 0xff, 0xff]),
        ("a length beyond the bound", &100_001_i32.to_be_bytes()),
        ("an empty frame", &[0, 0, 0, 0]),
        ("TLS", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("an unknown key", &[0, 0, 0, 10, 0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
        ("a billion elements", &huge_array),
        ("a body cut short", &cut_short),
        ("an unknown version", &unknown_version),
    ];
    for (case, bytes) in cases {
        let mut client = broker.client();
        client.send_bytes(bytes);
        client.assert_closed(case);
        assert!(!bystander.call(&api_versions(), 3).api_keys.is_empty(), "{case}");
    }
}

#[test]
fn random_bytes_never_hurt() {
    let broker = Broker::start(&[]);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let mut client = broker.client();
        let mut payload: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
        // Half of them get past the header.
        if payload.len() > 8 && random() % 2 == 0 {
            payload[..2].copy_from_slice(&((random() % 24) as i16).to_be_bytes());
            payload[2..4].copy_from_slice(&((random() % 12) as i16).to_be_bytes());
        }
        client.send_frame(&payload);
    }
    assert!(!broker.client().call(&api_versions(), 3).api_keys.is_empty());
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let mut bytes = encode(&api_versions(), 3, 77);
    bytes[6..8].copy_from_slice(&99_i16.to_be_bytes());
    client.send_bytes(&bytes);
    let (correlation_id, response) = client.receive::<ApiVersionsRequest>(0);
    let own = ApiVersion { api_key: ApiKey::ApiVersions.code(), min_version: 0, max_version: 5 };
    assert_eq!((correlation_id, response.error_code), (77, ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(response.api_keys, [own]);
    let response = client.call(&api_versions(), 3);
    assert_eq!(response.error_code, ErrorCode::NONE, "the connection goes on");
    assert_eq!(response.api_keys[0], ApiVersion { api_key: 0, min_version: 0, max_version: 13 });
}

#[test]
fn acks_0_is_never_answered_and_its_error_closes() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("silent");
    let silent = |topic: &str| ProduceRequest { acks: 0, ..produce(topic, 0, batch(&[b"unheard"])) };
    client.send(&silent("silent"), 9);
    let asked = client.send(&api_versions(), 3);
    assert_eq!(client.receive::<ApiVersionsRequest>(3).0, asked);
    client.send(&silent("missing"), 9);
    client.assert_closed("an error cannot be told otherwise");
    let data = broker.client().fetch(&fetch("silent", 0, 0, 5000));
    assert!(record_bytes(&data).windows(7).any(|window| window == b"unheard"));
}

#[test]
fn what_was_sent_before_a_client_left_is_appended() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("left");
    for _ in 0..50 {
        client.send(&ProduceRequest { acks: 0, ..produce("left", 0, batch(&[b"x"])) }, 9);
    }
    drop(client);
    let mut reader = broker.client();
    let end = (0..100).find(|_| {
        let data = reader.fetch(&fetch("left", 0, 0, 100));
        data.high_watermark == 50
    });
    assert!(end.is_some());
}

#[test]
fn requests_beyond_memory_wait_for_their_turn() {
    // Three frames of which only one fits the request memory at a time.
    let broker = Broker::start(&[
        "socket.request.max.bytes=1048576",
        "message.max.bytes=1000000",
        "msgloop.request.memory.bytes=1048576",
    ]);
    broker.client().create("large");
    let value = vec![7; 700_000];
    let mut clients: Vec<Client> = (0..3).map(|_| broker.client()).collect();
    let request = encode(&produce("large", 0, batch(&[&value])), 9, 1);
    // All have sent the greater part before any is complete.
    clients.iter_mut().for_each(|client| client.send_bytes(&request[..200_000]));
    std::thread::spawn(move || {
        clients.iter_mut().rev().for_each(|client| client.send_bytes(&request[200_000..]));
        for mut client in clients {
            let (_, response) = client.receive::<ProduceRequest>(9);
            assert_eq!(row(response).error_code, ErrorCode::NONE);
        }
    })
    .join()
    .expect("all are served");
}

#[test]
fn a_connection_goes_on_after_answers_larger_than_its_output() {
    let broker = Broker::start(&[]);
    let mut client = broker.client_with_topic("wide");
    for _ in 0..4 {
        client.produce("wide", 0, batch(&[&vec![1; 900_000]]));
    }
    let wide = || {
        let mut request = fetch("wide", 0, 0, 0);
        request.max_bytes = 10_000_000;
        request.topics[0].partitions[0].partition_max_bytes = 10_000_000;
        request
    };
    for _ in 0..3 {
        assert!(record_bytes(&client.fetch(&wide())).len() > 3_600_000);
    }
    let sent: Vec<i32> = (0..6).map(|_| client.send(&wide(), 11)).collect();
    let received: Vec<i32> = sent.iter().map(|_| client.receive::<FetchRequest>(11).0).collect();
    assert_eq!(received, sent);
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let broker = Broker::start(&["connections.max.idle.ms=1500"]);
    let mut idle = broker.client();
    let mut busy = broker.client_with_topic("quiet");
    let poll = busy.send(&fetch("quiet", 0, 0, 4000), 11);
    idle.assert_closed("idle");
    assert_eq!(busy.receive::<FetchRequest>(11).0, poll, "a long poll is work");
}

#[test]
fn connections_beyond_their_address_share_are_closed() {
    let broker = Broker::start(&["max.connections.per.ip=2"]);
    let mut first = broker.client();
    let second = broker.client();
    assert!(!first.call(&api_versions(), 3).api_keys.is_empty());
    broker.client().assert_closed("one too many");
    drop(second);
    let served = (0..50).any(|_| {
        support::pause();
        let mut client = broker.client();
        client.send(&api_versions(), 3);
        client.receive_frame().is_some()
    });
    assert!(served, "a slot is given back");
}
