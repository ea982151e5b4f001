//! What an append to a log costs until it is durable: checked, copied, committed, and written back meanwhile. One at a time
//! shows latency, many at a time what a batch costs when commits are shared. Real files, in cargo's own temporary directory.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{StreamExt, stream};
use protocol::Uuid;
use protocol::records::{BatchBuilder, BatchHeader, Compression, NewRecord};
use storage::runtime::Runtime;
use storage::runtime::backend::Backend;
use storage::runtime::core::block_on;
use storage::{AppendOptions, Engine, EngineOptions, LeaderEpoch, Log, LogConfig, LogDirectory, LogId, LogSpec};

const DIRECTORY: Uuid = Uuid([1; 16]);
const RECORD_BYTES: usize = 1000;
/// Records of a batch.
const RECORDS: [usize; 3] = [1, 16, 256];
/// Appends at a time.
const AT_A_TIME: [usize; 2] = [1, 32];

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for backend in [Backend::Threads, Backend::Uring] {
        if let Err(error) = block_on(backend, |_| async {}) {
            eprintln!("skipped: {error}");
            continue;
        }
        for records in RECORDS {
            let batch = batch(records);
            group.throughput(Throughput::Bytes(batch.len() as u64));
            for at_a_time in AT_A_TIME {
                let id = BenchmarkId::new(format!("{backend}/{at_a_time} at a time"), batch.len());
                let run = |times| block_on(backend, |runtime| run(runtime, batch.clone(), at_a_time, times)).unwrap();
                group.bench_function(id, |bencher| bencher.iter_custom(run));
            }
        }
    }
    group.finish();
}

/// Time of `times` appends to a new log.
async fn run(runtime: Runtime, batch: Bytes, at_a_time: usize, times: u64) -> Duration {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let engine = Engine::open(runtime.clone(), options(directory.path())).await.unwrap();
    let log = engine.open_log(spec()).await.unwrap();
    engine.finish_recovery().await.unwrap();
    let start = runtime.now();
    let all = stream::iter(0..times).map(|_| append(&engine, &log, batch.clone()));
    all.buffered(at_a_time).for_each(|()| async {}).await;
    let spent = runtime.now().since(start);
    engine.close().await.unwrap();
    spent
}

async fn append(engine: &Engine, log: &Rc<Log>, batch: Bytes) {
    let reservation = engine.reserve(batch.len()).await.unwrap();
    let options = AppendOptions::client(LeaderEpoch(0), 9);
    log.append(reservation, batch, options).unwrap().durable.await.unwrap();
}

fn options(directory: &Path) -> EngineOptions {
    EngineOptions {
        core: 0,
        cores: 1,
        directories: vec![LogDirectory { id: DIRECTORY, path: directory.to_owned() }],
        wal_bytes_max: 512 << 20,
        wal_file_bytes: 16 << 20,
        tail_bytes_max: 128 << 20,
    }
}

fn spec() -> LogSpec {
    let id = LogId { topic_id: Uuid([2; 16]), partition: 0 };
    LogSpec { id, topic: "bench".to_owned(), directory: DIRECTORY, config: config(), create: true }
}

/// Kafka's defaults, without retention.
fn config() -> LogConfig {
    LogConfig { retention_ms: -1, message_timestamp_after_max_ms: i64::MAX, ..LogConfig::default() }
}

fn batch(records: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    let value = vec![b'x'; RECORD_BYTES];
    for _ in 0..records {
        builder.append(NewRecord { timestamp_ms: 1000, key: None, value: Some(&value), headers: &[] }).unwrap();
    }
    builder.build().unwrap()
}

criterion_group!(benches, appends);
criterion_main!(benches);
