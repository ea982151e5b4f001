//! The power is cut after every change of the disk in the lives of transactions: committed, aborted, left to the clock,
//! ended by the next producer of the id. Whatever is left, a transaction is seen everywhere or nowhere, offsets included;
//! it is seen if its commit was acknowledged, and is not if nobody asked for one; none stays open; and the id goes on
//! with its producer id under an epoch that nobody was told before.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use broker::groups::OFFSETS_TOPIC;
use broker::internal_topics::{TRANSACTION_STATE_TOPIC, ensure};
use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, CreateTopicsRequest, EndTxnRequest, FetchRequest,
    InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, TxnOffsetCommitRequest,
};
use protocol::records::{Attributes, BatchBuilder, BatchHeader, Batches, Compression, NewRecord};
use storage::runtime::simulated::{CrashPolicy, Outcome, Simulation, SimulationOptions};
use storage::runtime::{LocalFuture, Runtime};

use crate::machine::{Client, Machine, cores};
use crate::support::{fetch, produce, record_bytes, row};

pub const TOPIC: &str = "t";
pub const PARTITIONS: i32 = 3;
const GROUP: &str = "g";
const ID: &str = "id";
/// Of `transaction.timeout.ms`; those who leave a transaction to the clock wait for twice that.
const TIMEOUT_MS: i32 = 2_000;
const POLICIES: [CrashPolicy; 4] =
    [CrashPolicy::Random, CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Killed];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// What the client knows of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nobody asked for its commit.
    Never,
    /// The commit was asked for, and there was no answer.
    Unknown,
    /// The commit was acknowledged.
    Committed,
}

/// The protocol of the client: whether it adds partitions by itself and keeps its epoch from one transaction to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Old,
    New,
}

/// What the client knows, and what it may be told once only.
#[derive(Debug)]
struct Model {
    protocol: Protocol,
    /// By number, which is also what the transaction writes.
    fates: Vec<Fate>,
    /// Producers of the transactional id, oldest first.
    told: Vec<Producer>,
    /// Ids of producers without transactions.
    plain: BTreeSet<i64>,
    /// Next sequence numbers.
    sequences: BTreeMap<(i64, i16, i32), i32>,
}

impl Model {
    fn new(protocol: Protocol) -> Model {
        Model { protocol, fates: Vec::new(), told: Vec::new(), plain: BTreeSet::new(), sequences: BTreeMap::new() }
    }
}

type Shared = Rc<RefCell<Model>>;

/// The client: one producer at a time, and its book.
struct Writer {
    client: Client,
    model: Shared,
    producer: Producer,
}

