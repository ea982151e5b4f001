//! Every back end behaves the same: one table of cases, run on each that this machine and this build have.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use storage::runtime::backend::Backend;
use storage::runtime::buffers::aligned_zeroed;
use storage::runtime::core::block_on;
use storage::runtime::simulated::Simulation;
use storage::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions, Runtime};

const BLOCK: u64 = BLOCK_BYTES as u64;
const CREATE: OpenOptions = OpenOptions { write: true, create: true, create_new: false, direct: false };
const DIRECT: OpenOptions = OpenOptions { direct: true, ..CREATE };
const READ: OpenOptions = OpenOptions { write: false, create: false, create_new: false, direct: false };

/// A case gets a core and an empty directory.
type Case = fn(Runtime, PathBuf) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |runtime, directory| Box::pin($name(runtime, directory)))),*]
    };
}

const CASES: &[(&str, Case)] = cases![
    a_rope_is_written_in_order_and_read_back,
    a_read_is_short_only_at_the_end_of_the_file,
    direct_files_take_blocks_and_refuse_the_rest,
    a_direct_read_of_a_file_that_ends_off_a_block_is_cut_there,
    an_operation_starts_when_it_is_called,
    many_operations_are_in_flight_together,
    sizes_change_as_asked,
    names_change_as_asked,
    missing_and_forbidden_things_are_errors,
    an_unlinked_file_lives_while_it_is_open,
    space_is_told,
    tasks_and_timers_run,
];

#[test]
fn simulated() {
    for (name, case) in CASES {
        println!("simulated: {name}");
        let simulation = Simulation::new(1);
        let runtime = simulation.runtime();
        simulation.run(async move {
            runtime.disk().create_directory_all("case".as_ref()).await.unwrap();
            case(runtime, "case".into()).await;
        });
    }
}

#[test]
fn threads() {
    run_all_on(Backend::Threads);
}

#[test]
fn uring() {
    run_all_on(Backend::Uring);
}

#[cfg(feature = "glommio")]
#[test]
fn glommio() {
    run_all_on(Backend::Glommio);
}

/// A real back end; one that this machine refuses is passed over with its reason.
fn run_all_on(backend: Backend) {
    if let Err(error) = block_on(backend, |_| async {}) {
        println!("skipped: {error}");
        return;
    }
    for (name, case) in CASES {
        println!("{backend}: {name}");
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        block_on(backend, |runtime| {
            assert_eq!(runtime.backend(), backend.name());
            case(runtime, directory.path().to_owned())
        })
        .unwrap();
    }
    ends_only_after_what_was_started(backend);
}

/// A core that ends has nothing in flight any more: what was started is done, though nobody waited.
fn ends_only_after_what_was_started(backend: Backend) {
    for options in [CREATE, DIRECT] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = directory.path().join("file");
        block_on(backend, async |runtime| {
            let file = open(&runtime, &path, options).await;
            for block in 0..300 {
                let lane = Lane::Background;
                drop(runtime.disk().write(&file, vec![block_of(1)], block * BLOCK, Durability::Buffered, lane));
                drop(runtime.disk().read(&file, block * BLOCK, BLOCK_BYTES));
            }
        })
        .unwrap();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content.len(), 300 * BLOCK_BYTES, "{options:?}");
        assert!(content.iter().all(|byte| *byte == 1), "a block was not written: {options:?}");
    }
}

async fn open(runtime: &Runtime, path: &Path, options: OpenOptions) -> File {
    runtime.disk().open(path, options).await.unwrap()
}

async fn write(runtime: &Runtime, file: &File, rope: Vec<Bytes>, offset: u64) -> io::Result<()> {
    runtime.disk().write(file, rope, offset, Durability::Durable, Lane::Commit).await
}

async fn read(runtime: &Runtime, file: &File, offset: u64, length: usize) -> Vec<u8> {
    runtime.disk().read(file, offset, length).await.unwrap().to_vec()
}

