//! A load generator on librdkafka: the same client against every broker that is measured.
//!
//! It prints one line of JSON when it is done. Latency is counted from the moment a record was *due*, not from the
//! moment it was sent, so that a stalled broker cannot hide its stall (coordinated omission).
#![allow(clippy::disallowed_methods, reason = "a client measures real time; the seam is the server's")]

mod consume;
mod latency;
mod produce;

use clap::{Parser, Subcommand};

/// Loads a Kafka-compatible broker and prints what it saw as one line of JSON.
///
/// Example: load --bootstrap 127.0.0.1:9092 produce --topic t --record-bytes 1024 --seconds 30 --rate-mb 20
#[derive(Parser)]
struct Arguments {
    /// Broker address.
    #[arg(long, default_value = "127.0.0.1:9092")]
    bootstrap: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Produce at a fixed rate (open loop) or as fast as the broker acknowledges.
    Produce(produce::Options),
    /// Consume a topic from its start, or live from its end.
    Consume(consume::Options),
}

fn main() {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Produce(options) => produce::run(&arguments.bootstrap, options),
        Command::Consume(options) => consume::run(&arguments.bootstrap, options),
    };
    match result {
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("load: {error}");
            std::process::exit(1);
        }
    }
}
