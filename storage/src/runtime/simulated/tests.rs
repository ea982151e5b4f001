use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::super::buffers::aligned_zeroed;
use super::super::{BLOCK_BYTES, Durability, File, Lane, OpenOptions, Runtime};
use super::*;

const CREATE: OpenOptions = OpenOptions { write: true, create: true, create_new: false, direct: false };

/// Opens `data/<name>` with its name durable.
async fn open(runtime: &Runtime, name: &str) -> File {
    let disk = runtime.disk();
    disk.create_directory_all("data".as_ref()).await.unwrap();
    disk.sync_directory("".as_ref()).await.unwrap();
    let file = disk.open(&Path::new("data").join(name), CREATE).await.unwrap();
    disk.sync_directory("data".as_ref()).await.unwrap();
    file
}

async fn write(runtime: &Runtime, file: &File, data: &[u8], offset: u64, durability: Durability) -> io::Result<()> {
    runtime.disk().write(file, vec![Bytes::copy_from_slice(data)], offset, durability, Lane::Commit).await
}

/// What `data/<name>` holds on `simulation`, `None` if it is not there.
fn content(simulation: &Simulation, name: &str) -> Option<Vec<u8>> {
    let runtime = simulation.runtime();
    let path = Path::new("data").join(name);
    simulation.run(async move {
        let file = runtime.disk().open(&path, OpenOptions::default()).await.ok()?;
        Some(runtime.disk().read(&file, 0, 1 << 20).await.unwrap().to_vec())
    })
}

fn is_error(result: io::Result<()>, code: i32) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(code))
}

#[test]
fn what_a_crash_leaves_depends_on_what_was_synced() {
    let check = |durability: Durability, sync: bool, policy: CrashPolicy, expected: &[u8]| {
        let simulation = Simulation::new(1);
        let runtime = simulation.runtime();
        simulation.run(async move {
            let file = open(&runtime, "a").await;
            write(&runtime, &file, b"hello", 0, durability).await.unwrap();
            if sync {
                runtime.disk().sync_data(&file, Lane::Commit).await.unwrap();
            }
        });
        let after = content(&simulation.crash(policy), "a").unwrap();
        assert_eq!(after, expected, "{durability:?} sync {sync} {policy:?}");
    };
    check(Durability::Buffered, false, CrashPolicy::LoseAll, b"");
    check(Durability::Buffered, false, CrashPolicy::KeepAll, b"hello");
    check(Durability::Buffered, false, CrashPolicy::Killed, b"hello");
    check(Durability::Buffered, true, CrashPolicy::LoseAll, b"hello");
    check(Durability::Durable, false, CrashPolicy::LoseAll, b"hello");
    check(Durability::Durable, false, CrashPolicy::Random, b"hello");
}

#[test]
fn names_survive_only_a_directory_sync() {
    let simulation = Simulation::new(2);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let disk = runtime.disk();
        let kept = open(&runtime, "kept").await;
        write(&runtime, &kept, b"kept", 0, Durability::Durable).await.unwrap();
        disk.rename("data/kept".as_ref(), "data/moved".as_ref()).await.unwrap();
        let new = disk.open("data/new".as_ref(), CREATE).await.unwrap();
        write(&runtime, &new, b"new", 0, Durability::Durable).await.unwrap();
    });
    let lost = simulation.crash(CrashPolicy::LoseAll);
    assert_eq!(
        (content(&lost, "kept"), content(&lost, "moved"), content(&lost, "new")),
        (Some(b"kept".into()), None, None)
    );
    let kept = simulation.crash(CrashPolicy::KeepAll);
    assert_eq!((content(&kept, "kept"), content(&kept, "moved")), (None, Some(b"kept".into())));
    assert_eq!(content(&kept, "new"), Some(b"new".into()));
}

