//! Another number of cores.

use storage::merge_rings;
use storage::runtime::simulated::{CrashPolicy, Outcome, Simulation};
use storage::{Engine, EngineOptions};

use crate::harness::{append, batch, options, read_all, spec, value};

fn on(core: usize, cores: usize) -> EngineOptions {
    EngineOptions { core, cores, ..options() }
}

/// Two cores write a partition each; then there is one core. The merge is interrupted after `changes` changes, twice.
fn check(changes: u64, policy: CrashPolicy) -> bool {
    let simulation = Simulation::new(changes);
    let runtime = simulation.runtime();
    simulation.run(async move {
        runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
        runtime.disk().sync_directory("".as_ref()).await.unwrap();
        merge_rings(&runtime, &options().directories, 2).await.unwrap();
        for core in 0..2u8 {
            let engine = Engine::open(runtime.clone(), on(usize::from(core), 2)).await.unwrap();
            let log = engine.open_log(spec(core, true)).await.unwrap();
            engine.finish_recovery().await.unwrap();
            for index in 0..20 {
                append(&engine, &log, batch(&[value(index, 1_000)])).await.unwrap();
            }
        }
    });
    let mut simulation = simulation.crash(policy);
    let mut done = false;
    for changes in [changes, changes / 2] {
        simulation.stop_after_changes(changes);
        let runtime = simulation.runtime();
        let merged = simulation
            .run_until_stopped(async move { merge_rings(&runtime, &options().directories, 1).await.unwrap() });
        done = matches!(merged, Outcome::Done(_));
        simulation = simulation.crash(policy);
    }
    let runtime = simulation.runtime();
    simulation.run(async move {
        let report = merge_rings(&runtime, &options().directories, 1).await.unwrap();
        assert!(report.quarantined.is_empty());
        let engine = Engine::open(runtime.clone(), on(0, 1)).await.unwrap();
        for number in 0..2 {
            let log = engine.open_log(spec(number, false)).await.unwrap();
            let expected: Vec<_> = (0..20).map(|index| (index as i64, value(index, 1_000))).collect();
            assert!(read_all(&log, 0, 5_000).await == expected, "partition {number}");
        }
        let report = engine.finish_recovery().await.unwrap();
        assert_eq!(report.batches_replayed, 0, "the old rings are gone");
    });
    done
}

#[test]
fn with_fewer_cores_all_rings_are_merged_into_segments_wherever_the_power_is_cut() {
    for changes in 1.. {
        let policy = [CrashPolicy::Random, CrashPolicy::LoseAll, CrashPolicy::KeepAll][changes as usize % 3];
        if check(changes, policy) {
            return;
        }
    }
}
