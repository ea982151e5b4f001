//! What a commit of the write-ahead log costs: one write at a time, made durable by RWF_DSYNC or by fdatasync after it,
//! by direct I/O over blocks that are allocated and were written before, as a recycled log file has them. CPU is that
//! of the whole process, kernel workers included.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use storage::runtime::backend::Backend;
use storage::runtime::buffers::aligned_zeroed;
use storage::runtime::core::block_on;
use storage::runtime::{Durability, File, Lane, OpenOptions, Runtime};

const FILE_BYTES: usize = 64 << 20;
/// Commits over which CPU is counted.
const CPU_ROUNDS: u64 = 500;
const COMMIT_BYTES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

#[derive(Clone, Copy)]
enum How {
    Dsync,
    WriteThenSync,
}

fn commits(criterion: &mut Criterion) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("wal");
    block_on(Backend::Threads, |runtime| write_once(runtime, &path)).unwrap();
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for bytes in COMMIT_BYTES {
        group.throughput(Throughput::Bytes(bytes as u64));
        for (how_name, how) in [("dsync", How::Dsync), ("write+fdatasync", How::WriteThenSync)] {
            for backend in [Backend::Threads, Backend::Uring, Backend::Glommio] {
                if let Err(error) = block_on(backend, |_| async {}) {
                    eprintln!("skipped: {error}");
                    continue;
                }
                let on_backend = |times| block_on(backend, |runtime| run(runtime, &path, how, bytes, times)).unwrap();
                let id = BenchmarkId::new(format!("{backend}/{how_name}"), bytes);
                group.bench_function(id, |bencher| bencher.iter_custom(|times| on_backend(times).0));
                let each = on_backend(CPU_ROUNDS).1.as_nanos() as f64 / 1000.0 / CPU_ROUNDS as f64;
                println!("CPU {backend}/{how_name}/{bytes}: {each:.1} us per commit");
            }
        }
    }
    group.finish();
}

/// Time and CPU of `times` commits.
async fn run(runtime: Runtime, path: &Path, how: How, bytes: usize, times: u64) -> (Duration, Duration) {
    let file = open(&runtime, path).await;
    let data = aligned_zeroed(bytes).freeze();
    let (start, cpu) = (runtime.now(), process_cpu());
    for round in 0..times {
        let offset = (round as usize * bytes) % FILE_BYTES;
        commit(&runtime, &file, data.clone(), offset as u64, how).await;
    }
    (runtime.now().since(start), process_cpu().saturating_sub(cpu))
}

async fn open(runtime: &Runtime, path: &Path) -> File {
    let options = OpenOptions { write: true, create: true, direct: true, ..OpenOptions::default() };
    let file = runtime.disk().open(path, options).await.unwrap();
    assert!(file.is_direct(), "this file system has no direct I/O");
    file
}

/// Makes a file whose blocks are allocated, written and synced.
async fn write_once(runtime: Runtime, path: &Path) {
    let file = open(&runtime, path).await;
    let disk = runtime.disk();
    disk.allocate(&file, FILE_BYTES as u64).await.unwrap();
    let zeros = aligned_zeroed(1 << 20).freeze();
    for offset in (0..FILE_BYTES).step_by(1 << 20) {
        let lane = Lane::Background;
        disk.write(&file, vec![zeros.clone()], offset as u64, Durability::Buffered, lane).await.unwrap();
    }
    disk.sync_data(&file, Lane::Background).await.unwrap();
}

async fn commit(runtime: &Runtime, file: &File, data: Bytes, offset: u64, how: How) {
    let disk = runtime.disk();
    match how {
        How::Dsync => disk.write(file, vec![data], offset, Durability::Durable, Lane::Commit).await.unwrap(),
        How::WriteThenSync => {
            disk.write(file, vec![data], offset, Durability::Buffered, Lane::Commit).await.unwrap();
            disk.sync_data(file, Lane::Commit).await.unwrap();
        }
    }
}

/// CPU time of every thread of this process, io-wq workers among them.
fn process_cpu() -> Duration {
    let spent = |entry: fs::DirEntry| {
        let line = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        line.split(' ').next()?.parse::<u64>().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    Duration::from_nanos(tasks.flatten().filter_map(spent).sum())
}

criterion_group!(benches, commits);
criterion_main!(benches);