#[test]
fn a_removed_directory_may_come_back_in_part_but_not_after_a_sync() {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    simulation.run(async {
        open(&runtime, "a").await;
        open(&runtime, "b").await;
        runtime.disk().remove_directory_all("data".as_ref()).await.unwrap();
    });
    let seen: BTreeSet<_> = (0..60)
        .map(|_| simulation.crash(CrashPolicy::Random))
        .map(|after| (content(&after, "a").is_some(), content(&after, "b").is_some()))
        .collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn random_crashes_keep_lose_and_tear() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async {
        let file = open(&runtime, "a").await;
        write(&runtime, &file, &[1; 1024], 0, Durability::Durable).await.unwrap();
        write(&runtime, &file, &[2; 1024], 0, Durability::Buffered).await.unwrap();
    });
    let seen: BTreeSet<Vec<u8>> =
        (0..100).map(|_| content(&simulation.crash(CrashPolicy::Random), "a").unwrap()).collect();
    let expected = [[1, 1], [1, 2], [2, 1], [2, 2]].map(|sectors| sectors.map(|value| [value; 512]).concat());
    assert_eq!(seen, BTreeSet::from(expected));
}

#[test]
fn a_sync_does_not_cover_a_write_in_flight_beside_it() {
    let options = SimulationOptions { change_latency_ns: (10, 10), ..SimulationOptions::default() };
    let simulation = Simulation::with_options(5, options);
    let runtime = simulation.runtime();
    simulation.run(async {
        let file = open(&runtime, "a").await;
        let disk = runtime.disk();
        let writing = disk.write(&file, vec![Bytes::from_static(b"late")], 0, Durability::Buffered, Lane::Commit);
        let syncing = disk.sync_data(&file, Lane::Commit);
        writing.await.unwrap();
        syncing.await.unwrap();
    });
    assert_eq!(content(&simulation.crash(CrashPolicy::LoseAll), "a").unwrap(), b"");
}

#[test]
fn a_failed_sync_loses_the_unsynced_data_for_good() {
    let simulation = Simulation::new(6);
    let runtime = simulation.runtime();
    simulation.inject(
        Fault::new(&[OperationKind::SyncData], FaultEffect::Error).on_path(|path| path.ends_with("a")).from_nth(2),
    );
    simulation.run(async {
        let file = open(&runtime, "a").await;
        write(&runtime, &file, b"old", 0, Durability::Buffered).await.unwrap();
        runtime.disk().sync_data(&file, Lane::Commit).await.unwrap();
        write(&runtime, &file, b"new", 0, Durability::Buffered).await.unwrap();
        assert!(is_error(runtime.disk().sync_data(&file, Lane::Commit).await, libc::EIO));
        runtime.disk().sync_data(&file, Lane::Commit).await.unwrap();
    });
    assert_eq!(content(&simulation, "a").unwrap(), b"old");
    assert_eq!(content(&simulation.crash(CrashPolicy::KeepAll), "a").unwrap(), b"old");
}

#[test]
fn planned_faults_meet_the_operations_they_fit() {
    let check = |effect: FaultEffect, expected: fn(io::Result<()>) -> bool, left: &[u8]| {
        let simulation = Simulation::new(7);
        let runtime = simulation.runtime();
        simulation.inject(Fault::new(&[OperationKind::Write], effect));
        let result = simulation.run(async {
            let file = open(&runtime, "a").await;
            write(&runtime, &file, b"xy", 0, Durability::Durable).await
        });
        assert!(expected(result), "{effect:?}");
        assert_eq!(content(&simulation.crash(CrashPolicy::LoseAll), "a").unwrap(), left, "{effect:?}");
    };
    check(FaultEffect::Error, |result| is_error(result, libc::EIO), b"");
    check(FaultEffect::NoSpace, |result| is_error(result, libc::ENOSPC), b"");
    check(FaultEffect::LostWrite, |result| result.is_ok(), b"");
    check(FaultEffect::MisdirectedWrite(1), |result| result.is_ok(), b"\0xy");
    check(FaultEffect::Delay(Duration::from_secs(9)), |result| result.is_ok(), b"xy");
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let simulation = Simulation::new(8);
    let runtime = simulation.runtime();
    simulation.set_capacity_bytes(Some(2 * BLOCK_BYTES as u64));
    simulation.run(async {
        let file = open(&runtime, "a").await;
        write(&runtime, &file, &[1; 2 * BLOCK_BYTES], 0, Durability::Durable).await.unwrap();
        write(&runtime, &file, &[2; 2 * BLOCK_BYTES], 0, Durability::Durable).await.unwrap();
        let more = open(&runtime, "b").await;
        assert!(is_error(write(&runtime, &more, b"c", 0, Durability::Durable).await, libc::ENOSPC));
        assert_eq!(runtime.disk().space("data".as_ref()).await.unwrap().available_bytes, 0);
        runtime.disk().remove_file("data/a".as_ref()).await.unwrap();
        write(&runtime, &more, b"c", 0, Durability::Durable).await.unwrap();
    });
}

