//! How long the envelopes of Produce, Fetch and Metadata take to read and write. Record bytes are by reference on both
//! ways, so their size must not show.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::messages::{FetchRequest, FetchResponse, MetadataResponse, ProduceRequest, ProduceResponse, Records};
use protocol::messages::{fetch, metadata, produce};
use protocol::wire::{Message, Reader, Writer};

const PARTITIONS: i32 = 10;
const RECORD_BYTES: usize = 64 << 10;

/// The versions that librdkafka sends, and the newest.
const PRODUCE: [i16; 2] = [7, 13];
const FETCH: [i16; 2] = [11, 18];
const METADATA: [i16; 2] = [4, 13];

fn produce_request() -> ProduceRequest {
    let partition_data =
        (0..PARTITIONS).map(|index| produce::PartitionProduceData { index, records: Some(records()) }).collect();
    let topic = produce::TopicProduceData { name: "orders".to_owned(), partition_data, ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

fn produce_response() -> ProduceResponse {
    let partition_responses =
        (0..PARTITIONS).map(|index| produce::PartitionProduceResponse { index, ..Default::default() }).collect();
    let topic = produce::TopicProduceResponse { name: "orders".to_owned(), partition_responses, ..Default::default() };
    ProduceResponse { responses: vec![topic], ..Default::default() }
}

fn fetch_request() -> FetchRequest {
    let partitions =
        (0..PARTITIONS).map(|partition| fetch::FetchPartition { partition, ..Default::default() }).collect();
    let topic = fetch::FetchTopic { topic: "orders".to_owned(), partitions, ..Default::default() };
    FetchRequest { max_wait_ms: 500, topics: vec![topic], ..Default::default() }
}

fn fetch_response() -> FetchResponse {
    let partitions = (0..PARTITIONS)
        .map(|partition_index| fetch::PartitionData { partition_index, records: Some(records()), ..Default::default() })
        .collect();
    let topic = fetch::FetchableTopicResponse { topic: "orders".to_owned(), partitions, ..Default::default() };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn metadata_response() -> MetadataResponse {
    let partition = |partition_index| metadata::MetadataResponsePartition {
        partition_index,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |number| metadata::MetadataResponseTopic {
        name: Some(format!("topic-{number}")),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    MetadataResponse { topics: (0..100).map(topic).collect(), ..Default::default() }
}

fn records() -> Records {
    Bytes::from(vec![7; RECORD_BYTES]).into()
}

fn measure<M: Message>(criterion: &mut Criterion, name: &str, versions: [i16; 2], message: &M) {
    let mut group = criterion.benchmark_group(name);
    for version in versions {
        let mut writer = Writer::new();
        message.encode(&mut writer, version);
        let bytes = writer.into_bytes();
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("decode v{version}"), |bencher| {
            bencher.iter(|| M::decode(&mut Reader::new(black_box(bytes.clone())), version).is_ok());
        });
        group.bench_function(format!("encode v{version}"), |bencher| {
            bencher.iter(|| {
                let mut writer = Writer::for_frame();
                black_box(message).encode(&mut writer, version);
                writer.into_parts()
            });
        });
    }
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    measure(criterion, "produce request, 10 partitions", PRODUCE, &produce_request());
    measure(criterion, "produce response, 10 partitions", PRODUCE, &produce_response());
    measure(criterion, "fetch request, 10 partitions", FETCH, &fetch_request());
    measure(criterion, "fetch response, 10 partitions", FETCH, &fetch_response());
    measure(criterion, "metadata response, 1,000 partitions", METADATA, &metadata_response());
}

criterion_group!(benches, messages);
criterion_main!(benches);
