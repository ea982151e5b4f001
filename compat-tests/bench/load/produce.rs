//! Producing: open loop at a rate, or closed loop as fast as acks come.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use crate::latency::{Histogram, now_ns};

/// What to produce.
#[derive(clap::Args)]
pub struct Options {
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Megabytes (10^6 bytes) a second; 0 is as fast as possible.
    #[arg(long, default_value_t = 0.0)]
    rate_mb: f64,
    /// Stop after this many megabytes, whatever the time; 0 is no bound.
    #[arg(long, default_value_t = 0.0)]
    total_mb: f64,
    #[arg(long, default_value_t = 5.0)]
    linger_ms: f64,
    #[arg(long, default_value_t = 1_000_000)]
    batch_bytes: usize,
    /// Partitions are chosen round robin among this many.
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    #[arg(long, default_value = "none")]
    compression: String,
    #[arg(long, default_value = "all")]
    acks: String,
    #[arg(long)]
    idempotent: bool,
    /// Latencies of the first seconds are not counted.
    #[arg(long, default_value_t = 2.0)]
    warm_up_seconds: f64,
}

#[derive(Default)]
struct Acks {
    latencies: Histogram,
    acknowledged: u64,
    failed: u64,
    first_error: Option<String>,
}

#[derive(Clone)]
struct Context {
    acks: Arc<Mutex<Acks>>,
    count_from_ns: u64,
}

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due_ns: usize) {
        let mut acks = self.acks.lock().expect("no panic while held");
        match result {
            Ok(_) => acks.acknowledged += 1,
            Err((error, _)) => {
                acks.failed += 1;
                acks.first_error.get_or_insert_with(|| error.to_string());
            }
        }
        let due_ns = due_ns as u64;
        if due_ns >= self.count_from_ns {
            acks.latencies.record(now_ns().saturating_sub(due_ns));
        }
    }
}

/// Produces and reports.
pub fn run(bootstrap: &str, options: &Options) -> Result<serde_json::Value, KafkaError> {
    let acks = Arc::new(Mutex::new(Acks::default()));
    let start_ns = now_ns();
    let context = Context { acks: acks.clone(), count_from_ns: start_ns + (options.warm_up_seconds * 1e9) as u64 };
    let producer: ThreadedProducer<Context> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("linger.ms", options.linger_ms.to_string())
        .set("batch.size", options.batch_bytes.to_string())
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "2000000")
        .set("queue.buffering.max.kbytes", "262144")
        .set("compression.type", &options.compression)
        .set("acks", &options.acks)
        .set("enable.idempotence", options.idempotent.to_string())
        .create_with_context(context)?;

    let started = Instant::now();
    let sent = send_until_done(&producer, options, start_ns)?;
    producer.flush(Duration::from_secs(60))?;
    let seconds = started.elapsed().as_secs_f64();
    let acks = acks.lock().expect("no panic while held");
    let bytes = acks.acknowledged * options.record_bytes as u64;
    Ok(serde_json::json!({
        "sent": sent,
        "acknowledged": acks.acknowledged,
        "failed": acks.failed,
        "first_error": acks.first_error,
        "bytes": bytes,
        "seconds": seconds,
        "mb_per_second": bytes as f64 / 1e6 / seconds,
        "latency": acks.latencies.summary(),
    }))
}

fn send_until_done(producer: &ThreadedProducer<Context>, options: &Options, start_ns: u64) -> Result<u64, KafkaError> {
    let mut payload = incompressible(options.record_bytes.max(8));
    let end_ns = start_ns + (options.seconds * 1e9) as u64;
    let interval_ns = if options.rate_mb > 0.0 { options.record_bytes as f64 * 1e3 / options.rate_mb } else { 0.0 };
    let sent_max =
        if options.total_mb > 0.0 { (options.total_mb * 1e6) as u64 / options.record_bytes as u64 } else { u64::MAX };
    let mut sent = 0_u64;
    while sent < sent_max {
        let now = now_ns();
        if now >= end_ns {
            break;
        }
        let due = if interval_ns > 0.0 { start_ns + (sent as f64 * interval_ns) as u64 } else { now };
        if due > now {
            std::thread::sleep(Duration::from_nanos((due - now).min(1_000_000)));
            continue;
        }
        payload[..8].copy_from_slice(&due.to_be_bytes());
        send_one(producer, options, &payload, due, sent)?;
        sent += 1;
    }
    Ok(sent)
}

fn send_one(
    producer: &ThreadedProducer<Context>,
    options: &Options,
    payload: &[u8],
    due_ns: u64,
    number: u64,
) -> Result<(), KafkaError> {
    // A batch's worth of records goes to one partition before the next, as sticky partitioners do.
    let run = (options.batch_bytes / options.record_bytes).clamp(1, 64) as u64;
    let partition = ((number / run) % options.partitions as u64) as i32;
    let mut record = BaseRecord::<(), [u8], usize>::with_opaque_to(&options.topic, due_ns as usize)
        .partition(partition)
        .payload(payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_micros(200));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Bytes that no codec shrinks much; a fixed sequence, so that runs are alike.
fn incompressible(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
