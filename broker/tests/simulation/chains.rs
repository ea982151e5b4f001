//! How long transactions take where nothing but the disk takes time: what they wait for one after the other, and that they
//! wait for no clock.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::{EndTxnRequest, InitProducerIdRequest, ProduceRequest};
use storage::runtime::simulated::{Simulation, SimulationOptions};

use crate::machine::{Client, Machine, cores};
use crate::support::{produce, row};
use crate::transactions::{PARTITIONS, Producer, TOPIC, batch, prepare};

/// What a commit takes.
const COMMIT: Duration = Duration::from_micros(100);
/// Of each producer.
const TRANSACTIONS: u32 = 50;

/// A client of the newer protocol, one batch a partition in one request, as a stream task has it.
async fn transact(client: Client, id: String) {
    let request = InitProducerIdRequest {
        transactional_id: Some(id.clone()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let given = client.call(&request, 4).await;
    assert_eq!(given.error_code, ErrorCode::NONE);
    let mut producer = Producer { id: given.producer_id, epoch: given.producer_epoch };
    for number in 0..TRANSACTIONS {
        // A producer may ask right away: the broker waits until the transaction before is complete.
        assert_eq!(row(client.call(&written(&id, producer, number), 12).await).error_code, ErrorCode::NONE);
        let request = EndTxnRequest {
            transactional_id: id.clone(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            committed: true,
        };
        let ended = client.call(&request, 5).await;
        assert_eq!(ended.error_code, ErrorCode::NONE);
        producer = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
    }
}

fn written(id: &str, producer: Producer, number: u32) -> ProduceRequest {
    let batch = |_| -> Bytes { batch(producer, 0, number as usize) };
    let mut request = ProduceRequest { transactional_id: Some(id.to_owned()), ..produce(TOPIC, 0, batch(0)) };
    for partition in 1..PARTITIONS {
        let mut more = produce(TOPIC, partition, batch(partition));
        request.topic_data[0].partition_data.append(&mut more.topic_data[0].partition_data);
    }
    request
}

/// Commits that so many producers' transactions wait for one after the other, on average.
fn waits(producers: usize) -> f64 {
    let latency = (COMMIT.as_nanos() as u64, COMMIT.as_nanos() as u64);
    let options = SimulationOptions { change_latency_ns: latency, ..Default::default() };
    let simulation = Simulation::with_options(1, options);
    let runtimes = cores(&simulation);
    simulation.run(async move {
        let machine = Machine::start(runtimes).await;
        prepare(&machine).await;
        let runtime = machine.shard(0).runtime().clone();
        let began = runtime.now();
        join_all((0..producers).map(|number| transact(machine.client(number % 2), format!("id-{number}")))).await;
        runtime.now().since(began).as_secs_f64() / COMMIT.as_secs_f64() / f64::from(TRANSACTIONS)
    })
}

#[test]
fn a_transaction_waits_for_four_commits() {
    let waits = waits(1);
    assert!(waits < 5.0, "{waits} commits");
}

#[test]
fn those_of_many_producers_wait_for_commits_under_way_besides() {
    let waits = waits(8);
    assert!(waits < 8.0, "{waits} commits");
}