async fn kind_of<T>(result: impl Future<Output = io::Result<T>>) -> Option<io::ErrorKind> {
    result.await.err().map(|error| error.kind())
}

fn block_of(value: u8) -> Bytes {
    let mut block = aligned_zeroed(BLOCK_BYTES);
    block.fill(value);
    block.freeze()
}

async fn a_rope_is_written_in_order_and_read_back(runtime: Runtime, directory: PathBuf) {
    let file = open(&runtime, &directory.join("file"), CREATE).await;
    for durability in [Durability::Buffered, Durability::Durable] {
        for parts in [0_usize, 1, 2, 1023, 1024, 1025, 3000] {
            let rope: Vec<Bytes> = (0..parts).map(|part| Bytes::from(vec![part as u8; part % 5])).collect();
            runtime.disk().write(&file, rope.clone(), 10, durability, Lane::Background).await.unwrap();
            let expected = rope.concat();
            assert_eq!(read(&runtime, &file, 10, expected.len()).await, expected, "{parts} parts, {durability:?}");
        }
    }
    assert_eq!(read(&runtime, &file, 0, 10).await, [0; 10], "a hole reads as zeros");
    runtime.disk().sync_data(&file, Lane::Commit).await.unwrap();
}

async fn a_read_is_short_only_at_the_end_of_the_file(runtime: Runtime, directory: PathBuf) {
    let file = open(&runtime, &directory.join("file"), CREATE).await;
    write(&runtime, &file, vec![Bytes::from(vec![7; 3 << 20])], 0).await.unwrap();
    assert_eq!(read(&runtime, &file, 0, 3 << 20).await.len(), 3 << 20);
    assert_eq!(read(&runtime, &file, 1, 3 << 20).await.len(), (3 << 20) - 1);
    assert_eq!(read(&runtime, &file, 5, 0).await.len(), 0);
    assert_eq!(read(&runtime, &file, 3 << 20, 10).await.len(), 0);
    assert_eq!(read(&runtime, &file, 9 << 20, 10).await.len(), 0);
}

async fn direct_files_take_blocks_and_refuse_the_rest(runtime: Runtime, directory: PathBuf) {
    let file = open(&runtime, &directory.join("file"), DIRECT).await;
    write(&runtime, &file, vec![block_of(1), block_of(2)], 0).await.unwrap();
    write(&runtime, &file, vec![block_of(3)], 3 * BLOCK).await.unwrap();
    let found = read(&runtime, &file, BLOCK, 3 * BLOCK_BYTES).await;
    assert_eq!(found, [block_of(2), block_of(0), block_of(3)].concat());
    if !file.is_direct() {
        return;
    }
    let refused = Some(io::ErrorKind::InvalidInput);
    assert_eq!(kind_of(write(&runtime, &file, vec![block_of(9)], 512)).await, refused);
    assert_eq!(kind_of(write(&runtime, &file, vec![block_of(9).slice(..100)], 0)).await, refused);
    assert_eq!(
        kind_of(write(&runtime, &file, vec![block_of(9).slice(..100), block_of(9).slice(100..)], 0)).await,
        refused
    );
    assert_eq!(kind_of(runtime.disk().read(&file, 1, BLOCK_BYTES)).await, refused);
    assert_eq!(kind_of(runtime.disk().read(&file, 0, 100)).await, refused);
}

async fn a_direct_read_of_a_file_that_ends_off_a_block_is_cut_there(runtime: Runtime, directory: PathBuf) {
    let path = directory.join("file");
    let file = open(&runtime, &path, CREATE).await;
    write(&runtime, &file, vec![Bytes::from(vec![5; 5000])], 0).await.unwrap();
    let file = open(&runtime, &path, OpenOptions { direct: true, ..READ }).await;
    assert_eq!(read(&runtime, &file, 0, 4 * BLOCK_BYTES).await, [5; 5000]);
    assert_eq!(read(&runtime, &file, BLOCK, BLOCK_BYTES).await, [5; 904]);
    assert_eq!(read(&runtime, &file, 2 * BLOCK, BLOCK_BYTES).await.len(), 0);
}