impl Writer {
    /// Asks until the transaction before is out of the way.
    async fn init(client: Client, model: &Shared) -> Writer {
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.to_owned()),
            transaction_timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        loop {
            let given = client.call(&request, 4).await;
            if given.error_code == ErrorCode::NONE {
                let producer = Producer { id: given.producer_id, epoch: given.producer_epoch };
                let writer = Writer { client, model: model.clone(), producer };
                writer.told(producer);
                return writer;
            }
            let soon = [ErrorCode::CONCURRENT_TRANSACTIONS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS];
            assert!(soon.contains(&given.error_code), "{:?}", given.error_code);
            client.shard.runtime().sleep(Duration::from_millis(20)).await;
        }
    }

    /// A pair of id and epoch is told once; the id stays, and its epochs only rise.
    fn told(&self, producer: Producer) {
        let told = &mut self.model.borrow_mut().told;
        if let Some(last) = told.last() {
            assert!(producer.id == last.id && producer.epoch > last.epoch, "{producer:?} after {last:?}");
        }
        told.push(producer);
    }

    /// Begins a transaction, and writes its number to every partition and as an offset of the group.
    async fn write(&self) -> usize {
        let number = self.model.borrow().fates.len();
        self.model.borrow_mut().fates.push(Fate::Never);
        if self.model.borrow().protocol == Protocol::Old {
            self.add_all().await;
        }
        for partition in 0..PARTITIONS {
            assert_eq!(self.produce(partition, number).await, ErrorCode::NONE);
        }
        assert_eq!(self.commit_offset(number).await, ErrorCode::NONE);
        number
    }

    async fn add_all(&self) {
        let topic = AddPartitionsToTxnTopic { name: TOPIC.to_owned(), partitions: (0..PARTITIONS).collect() };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: ID.to_owned(),
            v3_and_below_producer_id: self.producer.id,
            v3_and_below_producer_epoch: self.producer.epoch,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        // The markers of the transaction before may be on their way.
        let added = self.until_settled(async || {
            let answer = self.client.call(&request, 3).await;
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        });
        assert_eq!(added.await, ErrorCode::NONE);
        let request = AddOffsetsToTxnRequest {
            transactional_id: ID.to_owned(),
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            group_id: GROUP.to_owned(),
        };
        assert_eq!(self.client.call(&request, 3).await.error_code, ErrorCode::NONE);
    }

    async fn until_settled(&self, ask: impl AsyncFn() -> ErrorCode) -> ErrorCode {
        loop {
            let code = ask().await;
            let soon = [ErrorCode::CONCURRENT_TRANSACTIONS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS];
            if !soon.contains(&code) {
                return code;
            }
            self.client.shard.runtime().sleep(Duration::from_millis(20)).await;
        }
    }

    async fn produce(&self, partition: i32, number: usize) -> ErrorCode {
        let key = (self.producer.id, self.producer.epoch, partition);
        let sequence = self.model.borrow().sequences.get(&key).copied().unwrap_or(0);
        let batch = batch(self.producer, sequence, number);
        let version = if self.model.borrow().protocol == Protocol::New { 12 } else { 9 };
        let request = ProduceRequest { transactional_id: Some(ID.to_owned()), ..produce(TOPIC, partition, batch) };
        let code = self.until_settled(async || row(self.client.call(&request, version).await).error_code).await;
        if code == ErrorCode::NONE {
            self.model.borrow_mut().sequences.insert(key, sequence + 1);
        }
        code
    }

    async fn commit_offset(&self, number: usize) -> ErrorCode {
        let committed_offset = number as i64;
        let partition =
            TxnOffsetCommitRequestPartition { committed_offset, committed_leader_epoch: -1, ..Default::default() };
        let topic =
            TxnOffsetCommitRequestTopic { name: TOPIC.to_owned(), partitions: vec![partition], ..Default::default() };
        let request = TxnOffsetCommitRequest {
            transactional_id: ID.to_owned(),
            group_id: GROUP.to_owned(),
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let version = if self.model.borrow().protocol == Protocol::New { 5 } else { 3 };
        self.until_settled(async || self.client.call(&request, version).await.topics[0].partitions[0].error_code).await
    }

    async fn end(&mut self, number: usize, commit: bool) -> ErrorCode {
        if commit {
            self.model.borrow_mut().fates[number] = Fate::Unknown;
        }
        let version = if self.model.borrow().protocol == Protocol::New { 5 } else { 3 };
        let (producer, told) = (self.producer, RefCell::new(None));
        let code = self.until_settled(async || {
            let request = EndTxnRequest {
                transactional_id: ID.to_owned(),
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                committed: commit,
            };
            let ended = self.client.call(&request, version).await;
            *told.borrow_mut() = Some(Producer { id: ended.producer_id, epoch: ended.producer_epoch });
            ended.error_code
        });
        let code = code.await;
        if code == ErrorCode::NONE {
            if commit {
                self.model.borrow_mut().fates[number] = Fate::Committed;
            }
            if version == 5 {
                self.producer = told.take().unwrap();
                self.told(self.producer);
            }
        }
        code
    }

    async fn transact(&mut self, commit: bool) {
        let number = self.write().await;
        assert_eq!(self.end(number, commit).await, ErrorCode::NONE);
    }
}

