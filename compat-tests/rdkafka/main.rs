//! rdkafka (Rust) behind the contract of harness/line_clients.py: `produce | consume` BOOTSTRAP TOPIC CODEC-or-COUNT.
#![allow(clippy::disallowed_methods, reason = "a client runs in real time; the seam is the server's")]

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

type Failure = Box<dyn std::error::Error>;
const CALL_SECONDS: Duration = Duration::from_secs(20);

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["produce", bootstrap, topic, codec] => produce(bootstrap, topic, codec),
        ["consume", bootstrap, topic, count] => consume(bootstrap, topic, count.parse()?),
        _ => Err("usage: rdkafka-client produce|consume BOOTSTRAP TOPIC CODEC|COUNT".into()),
    }
}

#[derive(Clone, Default)]
struct CountFailures(Arc<AtomicUsize>);

impl ClientContext for CountFailures {}

impl ProducerContext for CountFailures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn produce(bootstrap: &str, topic: &str, codec: &str) -> Result<(), Failure> {
    let failures = CountFailures::default();
    let producer: ThreadedProducer<CountFailures> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("compression.type", codec)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .create_with_context(failures.clone())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (key, value) = line.split_once('\t').ok_or("a line without a tab")?;
        send(&producer, topic, key, value)?;
    }
    producer.flush(Duration::from_secs(300))?;
    match failures.0.load(Ordering::Relaxed) {
        0 => Ok(()),
        count => Err(format!("{count} records failed").into()),
    }
}

fn send(producer: &ThreadedProducer<CountFailures>, topic: &str, key: &str, value: &str) -> Result<(), Failure> {
    let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload(value);
    if !key.is_empty() {
        record = record.key(key);
    }
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => record = back,
            Err((error, _)) => return Err(error.into()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn consume(bootstrap: &str, topic: &str, count: usize) -> Result<(), Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), CALL_SECONDS)?;
    let mut wanted = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
        wanted.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&wanted)?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for found in 0..count {
        let message =
            consumer.poll(CALL_SECONDS).ok_or_else(|| format!("{found} of {count} records, then nothing"))??;
        write!(out, "{}\t{}\t", message.partition(), message.offset())?;
        out.write_all(message.key().unwrap_or_default())?;
        out.write_all(b"\t")?;
        out.write_all(message.payload().unwrap_or_default())?;
        out.write_all(b"\n")?;
    }
    out.flush().map_err(Into::into)
}
