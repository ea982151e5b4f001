//! The driver on a simulated machine: a real log, power cuts, a disk that fails.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::records::Batches;
use storage::producer_state::Verification;
use storage::runtime::Runtime;
use storage::runtime::simulated::{CrashPolicy, Fault, FaultEffect, OperationKind, Simulation};
use storage::{Engine, EngineOptions, LogConfig, LogDirectory, LogId, LogSpec, ReadLimit, ReadOptions};

use super::*;
use crate::config::{BrokerConfig, Settings, Values, topic_config};
use crate::coordinator::InTransaction;
use crate::groups::GroupHome;
use crate::groups::OFFSETS_TOPIC;
use crate::partition::{Leadership, Partition};
use crate::shard::{PartitionSlot, Shard, ShardHandle};
use crate::transactions::markers::Marker;
use crate::transactions::state::Producer;

const HOME: LogId = LogId { topic_id: Uuid([5; 16]), partition: 0 };
const NEIGHBOR: LogId = LogId { partition: 1, ..HOME };

/// A core with two `__consumer_offsets` partitions, which are read in small pieces.
async fn core(runtime: Runtime, create: bool) -> Rc<Shard> {
    let values = Values::from([("offsets.load.buffer.size".to_owned(), "1000".to_owned())]);
    let config = BrokerConfig::new(Settings::fixed(values)).expect("valid settings");
    let directory = LogDirectory { id: Uuid([1; 16]), path: "data".into() };
    runtime.disk().create_directory_all(&directory.path).await.expect("created");
    runtime.disk().sync_directory("".as_ref()).await.expect("synced");
    let options = EngineOptions {
        core: 0,
        cores: 1,
        directories: vec![directory.clone()],
        wal_bytes_max: 16 << 20,
        wal_file_bytes: 1 << 20,
        tail_bytes_max: 32 << 20,
    };
    let engine = Engine::open(runtime.clone(), options).await.expect("opened");
    let topic = topic_config(&Default::default(), &config.settings);
    let mut logs = Vec::new();
    for id in [HOME, NEIGHBOR] {
        let (name, config) = (OFFSETS_TOPIC.to_owned(), topic.log.clone());
        let spec = LogSpec { id, topic: name, directory: directory.id, config, create };
        logs.push(engine.open_log(spec).await.expect("the log opens"));
    }
    engine.finish_recovery().await.expect("recovered");
    let (shards, _) = ShardHandle::new(1);
    let shard = Shard::new(0, runtime, engine, crate::server::shared(config, vec![directory], shards));
    for (id, log) in [HOME, NEIGHBOR].into_iter().zip(logs) {
        let leadership = Leadership { is_leader: true, in_sync_replicas: 1, ..Default::default() };
        let partition = Partition::new(OFFSETS_TOPIC.into(), log, leadership, &topic);
        shard.set_partition(id, Some(PartitionSlot::Online(Rc::new(partition))));
    }
    shard
}

/// The groups of the partition, once they are loaded.
async fn home(shard: &Rc<Shard>) -> Rc<GroupHome> {
    home_of(shard, HOME).await
}

async fn home_of(shard: &Rc<Shard>, id: LogId) -> Rc<GroupHome> {
    let home = shard.groups().homes().home(shard, id).expect("ours");
    while home.read(|_| ()) == Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) {
        shard.runtime().sleep(Duration::from_millis(1)).await;
    }
    home
}

async fn commit(shard: &Rc<Shard>, home: &Rc<GroupHome>, group_id: &str, offset: i64) -> Result<(), ErrorCode> {
    let commit = OffsetToCommit { partition: 0, offset, leader_epoch: -1, metadata: None };
    let topics = [TopicToCommit { name: "t".to_owned(), topic_id: TOPIC_ID, partitions: vec![commit] }];
    let event = CommitEvent { who: NOBODY, version: 8, retention_ms: -1, topics: &topics };
    let (committed, settled) =
        home.change(shard, |state, now_ms, effects| state.commit_offsets(group_id, event, now_ms, effects))?;
    committed?;
    settled.wait(shard).await
}