pub fn batch(producer: Producer, base_sequence: i32, number: usize) -> Bytes {
    let header = BatchHeader {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence,
        attributes: Attributes(Attributes::TRANSACTIONAL),
        ..Default::default()
    };
    let mut builder = BatchBuilder::new(header, Compression::None);
    let value = number.to_string();
    builder.append(NewRecord { timestamp_ms: 1_000, value: Some(value.as_bytes()), ..Default::default() }).unwrap();
    builder.build().unwrap()
}

/// The topics, and nothing in them.
pub async fn prepare(machine: &Machine) {
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() };
    let created = machine.client(0).call(&request, 5).await;
    assert_eq!(created.topics[0].error_code, ErrorCode::NONE);
    for internal in [TRANSACTION_STATE_TOPIC, OFFSETS_TOPIC] {
        ensure(machine.shard(0), internal).await.unwrap();
    }
}

async fn plain_producer(client: &Client, model: &Shared) {
    let given = client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 4).await;
    assert_eq!(given.error_code, ErrorCode::NONE);
    let mut model = model.borrow_mut();
    assert!(model.plain.insert(given.producer_id), "producer id {} is given twice", given.producer_id);
    assert!(model.told.iter().all(|told| told.id != given.producer_id), "it is the transactional id's");
}

/// All that may happen to a transaction.
async fn live(machine: Machine, model: Shared) {
    let client = machine.client(0);
    let mut writer = Writer::init(client.clone(), &model).await;
    writer.transact(true).await;
    plain_producer(&client, &model).await;
    writer.transact(false).await;
    writer.transact(true).await;
    // The next producer of the id ends what this one has left.
    let left = writer.write().await;
    let mut next = Writer::init(machine.client(1), &model).await;
    assert_eq!(writer.end(left, true).await, ErrorCode::PRODUCER_FENCED);
    model.borrow_mut().fates[left] = Fate::Never;
    next.transact(true).await;
    // The clock ends it.
    let late = next.write().await;
    client.shard.runtime().sleep(Duration::from_millis(2 * TIMEOUT_MS as u64)).await;
    assert_ne!(next.end(late, true).await, ErrorCode::NONE);
    model.borrow_mut().fates[late] = Fate::Never;
    let mut last = Writer::init(client, &model).await;
    last.transact(true).await;
}

/// Long enough, and with segments that are short enough, for the cleaner to take the place of what the coordinators wrote.
async fn live_long(machine: Machine, model: Shared) {
    machine.shrink_segments(1_500);
    let mut writer = Writer::init(machine.client(0), &model).await;
    for round in 0..3 {
        for number in 0..5 {
            writer.transact((round + number) % 4 != 3).await;
        }
        writer.write().await;
        // Write-back, and the cleaner's pause; the clock ends what is open.
        writer.client.shard.runtime().sleep(Duration::from_secs(30)).await;
        writer = Writer::init(machine.client(round % 2), &model).await;
    }
}

/// The numbers that a reader of committed data sees in a partition; `None` while something is undecided.
async fn seen(client: &Client, partition: i32) -> Option<Vec<usize>> {
    let (mut numbers, mut offset) = (Vec::new(), 0);
    loop {
        let request = FetchRequest { isolation_level: 1, ..fetch(TOPIC, partition, offset, 0) };
        let mut answer = client.call(&request, 11).await;
        let data = answer.responses.remove(0).partitions.remove(0);
        assert_eq!(data.error_code, ErrorCode::NONE);
        if data.last_stable_offset != data.high_watermark {
            return None;
        }
        let bytes = record_bytes(&data);
        let mut aborted = data.aborted_transactions.unwrap_or_default();
        aborted.sort_by_key(|one| one.first_offset);
        let mut open = BTreeSet::new();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            let begun = aborted.iter().take_while(|one| one.first_offset <= batch.header.last_offset()).count();
            open.extend(aborted.drain(..begun).map(|one| one.producer_id));
            offset = batch.header.last_offset() + 1;
            if batch.header.is_control() {
                open.remove(&batch.header.producer_id);
            } else if !open.contains(&batch.header.producer_id) {
                let values = batch.records(batch.payload()).map(|record| record.unwrap().value.unwrap().to_vec());
                numbers.extend(values.map(|value| String::from_utf8(value).unwrap().parse::<usize>().unwrap()));
            }
        }
        if offset >= data.last_stable_offset {
            return Some(numbers);
        }
    }
}

