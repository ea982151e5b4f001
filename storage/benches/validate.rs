//! The whole check of a produced batch, as the append path makes it.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::records::{BatchBuilder, BatchHeader, BatchView, Compression, CompressionType, NewRecord};
use storage::producer_state::{ProducerBatch, ProducerCheck, ProducerState, Verification};
use storage::validate::{Source, validate};
use storage::{LogConfig, Offset, Origin};

const NOW_MS: i64 = 1_700_000_000_000;

fn config(validate_records: bool) -> LogConfig {
    LogConfig { max_message_bytes: 2 << 20, validate_records, ..LogConfig::default() }
}

fn batch(records: usize, record_bytes: usize, compression: Compression) -> Bytes {
    let value: Vec<u8> = (0..record_bytes).map(|at| (at * at / 7) as u8).collect();
    let header = BatchHeader { producer_id: 1, producer_epoch: 0, base_sequence: 0, ..BatchHeader::default() };
    let mut builder = BatchBuilder::new(header, compression);
    for _ in 0..records {
        let record = NewRecord { timestamp_ms: NOW_MS, key: None, value: Some(&value), headers: &[] };
        builder.append(record).expect("a batch of this size can be built");
    }
    builder.build().expect("a batch of this size can be built")
}

fn validation(criterion: &mut Criterion) {
    let source = Source { origin: Origin::Client, produce_version: 9, now_ms: NOW_MS, position: 0 };
    let lz4 = Compression::with_default_level(CompressionType::Lz4);
    for (name, records, record_bytes, compression, decode) in [
        ("1x100", 1, 100, Compression::None, false),
        ("160x100", 160, 100, Compression::None, false),
        ("16x1024", 16, 1024, Compression::None, false),
        ("1000x1024", 1000, 1024, Compression::None, false),
        ("1000x1024 lz4", 1000, 1024, lz4, false),
        ("1000x1024 lz4 decoded", 1000, 1024, lz4, true),
    ] {
        let (bytes, config) = (batch(records, record_bytes, compression), config(decode));
        let mut group = criterion.benchmark_group("validate");
        group.throughput(Throughput::Bytes((records * record_bytes) as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| validate(black_box(&bytes), &config, source));
        });
        group.finish();
    }
}

fn producers(criterion: &mut Criterion) {
    let rules = ProducerCheck { origin: Origin::Client, verification: Verification::Waived, transaction_version: 2 };
    let bytes = batch(1, 100, Compression::None);
    let first = BatchView::parse(&bytes).ok().and_then(|batch| ProducerBatch::new(&batch, Offset(0), NOW_MS));
    let first = first.expect("the batch has a producer");
    let mut state = ProducerState::default();
    for producer_id in 0..1000 {
        state.replay(&ProducerBatch { producer_id, ..first });
    }
    let next = ProducerBatch { producer_id: 500, base_sequence: 1, last_sequence: 1, ..first };
    criterion.bench_function("producer check among 1000", |bencher| {
        bencher.iter(|| state.check(black_box(&next), rules).is_ok());
    });
}

criterion_group!(benches, validation, producers);
criterion_main!(benches);