/// As the producer of this number, which has one transaction.
async fn commit_in_transaction(shard: &Rc<Shard>, home: &Rc<GroupHome>, group_id: &str, id: i64, offset: i64) {
    let commit = OffsetToCommit { partition: 0, offset, leader_epoch: -1, metadata: None };
    let topics = [TopicToCommit { name: "t".to_owned(), topic_id: TOPIC_ID, partitions: vec![commit] }];
    let who = Committer { transactional: true, ..NOBODY };
    let event = CommitEvent { who, version: 8, retention_ms: -1, topics: &topics };
    let transaction = InTransaction { producer: Producer { id, epoch: 0 }, verification: Verification::Waived };
    let (committed, settled) = home
        .change(shard, |state, now_ms, effects| {
            state.commit_offsets_in_transaction(group_id, event, transaction, now_ms, effects)
        })
        .expect("loaded");
    committed.expect("nothing is wrong with it");
    settled.wait(shard).await.expect("durable");
}

async fn end_transaction(shard: &Rc<Shard>, home: &Rc<GroupHome>, id: i64, commit: bool) {
    let producer = Producer { id, epoch: 0 };
    let marker = Marker { producer, commit, coordinator_epoch: 0, transaction_version: 0 };
    home.end_transaction(shard, marker).expect("loaded").wait(shard).await.expect("durable");
}

fn committed(home: &GroupHome, group_id: &str) -> Option<i64> {
    home.read(|state| state.offsets().get(group_id, "t", 0).map(|offset| offset.offset)).expect("loaded")
}

async fn batches(shard: &Rc<Shard>) -> usize {
    let partition = shard.partition(HOME).expect("open");
    let options = ReadOptions {
        offset: partition.log().log_start_offset(),
        bytes_max: 16 << 20,
        at_least_one_batch: true,
        limit: ReadLimit::LogEnd,
    };
    let read = partition.log().read(options).await.expect("read");
    let records = read.records.concat();
    let batches: Vec<_> = Batches::new(&records).map(|batch| batch.expect("whole")).collect();
    batches.len()
}

#[test]
fn commits_that_come_together_share_batches_and_none_is_seen_before_it_is_durable() {
    let simulation = Simulation::new(1);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, true).await;
        let home = home(&shard).await;
        let names: Vec<String> = (0..500).map(|number| format!("g{number}")).collect();
        let outcomes = join_all(names.iter().map(|name| commit(&shard, &home, name, 7))).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert!(names.iter().all(|name| committed(&home, name) == Some(7)));
        assert!(batches(&shard).await <= 10, "{}", batches(&shard).await);
    });
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_cut_at_any_moment() {
    for seed in 0..40 {
        let simulation = Simulation::new(seed);
        let runtime = simulation.runtime();
        let acknowledged = Rc::new(std::cell::RefCell::new(BTreeMap::new()));
        let acks = acknowledged.clone();
        // The machine stops in the middle of the third round at the latest.
        let stop_after = 25 + seed;
        simulation.run({
            let runtime = runtime.clone();
            async move {
                core(runtime, true).await.engine().close().await.expect("closed");
            }
        });
        simulation.stop_after_changes(stop_after);
        let _ = simulation.run_until_stopped(async move {
            let shard = core(runtime, false).await;
            let home = home(&shard).await;
            for offset in 1..200 {
                let names: Vec<String> = (0..5).map(|number| format!("g{number}")).collect();
                let commits = names.iter().map(|name| {
                    let (shard, home, acks) = (&shard, &home, &acks);
                    async move {
                        commit(shard, home, name, offset).await.expect("the disk is fine");
                        acks.borrow_mut().insert(name.clone(), offset);
                    }
                });
                join_all(commits).await;
            }
        });
        let simulation = simulation.crash(CrashPolicy::Random);
        let runtime = simulation.runtime();
        let acknowledged = acknowledged.borrow().clone();
        simulation.run(async move {
            let shard = core(runtime, false).await;
            let home = home(&shard).await;
            for (name, offset) in &acknowledged {
                let found = committed(&home, name).unwrap_or(-1);
                assert!(found == *offset || found == offset + 1, "seed {seed}: {name} at {found}, {offset} was acked");
            }
        });
    }
}

#[test]
fn partitions_are_read_one_after_the_other() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, true).await;
        for (id, count) in [(HOME, 40), (NEIGHBOR, 1)] {
            let home = home_of(&shard, id).await;
            for offset in 0..count {
                commit(&shard, &home, "g", offset).await.expect("durable");
            }
        }
    });
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, false).await;
        let [first, next] = [HOME, NEIGHBOR].map(|id| shard.groups().homes().home(&shard, id).expect("ours"));
        while next.read(|_| ()).is_err() {
            let first_is_read = first.read(|_| ()).is_ok();
            shard.runtime().yield_now().await;
            assert!(first_is_read || next.read(|_| ()).is_err(), "the next one was not to be read yet");
        }
        assert_eq!((committed(&first, "g"), committed(&next, "g")), (Some(39), Some(0)));
    });
}

