//! What a produced batch costs before it is written: header and CRC, records walked, codecs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::records::{
    BatchBuilder, BatchHeader, BatchView, Compression, CompressionType, NewRecord, decompress, recompress,
};

const BYTES_MAX: usize = 64 << 20;

/// Records of text that compresses about as well as JSON does.
fn batch(records: usize, record_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for number in 0..records {
        let mut value = String::new();
        while value.len() < record_bytes {
            let word = (number * 31 + value.len()).wrapping_mul(2_654_435_761) % 997;
            value.push_str(&format!("{{\"field\":{word},"));
        }
        value.truncate(record_bytes);
        let (key, value) = (number.to_be_bytes(), value.as_bytes());
        let record = NewRecord { timestamp_ms: number as i64, key: Some(&key), value: Some(value), headers: &[] };
        builder.append(record).expect("a batch of this size can be built");
    }
    builder.build().expect("a batch of this size can be built").to_vec()
}

fn uncompressed(criterion: &mut Criterion) {
    for (records, record_bytes) in [(1, 100), (160, 100), (16, 1024), (1000, 1024)] {
        let bytes = batch(records, record_bytes);
        let name = format!("{records}x{record_bytes}");
        let mut group = criterion.benchmark_group("uncompressed");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("crc", &name), |bencher| {
            bencher.iter(|| BatchView::parse(black_box(&bytes)).and_then(|batch| batch.verify_crc()));
        });
        group.bench_function(BenchmarkId::new("walk", &name), |bencher| {
            let batch = BatchView::parse(&bytes).expect("the batch is sound");
            bencher.iter(|| black_box(&batch).records(batch.payload()).filter(Result::is_ok).count());
        });
        group.finish();
    }
}

fn codecs(criterion: &mut Criterion) {
    let bytes = batch(160, 1024);
    let plain = BatchView::parse(&bytes).expect("the batch is sound");
    for codec in CompressionType::ALL {
        let compression = Compression::with_default_level(codec);
        let folded = recompress(&plain, compression, BYTES_MAX).expect("the batch can be compressed");
        let folded = BatchView::parse(&folded).expect("the batch is sound");
        let mut group = criterion.benchmark_group("160x1024");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("decompress", codec.name()), |bencher| {
            bencher.iter(|| decompress(codec, black_box(folded.payload()), BYTES_MAX));
        });
        group.bench_function(BenchmarkId::new("compress", codec.name()), |bencher| {
            bencher.iter(|| recompress(black_box(&plain), compression, BYTES_MAX));
        });
        group.finish();
    }
}

criterion_group!(benches, uncompressed, codecs);
criterion_main!(benches);
