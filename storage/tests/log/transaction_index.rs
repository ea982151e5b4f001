//! Transaction indexes: whatever happened to one while the node was stopped, it is found out, and readers of committed data
//! are told what was aborted as before.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::records::Batches;
use storage::runtime::simulated::{CrashPolicy, Simulation};
use storage::runtime::{Durability, Lane, OpenOptions, Runtime};
use storage::segment::{CHECKSUM_HEADER_BYTES, ChecksumHeader};
use storage::{Engine, Log, Offset, ReadLimit, ReadOptions};

use crate::harness::{append, batch, open, spec, value};
use crate::transactions::{end, write};

/// How the first life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Killed while the newest segment is being written: the write-ahead log says what its index holds.
    Writing,
    /// After a pause: its sidecar says it.
    Settled,
    Closed,
}

const ENDINGS: [Ending; 3] = [Ending::Writing, Ending::Settled, Ending::Closed];

/// Three producers whose transactions overlap each other and the ends of segments; two of three are aborted.
async fn fill(runtime: Runtime, ending: Ending) {
    let engine = open(&runtime).await.unwrap();
    let log = engine.open_log(spec(0, true)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    let mut producers = [(0i16, 0i32); 3];
    for round in 0..60usize {
        let producer = round % 3;
        let (id, (epoch, sequence)) = (producer as i64 + 100, producers[producer]);
        if sequence >= 4 + 2 * producer as i32 {
            end(&engine, &log, id, epoch + 1, round % 5 == 0).await;
            producers[producer] = (epoch + 1, 0);
        } else {
            write(&engine, &log, id, epoch, sequence, 3_500).await;
            producers[producer].1 += 2;
        }
        runtime.sleep(Duration::from_millis(700)).await;
    }
    append(&engine, &log, batch(&[value(1, 300)])).await.unwrap();
    match ending {
        Ending::Writing => runtime.sleep(Duration::from_secs(12)).await,
        Ending::Settled => runtime.sleep(Duration::from_secs(60)).await,
        Ending::Closed => engine.close().await.unwrap(),
    }
}

async fn start(runtime: &Runtime) -> (Engine, Rc<Log>) {
    let engine = open(runtime).await.unwrap();
    let log = engine.open_log(spec(0, false)).await.unwrap();
    engine.finish_recovery().await.unwrap();
    (engine, log)
}

/// What readers of committed data are told, read by read.
async fn told(log: &Rc<Log>) -> Vec<(i64, Vec<(i64, i64)>)> {
    let (mut told, mut offset) = (Vec::new(), 0);
    while offset < log.last_stable_offset().0 {
        let limit = ReadLimit::LastStableOffset;
        let options = ReadOptions { offset: Offset(offset), bytes_max: 1, at_least_one_batch: true, limit };
        let read = log.read(options).await.unwrap();
        let aborted = read.aborted_transactions.iter().map(|one| (one.producer_id, one.first_offset.0));
        told.push((offset, aborted.collect()));
        let bytes = read.records.concat();
        offset = Batches::new(&bytes).map(Result::unwrap).last().unwrap().header.last_offset() + 1;
    }
    told
}

async fn named(runtime: &Runtime, extension: &str) -> Vec<PathBuf> {
    let names = runtime.disk().list("data/topic0-0".as_ref()).await.unwrap();
    let mut paths: Vec<PathBuf> = names.iter().map(|name| Path::new("data/topic0-0").join(name)).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

/// The files about which `msgloop check` says something.
async fn found(runtime: &Runtime) -> Vec<PathBuf> {
    let findings = storage::check::check(runtime, "data".as_ref(), &mut |_| Vec::new()).await.unwrap();
    findings.into_iter().map(|finding| finding.file).collect()
}

/// What happened to a file while the node was stopped.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// A bit of this byte.
    Flipped(u64),
    /// So many bytes less.
    Cut(u64),
    Removed,
    /// With the sidecar that says what it holds.
    BothRemoved,
}

async fn cut(runtime: &Runtime, path: &Path, bytes: u64) {
    let length = runtime.disk().stat(path).await.unwrap().bytes;
    let file = runtime.disk().open(path, OpenOptions { write: true, ..Default::default() }).await.unwrap();
    runtime.disk().set_len(&file, length - bytes).await.unwrap();
}

/// Harms one of the indexes; `None` if there are not so many.
fn check(ending: Ending, number: usize, harm: Harm) -> Option<()> {
    let simulation = Simulation::new(21);
    simulation.run(fill(simulation.runtime(), ending));
    let simulation = simulation.crash(CrashPolicy::Killed);
    let runtime = simulation.runtime();
    let (expected, indexes) = simulation.run(async move {
        assert_eq!(found(&runtime).await, [] as [PathBuf; 0]);
        let indexes = named(&runtime, "txnindex").await;
        let logs = named(&runtime, "log").await;
        assert!(indexes.len() >= 3, "closed segments have some");
        assert!(logs.last().unwrap().with_extension("txnindex") == *indexes.last().unwrap(), "the newest one, too");
        let (_, log) = start(&runtime).await;
        (told(&log).await, indexes)
    });
    let path = indexes.get(number)?.clone();
    // The first start may have changed files: harm what the first life left.
    let simulation = Simulation::new(21);
    simulation.run(fill(simulation.runtime(), ending));
    let simulation = simulation.crash(CrashPolicy::Killed);
    if let Harm::Flipped(byte) = harm {
        simulation.flip_bit(&path, byte, 1).unwrap();
    }
    let runtime = simulation.runtime();
    let context = format!("{ending:?} {harm:?} {}", path.display());
    simulation.run(async move {
        match harm {
            Harm::Removed => runtime.disk().remove_file(&path).await.unwrap(),
            Harm::BothRemoved => {
                runtime.disk().remove_file(&path).await.unwrap();
                runtime.disk().remove_file(&path.with_extension("checksums")).await.unwrap();
            }
            Harm::Cut(bytes) => cut(&runtime, &path, bytes).await,
            Harm::Flipped(_) => {}
        }
        let nothing_says_so = matches!(harm, Harm::BothRemoved);
        assert!(nothing_says_so || found(&runtime).await == [path], "{context}");
        for lives in 0..3 {
            let (engine, log) = start(&runtime).await;
            // What later lives add comes after.
            assert_eq!(told(&log).await[..expected.len()], expected[..], "{context}, life {lives}");
            if lives > 0 {
                end(&engine, &log, 100, 50 + lives, false).await;
            }
            engine.close().await.unwrap();
            assert_eq!(found(&runtime).await, [] as [PathBuf; 0], "{context}, life {lives}");
        }
    });
    Some(())
}

fn check_all(harm: Harm) {
    for ending in ENDINGS {
        let harmed = (0..).map_while(|number| check(ending, number, harm)).count();
        assert!(harmed >= 3);
    }
}

#[test]
fn an_index_that_was_removed_or_cut_is_made_again() {
    check_all(Harm::Removed);
    check_all(Harm::BothRemoved);
    check_all(Harm::Cut(34));
    check_all(Harm::Cut(1));
}

#[test]
fn an_index_with_a_damaged_entry_is_made_again() {
    for byte in [1, 9, 17, 25, 33] {
        check_all(Harm::Flipped(byte));
    }
}

/// A sidecar as versions before wrote it: nothing is said of the transaction index.
async fn take_back_statement(runtime: &Runtime, path: &Path) {
    let file = runtime.disk().open(path, OpenOptions { write: true, ..Default::default() }).await.unwrap();
    let bytes = runtime.disk().read(&file, 0, CHECKSUM_HEADER_BYTES).await.unwrap();
    let header = ChecksumHeader::parse(&bytes).unwrap();
    let before = ChecksumHeader { transactions: None, ..header }.to_bytes();
    let before = vec![Bytes::copy_from_slice(&before)];
    runtime.disk().write(&file, before, 0, Durability::Buffered, Lane::Background).await.unwrap();
}

#[test]
fn an_index_of_which_nothing_is_stated_is_believed() {
    for ending in ENDINGS {
        let simulation = Simulation::new(21);
        simulation.run(fill(simulation.runtime(), ending));
        let simulation = simulation.crash(CrashPolicy::Killed);
        let runtime = simulation.runtime();
        simulation.run(async move {
            let (engine, log) = start(&runtime).await;
            let expected = told(&log).await;
            engine.close().await.unwrap();
            for path in named(&runtime, "checksums").await {
                take_back_statement(&runtime, &path).await;
            }
            let (engine, log) = start(&runtime).await;
            assert_eq!(told(&log).await, expected, "{ending:?}");
            engine.close().await.unwrap();
            assert_eq!(found(&runtime).await, [] as [PathBuf; 0], "{ending:?}");
        });
    }
}
