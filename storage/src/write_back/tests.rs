use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::{BatchBuilder, BatchHeader, Compression, NewRecord};

use crate::runtime::BLOCK_BYTES;
use crate::runtime::simulated::Simulation;
use crate::wal::PLACED_BYTES_MIN;
use crate::{AppendOptions, Engine, EngineOptions, LeaderEpoch, Log, LogConfig, LogDirectory, LogId, LogSpec};

const DIRECTORY: Uuid = Uuid([1; 16]);
const MIB: usize = 1 << 20;

#[test]
fn what_is_in_memory_only_stays_below_half_of_it() {
    let check = |used: usize, max: usize, expected: usize| assert_eq!(super::kept_in_memory(used, max), expected);
    check(0, 128 * MIB, 64 * MIB);
    check(96 * MIB, 128 * MIB, 64 * MIB);
    // Short of it: older things first.
    check(97 * MIB, 128 * MIB, 32 * MIB);
    check(200 * MIB, 128 * MIB, 32 * MIB);
    check(0, 4 * MIB, 2 * MIB);
}

#[test]
fn the_shorter_memory_is_the_more_is_written_back_at_a_time() {
    let at_a_time = |eighths: usize| super::at_a_time(eighths * 16 * MIB, 128 * MIB);
    assert_eq!([0, 4, 5, 6, 7, 8, 20].map(at_a_time), [4, 4, 8, 16, 32, 32, 32]);
}

#[test]
fn logs_beyond_the_bound_are_closed_and_opened_again() {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let (engine, logs) = start(&runtime, 5).await;
        engine.set_open_logs_max(2);
        for _ in 0..3 {
            for log in &logs {
                append(&engine, log).await;
                runtime.sleep(Duration::from_millis(1)).await;
            }
            runtime.sleep(super::WRITE_BACK_AGE + super::TICK * 2).await;
            let open: Vec<bool> = logs.iter().map(|log| log.state().files.file.is_some()).collect();
            assert_eq!(open, [false, false, false, true, true], "the latest stay open");
            assert!(logs.iter().all(|log| log.state().unwritten_bytes == 0));
        }
        engine.close().await.unwrap();
    });
}

#[test]
fn a_long_batch_lies_in_memory_as_in_its_segment() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let (engine, logs) = start(&runtime, 2).await;
        for bytes in [300_000, 700_000, 60_000, 400_000, 1_000_000] {
            for log in &logs {
                append_batch(&engine, log, batch_of(bytes)).await;
            }
        }
        for log in &logs {
            let state = log.state();
            let mut placed = 0;
            for batch in state.tail.from(0) {
                let mut position = batch.position as usize;
                for part in batch.memory.parts() {
                    let lies_right = (part.as_ptr() as usize).wrapping_sub(position).is_multiple_of(BLOCK_BYTES);
                    assert!(lies_right || part.len() < PLACED_BYTES_MIN, "{} bytes at {position}", part.len());
                    placed += if lies_right { part.len() } else { 0 };
                    position += part.len();
                }
            }
            assert!(placed > 2_000_000, "most lie right: {placed}");
        }
        engine.close().await.unwrap();
    });
}

#[test]
fn one_busy_log_never_waits_for_its_last_batch_to_grow_old() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let (engine, logs) = start(&runtime, 1).await;
        let began = runtime.now();
        // More than may be in memory.
        for _ in 0..20 * MIB / 9000 {
            append(&engine, &logs[0]).await;
        }
        let took = runtime.now().since(began);
        assert!(took < super::WRITE_BACK_AGE / 2, "appends stood still: {took:?}");
        engine.close().await.unwrap();
    });
}

async fn start(runtime: &crate::runtime::Runtime, logs: u8) -> (Engine, Vec<Rc<Log>>) {
    let options = EngineOptions {
        core: 0,
        cores: 1,
        directories: vec![LogDirectory { id: DIRECTORY, path: "data".into() }],
        wal_bytes_max: 64 << 20,
        wal_file_bytes: MIB as u64,
        tail_bytes_max: 16 * MIB,
    };
    runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
    let engine = Engine::open(runtime.clone(), options).await.unwrap();
    let mut opened = Vec::new();
    for number in 0..logs {
        let id = LogId { topic_id: Uuid([number; 16]), partition: 0 };
        let spec = LogSpec {
            id,
            topic: format!("topic{number}"),
            directory: DIRECTORY,
            config: LogConfig::default(),
            create: true,
        };
        opened.push(engine.open_log(spec).await.unwrap());
    }
    engine.finish_recovery().await.unwrap();
    (engine, opened)
}

async fn append(engine: &Engine, log: &Log) {
    append_batch(engine, log, batch_of(9000)).await;
}

async fn append_batch(engine: &Engine, log: &Log, batch: Bytes) {
    let reservation = engine.reserve(batch.len()).await.unwrap();
    let appended = log.append(reservation, batch, AppendOptions::client(LeaderEpoch(0), 9)).unwrap();
    appended.durable.await.unwrap();
}

fn batch_of(bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    let value = vec![7; bytes];
    let record = NewRecord { timestamp_ms: 1000, key: None, value: Some(&value), headers: &[] };
    builder.append(record).unwrap();
    builder.build().unwrap()
}
