//! Consuming: bulk from the start, or live from the end with end-to-end latencies.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::latency::{Histogram, now_ns};

/// What to consume.
#[derive(clap::Args)]
pub struct Options {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    /// Start at the end and measure the time from when a record was due to when it arrived.
    #[arg(long)]
    live: bool,
    /// Stop after this time.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Stop after this many megabytes (10^6 bytes); 0 is no bound.
    #[arg(long, default_value_t = 0.0)]
    total_mb: f64,
    /// Start again from the first offset until the time is up (bulk reads of a topic that fits in memory).
    #[arg(long)]
    repeat: bool,
}

/// Consumes and reports.
pub fn run(bootstrap: &str, options: &Options) -> Result<serde_json::Value, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "load")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.message.max.bytes", "1048576")
        .set("queued.max.messages.kbytes", "65536")
        .create()?;
    assign(&consumer, options)?;

    let started = Instant::now();
    let bytes_max = if options.total_mb > 0.0 { (options.total_mb * 1e6) as u64 } else { u64::MAX };
    let (mut bytes, mut records, mut ended) = (0_u64, 0_u64, 0_i32);
    let mut latencies = Histogram::default();
    while bytes < bytes_max && started.elapsed().as_secs_f64() < options.seconds {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let payload = message.payload().unwrap_or_default();
                bytes += payload.len() as u64;
                records += 1;
                if let (true, Some(due)) = (options.live, payload.first_chunk::<8>()) {
                    latencies.record(now_ns().saturating_sub(u64::from_be_bytes(*due)));
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) if options.live => {}
            Some(Err(KafkaError::PartitionEOF(_))) => {
                ended += 1;
                if ended == options.partitions {
                    if !options.repeat {
                        break;
                    }
                    ended = 0;
                    assign(&consumer, options)?;
                }
            }
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(serde_json::json!({
        "records": records,
        "bytes": bytes,
        "seconds": seconds,
        "mb_per_second": bytes as f64 / 1e6 / seconds,
        "latency": latencies.summary(),
    }))
}

fn assign(consumer: &BaseConsumer, options: &Options) -> Result<(), KafkaError> {
    let mut partitions = TopicPartitionList::new();
    let from = if options.live { Offset::End } else { Offset::Beginning };
    for partition in 0..options.partitions {
        partitions.add_partition_offset(&options.topic, partition, from)?;
    }
    consumer.assign(&partitions)
}
