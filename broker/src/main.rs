//! The `msgloop` binary.

use std::process::ExitCode;

use broker::cli::{Arguments, Command};
use broker::config::load::load;
use broker::server::Server;
use broker::{admin, check, logging, metrics, open_files, ready};
use clap::Parser;
use storage::runtime::background::Terminations;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("msgloop: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    logging::start(&arguments.log_level).map_err(|error| error.to_string())?;
    match &arguments.command {
        Some(Command::Check { directory }) => check::run(directory),
        Some(Command::Ready { admin }) => ready::run(admin),
        None => serve(arguments),
    }
}

fn serve(arguments: &Arguments) -> Result<(), String> {
    if cfg!(feature = "acknowledge-before-commit") {
        eprintln!(
            "FOR TESTS ONLY: this build acknowledges before it writes, and loses acknowledged records in a power cut"
        );
    }
    let loaded = load(arguments.config.as_deref(), &arguments.overrides).map_err(|error| error.to_string())?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    open_files::raise_limit();
    let listener = loaded.config.admin_listener().map(admin::bind).transpose()?;
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    metrics::install()?;
    let server = Server::start(loaded.config).map_err(|error| error.to_string())?;
    if let Some(listener) = listener {
        admin::serve(server.background(), listener, server.shards().clone());
    }
    print_where(&server);
    if let Some(address) = address {
        println!("Metrics: http://{address}/metrics");
    }
    let ended = server.background().block_on(wait_for_end(&server));
    let stopped = server.stop().map_err(|error| error.to_string());
    ended.and(stopped)
}

/// Until somebody asks for it, which is a good end, or the disk leaves no choice.
async fn wait_for_end(server: &Server) -> Result<(), String> {
    let mut asked = Terminations::listen().map_err(|error| format!("signals cannot be received: {error}"))?;
    tokio::select! {
        biased;
        asked = asked.next() => {
            tracing::info!(?asked, "stopping");
            Ok(())
        }
        reason = server.failures().fatal() => Err(reason),
    }
}

fn print_where(server: &Server) {
    for (name, address) in server.addresses() {
        println!("Kafka ({name}) on {address}");
    }
    println!("I/O back end: {}", server.backend());
    if let Some((_, address)) = server.addresses().first() {
        println!("Try: echo hello | kcat -b {address} -t greetings -P && kcat -b {address} -t greetings -C -e");
    }
}
