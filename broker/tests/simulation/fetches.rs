//! A fetch that waits for another core is left there without waking it: the commit that brings what it waits for has the core
//! look, and no clock.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::CreateTopicsRequest;
use protocol::messages::create_topics::CreatableTopic;
use storage::runtime::simulated::{Simulation, SimulationOptions};

use crate::machine::{Machine, cores};
use crate::support::{batch, fetch, produce, record_bytes, row};

const TOPIC: &str = "t";
const PARTITIONS: i32 = 2;
/// Far more than a commit takes, far less than a fetch waits or a core sleeps.
const AT_ONCE: Duration = Duration::from_millis(100);

async fn create(machine: &Machine) {
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..Default::default() };
    assert_eq!(machine.client(0).call(&request, 5).await.topics[0].error_code, ErrorCode::NONE);
}

#[test]
fn a_fetch_at_the_end_hears_of_a_commit_on_any_core_at_once() {
    for seed in 0..20 {
        let options = SimulationOptions { shuffle_tasks: seed % 2 == 1, ..Default::default() };
        let simulation = Simulation::with_options(seed, options);
        let runtimes = cores(&simulation);
        simulation.run(async move {
            let runtime = runtimes[0].clone();
            let machine = Machine::start(runtimes).await;
            create(&machine).await;
            for offset in 0..5 {
                for (partition, core) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let offset = 2 * offset + core as i64;
                    let (reader, writer) = (machine.client(core), machine.client(1 - core));
                    let reading = runtime.spawn_with_result(async move {
                        reader.call(&fetch(TOPIC, partition, offset, 60_000), 11).await
                    });
                    // Sometimes the record comes before the fetch waits.
                    runtime.sleep(Duration::from_millis(seed % 3)).await;
                    let sent = row(writer.call(&produce(TOPIC, partition, batch(&[b"new"])), 9).await);
                    assert_eq!((sent.error_code, sent.base_offset), (ErrorCode::NONE, offset));
                    let produced = runtime.now();
                    let read = reading.await.expect("an answer").responses.remove(0).partitions.remove(0);
                    assert!(!record_bytes(&read).is_empty(), "seed {seed}: the fetch ended without the record");
                    assert!(runtime.now().since(produced) < AT_ONCE, "seed {seed}: the core slept on");
                }
            }
        });
    }
}
