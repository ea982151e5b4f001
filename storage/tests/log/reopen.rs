//! Append, read, stop in some way, start again.

use storage::runtime::simulated::{CrashPolicy, Simulation};

use crate::harness::{append, append_options, batch, log_id, open, read_all, spec, value};

/// Appends batches of these sizes to three partitions in turn, loses the power after the last ack, and reads all back.
fn check(sizes: &[usize], policy: CrashPolicy) {
    let simulation = Simulation::new(7);
    let runtime = simulation.runtime();
    let (sizes, written) = (sizes.to_vec(), sizes.to_vec());
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let mut logs = Vec::new();
        for number in 0..3 {
            logs.push(engine.open_log(spec(number, true)).await.unwrap());
        }
        engine.finish_recovery().await.unwrap();
        for (index, size) in sizes.iter().enumerate() {
            let log = &logs[index % 3];
            let expected = log.log_end_offset().0;
            let offset = append(&engine, log, batch(&[value(index as u64, *size)])).await.unwrap();
            assert_eq!(offset, expected);
        }
    });
    let simulation = simulation.crash(policy);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        for number in 0..3u8 {
            let log = engine.open_log(spec(number, false)).await.unwrap();
            let expected: Vec<_> = (0..written.len()).filter(|index| index % 3 == usize::from(number)).collect();
            let expected: Vec<_> = expected
                .iter()
                .enumerate()
                .map(|(at, &index)| (at as i64, value(index as u64, written[index])))
                .collect();
            assert_eq!(read_all(&log, 0, 10_000).await, expected, "{policy:?}");
        }
        let report = engine.finish_recovery().await.unwrap();
        assert!(report.quarantined.is_empty());
        assert!(engine.log(log_id(0)).is_some());
    });
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_cut() {
    for policy in [CrashPolicy::KeepAll, CrashPolicy::LoseAll, CrashPolicy::Random, CrashPolicy::Killed] {
        check(&[100], policy);
        check(&[10, 5000, 100, 4096, 70_000, 3, 300, 20_000], policy);
        check(&[1000; 60], policy);
        // Over several files of the ring.
        check(&[30_000, 60_000, 100_000], policy);
    }
}

#[test]
fn nobody_reads_what_is_not_durable_yet() {
    let simulation = Simulation::new(8);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let log = engine.open_log(spec(0, true)).await.unwrap();
        engine.finish_recovery().await.unwrap();
        let batch = batch(&[value(1, 100)]);
        let reservation = engine.reserve(batch.len()).await.unwrap();
        let appended = log.append(reservation, batch, append_options()).unwrap();
        assert_eq!((log.high_watermark().0, log.log_end_offset().0), (0, 1));
        assert!(read_all(&log, 0, 10_000).await.is_empty());
        appended.durable.await.unwrap();
        assert_eq!(log.high_watermark().0, 1, "the high watermark has moved before the ack");
        assert_eq!(read_all(&log, 0, 10_000).await.len(), 1);
    });
}

/// Somebody removes what `victim` names, in the directory of a stopped node.
fn check_removed(victim: &'static str, policy: CrashPolicy) {
    let simulation = Simulation::new(9);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let engine = open(&runtime).await.unwrap();
        let logs = [engine.open_log(spec(0, true)).await.unwrap(), engine.open_log(spec(1, true)).await.unwrap()];
        engine.finish_recovery().await.unwrap();
        append(&engine, &logs[1], batch(&[value(1, 5_000)])).await.unwrap();
        // Deleted and made again under the same name: another topic.
        let other = engine.open_log(spec(2, true)).await.unwrap();
        engine.delete_log(other.id()).await.unwrap();
    });
    let simulation = simulation.crash(policy);
    let runtime = simulation.runtime();
    simulation.run(async move {
        match victim {
            "data/topic0-0" => runtime.disk().remove_directory_all(victim.as_ref()).await.unwrap(),
            _ => runtime.disk().remove_file(victim.as_ref()).await.unwrap(),
        }
        for create in [true, false] {
            let engine = open(&runtime).await.unwrap();
            let Err(error) = engine.open_log(spec(0, create)).await else { panic!("{victim} is missing") };
            assert!(error.to_string().contains("topic0-0 was in use and is missing"), "{error}");
            let log = engine.open_log(spec(1, false)).await.unwrap();
            assert_eq!(read_all(&log, 0, 10_000).await.len(), 1, "other partitions are served");
            assert!(engine.open_log(spec(2, true)).await.is_ok(), "what was deleted may be made again");
            engine.finish_recovery().await.unwrap();
            engine.delete_log(log_id(2)).await.unwrap();
            engine.close().await.unwrap();
        }
    });
}

#[test]
fn a_partition_that_was_opened_is_not_begun_anew() {
    for policy in [CrashPolicy::KeepAll, CrashPolicy::LoseAll] {
        check_removed("data/topic0-0", policy);
        check_removed("data/topic0-0/partition.metadata", policy);
    }
}