#[test]
fn a_partition_that_was_compacted_says_the_same() {
    let simulation = Simulation::new(3);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, true).await;
        let home = home(&shard).await;
        let log = shard.partition(HOME).expect("open").log().clone();
        let compact = Values::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        let config = topic_config(&compact, &Settings::default()).log;
        log.set_config(LogConfig { segment_bytes: 2_000, ..config });
        commit(&shard, &home, "gone", 1).await.expect("durable");
        let (_, deleted) = home
            .change(&shard, |state, _, effects| state.delete_groups(&["gone".to_owned()], effects))
            .expect("loaded");
        deleted.wait(&shard).await.expect("durable");
        commit_in_transaction(&shard, &home, "a", 3, 50).await;
        end_transaction(&shard, &home, 3, false).await;
        for round in 0..100 {
            for group in ["a", "b"] {
                commit(&shard, &home, group, round).await.expect("durable");
            }
        }
        commit_in_transaction(&shard, &home, "a", 1, 200).await;
        end_transaction(&shard, &home, 1, true).await;
        // Aborted, and older than what is committed; and one whose end is still to come.
        commit_in_transaction(&shard, &home, "b", 2, 300).await;
        end_transaction(&shard, &home, 2, false).await;
        commit_in_transaction(&shard, &home, "b", 4, 400).await;
        let before = log.bytes();
        // Write-back, and the cleaner's pause.
        shard.runtime().sleep(Duration::from_secs(60)).await;
        assert!(log.bytes() < 6_000 && before > 15_000, "{before} bytes became {}", log.bytes());
    });
    let simulation = simulation.crash(CrashPolicy::LoseAll);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, false).await;
        assert_eq!(
            shard.groups().homes().home(&shard, HOME).map(|home| home.read(|_| ())),
            Ok(Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS))
        );
        let home = home(&shard).await;
        assert_eq!((committed(&home, "a"), committed(&home, "b")), (Some(200), Some(99)));
        assert_eq!((committed(&home, "gone"), home.read(GroupState::group_count)), (None, Ok(2)));
        end_transaction(&shard, &home, 4, true).await;
        assert_eq!(committed(&home, "b"), Some(400));
    });
}

#[test]
fn members_are_answered_by_the_clock_and_when_the_partition_goes() {
    let simulation = Simulation::new(4);
    let runtime = simulation.runtime();
    simulation.run(async move {
        let shard = core(runtime, true).await;
        let home = home(&shard).await;
        let join = |name: &str| {
            let join = Join::instance(name);
            let (answer, _) = home
                .change(&shard, |state, now_ms, effects| {
                    let (token, answer) = shard.groups().wait();
                    let client = ("client", "/127.0.0.1");
                    let event = JoinEvent::new(&join.request(), 5, client, shard.random_id(), token);
                    state.join(GROUP, &event, now_ms, effects);
                    answer
                })
                .expect("loaded");
            answer
        };
        let started = shard.runtime().now();
        let Ok(Reply::Join(response)) = join("s").await else { panic!("no answer") };
        assert_eq!((response.error_code, response.generation_id), (ErrorCode::NONE, 1));
        assert_eq!(shard.runtime().now().since(started).as_millis(), 3_000, "group.initial.rebalance.delay.ms");
        let parked = join("other");
        shard.groups().homes().close_all(&shard);
        let Ok(Reply::Join(response)) = parked.await else { panic!("no answer") };
        assert_eq!(response.error_code, ErrorCode::NOT_COORDINATOR);
    });
}

#[test]
fn a_disk_that_fails_is_told_and_nothing_is_pretended() {
    let simulation = Simulation::new(5);
    let runtime = simulation.runtime();
    let (shard, home) = simulation.run(async move {
        let shard = core(runtime, true).await;
        let home = home(&shard).await;
        commit(&shard, &home, "g", 1).await.expect("durable");
        (shard, home)
    });
    // Not the file after it, which is being prepared meanwhile.
    let in_use = |path: &Path| path.ends_with("00000.wal");
    simulation.inject(Fault::new(&[OperationKind::Write], FaultEffect::Error).on_path(in_use));
    simulation.run(async move {
        assert_eq!(commit(&shard, &home, "g", 2).await, Err(ErrorCode::NOT_COORDINATOR));
        assert_eq!(commit(&shard, &home, "g", 3).await, Err(ErrorCode::NOT_COORDINATOR));
        assert_eq!(committed(&home, "g"), Some(1));
    });
}