async fn an_operation_starts_when_it_is_called(runtime: Runtime, directory: PathBuf) {
    let path = directory.join("file");
    let file = open(&runtime, &path, CREATE).await;
    let never_polled =
        runtime.disk().write(&file, vec![Bytes::from_static(b"ab")], 0, Durability::Buffered, Lane::Background);
    let dropped =
        runtime.disk().write(&file, vec![Bytes::from_static(b"cd")], 2, Durability::Buffered, Lane::Background);
    drop(dropped);
    let mut rounds = 0;
    while runtime.disk().stat(&path).await.unwrap().bytes < 4 {
        rounds += 1;
        assert!(rounds < 1000, "the writes never happened");
        runtime.sleep(Duration::from_millis(5)).await;
    }
    drop(never_polled);
    assert_eq!(read(&runtime, &file, 0, 10).await, b"abcd");
}

async fn many_operations_are_in_flight_together(runtime: Runtime, directory: PathBuf) {
    let files =
        [open(&runtime, &directory.join("a"), DIRECT).await, open(&runtime, &directory.join("b"), CREATE).await];
    let disk = runtime.disk();
    let writes = (0..700_u64).map(|index| {
        let lane = if index % 3 == 0 { Lane::Commit } else { Lane::Background };
        let durability = if index % 50 == 0 { Durability::Durable } else { Durability::Buffered };
        disk.write(&files[index as usize % 2], vec![block_of(index as u8)], index * BLOCK, durability, lane)
    });
    assert!(join_all(writes).await.iter().all(Result::is_ok));
    let syncs = join_all(files.iter().map(|file| disk.sync_data(file, Lane::Commit))).await;
    assert!(syncs.iter().all(Result::is_ok));
    let reads = (0..700_u64).map(|index| disk.read(&files[index as usize % 2], index * BLOCK, BLOCK_BYTES));
    for (index, found) in join_all(reads).await.into_iter().enumerate() {
        assert_eq!(found.unwrap().freeze(), block_of(index as u8), "block {index}");
    }
}

async fn sizes_change_as_asked(runtime: Runtime, directory: PathBuf) {
    let path = directory.join("file");
    let file = open(&runtime, &path, CREATE).await;
    let disk = runtime.disk();
    let bytes = async || disk.stat(&path).await.unwrap().bytes;
    disk.allocate(&file, 100_000).await.unwrap();
    assert_eq!(bytes().await, 100_000);
    disk.allocate(&file, 10).await.unwrap();
    assert_eq!(bytes().await, 100_000, "allocating never cuts");
    write(&runtime, &file, vec![Bytes::from_static(b"abcdef")], 0).await.unwrap();
    disk.set_len(&file, 3).await.unwrap();
    disk.set_len(&file, 6).await.unwrap();
    assert_eq!(read(&runtime, &file, 0, 10).await, b"abc\0\0\0");
    write(&runtime, &file, vec![Bytes::from_static(b"z")], 9).await.unwrap();
    assert_eq!(bytes().await, 10);
}