/// What the group has committed; `None` while something is undecided.
async fn committed(client: &Client) -> Option<i64> {
    let topic = OffsetFetchRequestTopics { name: TOPIC.to_owned(), partition_indexes: vec![0], ..Default::default() };
    let group = OffsetFetchRequestGroup { group_id: GROUP.to_owned(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
    let mut answer = client.call(&request, 8).await;
    let mut group = answer.groups.remove(0);
    if group.error_code != ErrorCode::NONE {
        return None;
    }
    let partition = group.topics.remove(0).partitions.remove(0);
    (partition.error_code == ErrorCode::NONE).then_some(partition.committed_offset)
}

/// Everything is decided within the time a transaction may stay open, and each transaction is seen everywhere or nowhere.
async fn check(machine: &Machine, model: &Shared) {
    let client = machine.client(1);
    let mut patience = 60;
    let (offset, partitions) = loop {
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS {
            partitions.extend(seen(&client, partition).await);
        }
        if let (Some(offset), true) = (committed(&client).await, partitions.len() == PARTITIONS as usize) {
            break (offset, partitions);
        }
        patience -= 1;
        assert!(patience > 0, "a transaction hangs");
        client.shard.runtime().sleep(Duration::from_millis(100)).await;
    };
    let model = model.borrow();
    for (number, fate) in model.fates.iter().enumerate() {
        let seen_in: Vec<usize> =
            partitions.iter().map(|numbers| numbers.iter().filter(|&&one| one == number).count()).collect();
        match fate {
            Fate::Never => assert_eq!(seen_in, [0, 0, 0], "{number} was never committed"),
            Fate::Committed => assert_eq!(seen_in, [1, 1, 1], "{number} was committed"),
            Fate::Unknown => {
                assert!(seen_in == [0, 0, 0] || seen_in == [1, 1, 1], "{number} is seen {seen_in:?} times")
            }
        }
    }
    assert!(partitions.iter().all(|numbers| numbers.is_sorted() && *numbers == partitions[0]), "{partitions:?}");
    let newest = partitions[0].last().map_or(-1, |number| *number as i64);
    assert_eq!(offset, newest, "the group's offset is that of the last transaction that is seen");
}

/// After a power cut everything holds, and the transactional id goes on.
async fn recover(machine: Machine, model: Shared) {
    check(&machine, &model).await;
    // What is decided now stays so.
    let newest = seen(&machine.client(0), 0).await.unwrap();
    for (number, fate) in model.borrow_mut().fates.iter_mut().enumerate() {
        *fate = if newest.contains(&number) { Fate::Committed } else { Fate::Never };
    }
    plain_producer(&machine.client(1), &model).await;
    let old = model.borrow().told.last().copied();
    let mut writer = Writer::init(machine.client(1), &model).await;
    if let Some(producer) = old {
        let zombie = Writer { client: machine.client(0), model: model.clone(), producer };
        let number = model.borrow().fates.len();
        model.borrow_mut().fates.push(Fate::Never);
        assert_ne!(zombie.produce(0, number).await, ErrorCode::NONE, "a fenced producer writes");
    }
    writer.transact(true).await;
    writer.transact(false).await;
    check(&machine, &model).await;
}

/// What the cuts met, so that one sees that they met something.
#[derive(Debug, Default)]
struct Met {
    /// Nobody knew whether a transaction was committed.
    in_doubt: usize,
    /// Some partitions knew the end of a transaction and others did not.
    half_marked: usize,
    /// The records of a coordinator had been compacted.
    compacted: usize,
}

/// What happens before the power is cut.
type Life = fn(Machine, Shared) -> LocalFuture<()>;

/// Whether the cleaner has been at the logs of both coordinators.
async fn were_compacted(runtime: &Runtime) -> bool {
    let mut topics = BTreeSet::new();
    let logs = [TRANSACTION_STATE_TOPIC, OFFSETS_TOPIC].into_iter().flat_map(|topic| [(topic, 0), (topic, 1)]);
    for (topic, partition) in logs {
        let listed = runtime.disk().list(format!("data/{topic}-{partition}").as_ref()).await.unwrap_or_default();
        if listed.iter().any(|name| name == "cleaner-offset-checkpoint") {
            topics.insert(topic);
        }
    }
    topics.len() == 2
}

/// One power cut in the life of the broker, and perhaps one more in the start after it. Whether that life was over before.
fn cut(
    prepared: &Simulation,
    (protocol, life): (Protocol, Life),
    changes: u64,
    policy: CrashPolicy,
    met: &mut Met,
) -> bool {
    let model = Rc::new(RefCell::new(Model::new(protocol)));
    let simulation = prepared.crash(CrashPolicy::KeepAll);
    simulation.stop_after_changes(changes);
    let (runtimes, lived) = (cores(&simulation), model.clone());
    let ended = simulation.run_until_stopped(async { life(Machine::start(runtimes).await, lived).await });
    met.in_doubt += usize::from(model.borrow().fates.contains(&Fate::Unknown));
    let simulation = simulation.crash(policy);
    simulation.stop_after_changes(changes % 40);
    let (runtimes, recovered) = (cores(&simulation), model.clone());
    let _ = simulation.run_until_stopped(async {
        met.compacted += usize::from(were_compacted(&runtimes[0]).await);
        let machine = Machine::start(runtimes).await;
        let client = machine.client(0);
        let mut decided = 0;
        for partition in 0..PARTITIONS {
            decided += i32::from(seen(&client, partition).await.is_some());
        }
        met.half_marked += usize::from((1..PARTITIONS).contains(&decided));
        recover(machine, recovered).await;
    });
    let simulation = simulation.crash(policy);
    let runtimes = cores(&simulation);
    simulation.run(async { recover(Machine::start(runtimes).await, model).await });
    ended == Outcome::Done(())
}

/// Says which run it was that failed.
struct Run(u64, u64, CrashPolicy);

impl Drop for Run {
    fn drop(&mut self) {
        let Run(seed, changes, policy) = self;
        if std::thread::panicking() {
            eprintln!("seed {seed}, cut after {changes} changes, {policy:?}");
        }
    }
}

/// Cuts after every `step`-th change of the disk, in as many interleavings as there are seeds.
fn cut_everywhere(seeds: u64, step: u64, protocol: Protocol, life: Life) -> Met {
    let mut met = Met::default();
    for seed in 0..seeds {
        let options = SimulationOptions { shuffle_tasks: seed % 2 == 1, ..Default::default() };
        let prepared = Simulation::with_options(seed, options);
        let runtimes = cores(&prepared);
        prepared.run(async { prepare(&Machine::start(runtimes).await).await });
        for number in 1.. {
            let (changes, policy) = (number * step, POLICIES[(number + seed) as usize % POLICIES.len()]);
            let _run = Run(seed, changes, policy);
            if cut(&prepared, (protocol, life), changes, policy, &mut met) {
                break;
            }
        }
    }
    met
}

fn check_cuts(protocol: Protocol) {
    let met = cut_everywhere(4, 1, protocol, |machine, model| Box::pin(live(machine, model)));
    assert!(met.in_doubt > 10 && met.half_marked > 3, "this tests hardly anything: {met:?}");
}

#[test]
fn transactions_are_whole_wherever_the_power_is_cut() {
    check_cuts(Protocol::New);
}

#[test]
fn so_are_those_of_older_clients() {
    check_cuts(Protocol::Old);
}

#[test]
fn and_while_the_coordinators_logs_are_compacted() {
    let met = cut_everywhere(1, 2, Protocol::New, |machine, model| Box::pin(live_long(machine, model)));
    assert!(met.compacted > 20, "this tests hardly anything: {met:?}");
}