#[test]
fn direct_files_insist_on_blocks() {
    let simulation = Simulation::new(9);
    let runtime = simulation.runtime();
    simulation.run(async {
        let disk = runtime.disk();
        let file = disk.open("a".as_ref(), OpenOptions { direct: true, ..CREATE }).await.unwrap();
        assert!(file.is_direct());
        let check = |offset, data: Bytes| disk.write(&file, vec![data], offset, Durability::Durable, Lane::Commit);
        check(0, aligned_zeroed(BLOCK_BYTES).freeze()).await.unwrap();
        check(0, aligned_zeroed(BLOCK_BYTES - 1).freeze()).await.unwrap_err();
        check(512, aligned_zeroed(BLOCK_BYTES).freeze()).await.unwrap_err();
        check(0, aligned_zeroed(2 * BLOCK_BYTES).freeze().slice(1..=BLOCK_BYTES)).await.unwrap_err();
        disk.read(&file, 0, 100).await.unwrap_err();
        assert_eq!(disk.read(&file, 0, 2 * BLOCK_BYTES).await.unwrap().len(), BLOCK_BYTES);
    });
}

/// Four cores that write, sleep and read, and a task of the first that is dropped half way.
fn busy(simulation: &Simulation) {
    let runtimes: Vec<Runtime> = (0..4).map(|_| simulation.runtime()).collect();
    for (core, runtime) in runtimes.into_iter().enumerate() {
        let own = runtime.clone();
        runtime.spawn(async move {
            let file = open(&own, &format!("file-{core}")).await;
            for round in 0..20_u64 {
                let data = own.random_u64().to_be_bytes();
                let _ = write(&own, &file, &data, round * 8, Durability::Buffered).await;
                own.sleep(Duration::from_micros(own.random_u64() % 500)).await;
                let _ = own.timeout(Duration::from_micros(100), own.disk().sync_data(&file, Lane::Commit)).await;
            }
        });
    }
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    let run = |seed, shuffle_tasks| {
        let options = SimulationOptions { shuffle_tasks, ..SimulationOptions::default() };
        let simulation = Simulation::with_options(seed, options);
        busy(&simulation);
        simulation.run_until_stalled();
        let after = simulation.crash(CrashPolicy::Random);
        let contents: Vec<_> = (0..4).map(|core| content(&after, &format!("file-{core}"))).collect();
        (simulation.schedule_hash(), simulation.trace(), after.schedule_hash(), contents)
    };
    for shuffle in [false, true] {
        assert_eq!(run(11, shuffle), run(11, shuffle));
        assert_ne!(run(11, shuffle).0, run(12, shuffle).0);
    }
}

#[test]
fn a_trace_can_be_cut_after_every_change() {
    let whole = Simulation::new(13);
    busy(&whole);
    whole.run_until_stalled();
    for last in 1..=whole.changes() {
        let cut = Simulation::new(13);
        cut.stop_after_changes(last);
        busy(&cut);
        assert_eq!(cut.run_until_stopped(std::future::pending::<()>()), Outcome::Stopped);
        assert_eq!(cut.changes(), last);
        let trace = cut.trace();
        assert_eq!(trace[..], whole.trace()[..trace.len()]);
        cut.crash(CrashPolicy::Random);
    }
}

#[test]
fn time_passes_only_in_events() {
    let simulation = Simulation::new(14);
    let runtime = simulation.runtime();
    let slept = simulation.run(async {
        let start = runtime.now();
        assert_eq!(runtime.timeout(Duration::from_secs(1), std::future::pending::<()>()).await, None);
        runtime.sleep(Duration::from_secs(86_400)).await;
        runtime.now().since(start)
    });
    assert_eq!(slept, Duration::from_secs(86_401));
    let wall = runtime.wall_clock_ms();
    simulation.set_wall_clock_offset_ms(-5);
    assert_eq!(runtime.wall_clock_ms(), wall - 5);
    simulation.run_for(Duration::from_millis(7));
    assert_eq!(runtime.wall_clock_ms(), wall + 2);
    assert_eq!(simulation.run_until_stopped(std::future::pending::<()>()), Outcome::Stalled);
}