async fn names_change_as_asked(runtime: Runtime, directory: PathBuf) {
    let disk = runtime.disk();
    let nested = directory.join("x/y");
    disk.create_directory_all(&nested).await.unwrap();
    disk.create_directory_all(&nested).await.unwrap();
    for name in ["c", "a", "b"] {
        let file = open(&runtime, &nested.join(name), OpenOptions { create_new: true, ..CREATE }).await;
        write(&runtime, &file, vec![Bytes::copy_from_slice(name.as_bytes())], 0).await.unwrap();
    }
    assert_eq!(disk.list(&nested).await.unwrap(), ["a", "b", "c"]);
    disk.rename(&nested.join("a"), &nested.join("c")).await.unwrap();
    disk.remove_file(&nested.join("b")).await.unwrap();
    disk.sync_directory(&nested).await.unwrap();
    assert_eq!(disk.list(&nested).await.unwrap(), ["c"]);
    disk.rename(&directory.join("x"), &directory.join("z")).await.unwrap();
    let moved = open(&runtime, &directory.join("z/y/c"), READ).await;
    assert_eq!(read(&runtime, &moved, 0, 10).await, b"a");
    let found = disk.stat(&directory.join("z/y/c")).await.unwrap();
    assert_eq!((found.bytes, found.is_directory), (1, false));
    assert!((runtime.wall_clock_ms() - found.modified_ms).abs() < 600_000, "{found:?}");
    assert!(disk.stat(&directory.join("z")).await.unwrap().is_directory);
    disk.remove_directory_all(&directory.join("z")).await.unwrap();
    assert_eq!(disk.list(&directory).await.unwrap(), [""; 0]);
}

async fn missing_and_forbidden_things_are_errors(runtime: Runtime, directory: PathBuf) {
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotFound, PermissionDenied};
    let disk = runtime.disk();
    let missing = directory.join("missing");
    assert_eq!(kind_of(disk.open(&missing, READ)).await, Some(NotFound));
    assert_eq!(kind_of(disk.open(&missing.join("below"), CREATE)).await, Some(NotFound));
    assert_eq!(kind_of(disk.stat(&missing)).await, Some(NotFound));
    assert_eq!(kind_of(disk.list(&missing)).await, Some(NotFound));
    assert_eq!(kind_of(disk.remove_file(&missing)).await, Some(NotFound));
    assert_eq!(kind_of(disk.remove_directory_all(&missing)).await, Some(NotFound));
    assert_eq!(kind_of(disk.rename(&missing, &directory.join("other"))).await, Some(NotFound));
    assert_eq!(kind_of(disk.sync_directory(&missing)).await, Some(NotFound));
    assert_eq!(kind_of(disk.open(&directory, READ)).await, Some(IsADirectory));
    let path = directory.join("file");
    open(&runtime, &path, CREATE).await;
    assert_eq!(kind_of(disk.open(&path, OpenOptions { create_new: true, ..CREATE })).await, Some(AlreadyExists));
    let file = open(&runtime, &path, READ).await;
    assert_eq!(kind_of(write(&runtime, &file, vec![block_of(1)], 0)).await, Some(PermissionDenied));
}

async fn an_unlinked_file_lives_while_it_is_open(runtime: Runtime, directory: PathBuf) {
    let path = directory.join("file");
    let file = open(&runtime, &path, CREATE).await;
    runtime.disk().remove_file(&path).await.unwrap();
    write(&runtime, &file, vec![Bytes::from_static(b"still here")], 0).await.unwrap();
    assert_eq!(read(&runtime, &file, 6, 10).await, b"here");
}

async fn space_is_told(runtime: Runtime, directory: PathBuf) {
    let space = runtime.disk().space(&directory).await.unwrap();
    assert!(0 < space.available_bytes && space.available_bytes <= space.total_bytes, "{space:?}");
}

async fn tasks_and_timers_run(runtime: Runtime, _: PathBuf) {
    let start = runtime.now();
    let short = runtime.spawn_with_result({
        let runtime = runtime.clone();
        async move {
            runtime.sleep(Duration::from_millis(5)).await;
            runtime.now()
        }
    });
    assert_eq!(runtime.timeout(Duration::from_millis(20), std::future::pending::<()>()).await, None);
    let late = runtime.now();
    assert_eq!(runtime.timeout(Duration::from_secs(60), async { 1 }).await, Some(1));
    let early = short.await.unwrap();
    assert!(start.plus(Duration::from_millis(5)) <= early && early < late);
    assert_ne!(runtime.random_u64(), runtime.random_u64());
    runtime.yield_now().await;
}
