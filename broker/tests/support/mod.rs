//! A broker in this process and clients that speak raw frames.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use broker::config::load::load;
use broker::server::Server;
use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use protocol::messages::{
    FetchRequest, MetadataRequest, ProduceRequest, ProduceResponse, Records, Request, RequestHeader, ResponseHeader,
};
use protocol::records::{BatchBuilder, BatchHeader, Compression, NewRecord};
use protocol::wire::{Message, Reader, Writer};

/// A broker with its own directory, stopped when dropped.
pub struct Broker {
    server: Option<Server>,
    directory: tempfile::TempDir,
    overrides: Vec<String>,
}

impl Broker {
    /// Two cores, small buffers, a free port; `overrides` win.
    pub fn start(overrides: &[&str]) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
        let mut broker = Broker { server: None, directory, overrides };
        broker.begin();
        broker
    }

    fn begin(&mut self) {
        let fixed = [
            "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
            "msgloop.cores=2".to_owned(),
            "msgloop.pinning=false".to_owned(),
            "msgloop.wal.bytes=134217728".to_owned(),
            "msgloop.wal.file.bytes=4194304".to_owned(),
            "msgloop.tail.memory.bytes=33554432".to_owned(),
            "msgloop.admin.listener=".to_owned(),
            format!("log.dirs={}", self.directory.path().display()),
        ];
        let all: Vec<String> = fixed.into_iter().chain(self.overrides.iter().cloned()).collect();
        let config = load(None, &all).expect("valid settings").config;
        self.server = Some(Server::start(config).expect("the broker starts"));
    }

    /// Stops in order and starts again on the same data.
    pub fn restart(&mut self) {
        self.stop();
        self.begin();
    }

    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().expect("a clean stop");
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("running").addresses()[0].1
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// A client, and a topic that was made by asking for it.
    pub fn client_with_topic(&self, topic: &str) -> Client {
        let mut client = self.client();
        client.create(topic);
        client
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A connection that sends what it is told.
pub struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Client { stream, next_correlation_id: 1 }
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // The broker may have closed already: what counts is what comes back.
        let _ = self.stream.write_all(bytes);
    }

    /// A frame around `payload`.
    pub fn send_frame(&mut self, payload: &[u8]) {
        let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.send_bytes(&bytes);
    }

    /// Sends a request; its correlation id.
    pub fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.send_bytes(&encode(request, version, correlation_id));
        correlation_id
    }

    /// The next frame; `None` when the broker has closed the connection.
    pub fn receive_frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => return None,
            Err(error) => panic!("nothing came: {error}"),
        }
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).expect("a whole frame");
        Some(frame)
    }

    /// The next answer and its correlation id.
    pub fn receive<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let frame = self.receive_frame().expect("an answer");
        let mut reader = Reader::new(Bytes::from(frame));
        let header = ResponseHeader::decode(&mut reader, R::KEY, version).expect("a header");
        let response = R::Response::decode(&mut reader, version).expect("a body");
        assert_eq!(reader.remaining(), 0, "bytes after the answer");
        (header.correlation_id, response)
    }

    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let sent = self.send(request, version);
        let (correlation_id, response) = self.receive::<R>(version);
        assert_eq!(correlation_id, sent);
        response
    }

    pub fn assert_closed(&mut self, why: &str) {
        assert_eq!(self.receive_frame(), None, "{why}");
    }

    /// Asks for the topic until it is there; its id.
    pub fn create(&mut self, topic: &str) -> protocol::Uuid {
        for _ in 0..10 {
            let asked = MetadataRequestTopic { name: Some(topic.to_owned()), ..Default::default() };
            let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
            let found = self.call(&request, 12).topics.remove(0);
            if found.error_code == ErrorCode::NONE {
                return found.topic_id;
            }
            assert_eq!(found.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        panic!("{topic} is not created");
    }

    pub fn produce(&mut self, topic: &str, partition: i32, batch: Bytes) -> PartitionProduceResponse {
        row(self.call(&produce(topic, partition, batch), 9))
    }

    pub fn fetch(&mut self, request: &FetchRequest) -> PartitionData {
        let mut response = self.call(request, 11);
        assert_eq!(response.error_code, ErrorCode::NONE);
        response.responses.remove(0).partitions.remove(0)
    }
}

pub fn encode<R: Request>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    let mut writer = Writer::for_frame();
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id,
        client_id: Some("test".to_owned()),
    };
    header.encode(&mut writer);
    request.encode(&mut writer, version);
    writer.into_parts().concat()
}

/// The first partition's row.
pub fn row(mut response: ProduceResponse) -> PartitionProduceResponse {
    response.responses.remove(0).partition_responses.remove(0)
}

pub fn produce(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let mut records = Records::default();
    records.push(batch);
    let data = PartitionProduceData { index: partition, records: Some(records) };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 5000, topic_data: vec![topic], ..Default::default() }
}

/// A batch of records with these values.
pub fn batch(values: &[&[u8]]) -> Bytes {
    let header = BatchHeader { producer_id: -1, producer_epoch: -1, base_sequence: -1, ..header() };
    build(header, values)
}

/// A batch of an idempotent producer.
pub fn idempotent_batch(producer_id: i64, sequence: i32, values: &[&[u8]]) -> Bytes {
    build(BatchHeader { producer_id, producer_epoch: 0, base_sequence: sequence, ..header() }, values)
}

fn build(header: BatchHeader, values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(header, Compression::None);
    for value in values {
        let record = NewRecord { timestamp_ms: 1_700_000_000_000, key: None, value: Some(value), headers: &[] };
        builder.append(record).expect("a record");
    }
    builder.build().expect("a batch")
}

fn header() -> BatchHeader {
    BatchHeader { base_timestamp: 1_700_000_000_000, max_timestamp: 1_700_000_000_000, ..Default::default() }
}

/// Reads one partition, waiting up to `wait_ms` for a byte.
pub fn fetch(topic: &str, partition: i32, offset: i64, wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition { partition, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![wanted], ..Default::default() };
    FetchRequest { max_wait_ms: wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() }
}

pub fn record_bytes(data: &PartitionData) -> Vec<u8> {
    data.records.clone().map(|records| records.into_bytes().to_vec()).unwrap_or_default()
}

/// A moment for the broker to notice something.
pub fn pause() {
    #[expect(clippy::disallowed_methods, reason = "a test of the real broker runs in real time")]
    std::thread::sleep(Duration::from_millis(20));
}
