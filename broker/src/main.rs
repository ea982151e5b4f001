//! The `msgloop` binary.

use std::path::Path;
use std::process::ExitCode;

use broker::cli::{Arguments, Command};
use broker::config::BrokerConfig;
use broker::config::load::load;
use broker::logging;
use broker::server::Server;
use clap::Parser;
use protocol::Uuid;
use storage::LogDirectory;
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
        Some(Command::Check { directory }) => Err(format!("{} cannot be checked yet", directory.display())),
        None => serve(arguments),
    }
}

fn serve(arguments: &Arguments) -> Result<(), String> {
    let loaded = load(arguments.config.as_deref(), &arguments.overrides).map_err(|error| error.to_string())?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let directories = open_directories(&loaded.config)?;
    let server = Server::start(loaded.config, directories).map_err(|error| error.to_string())?;
    print_where(&server);
    let asked = server.background().block_on(async { Ok::<_, std::io::Error>(Terminations::listen()?.next().await) });
    let asked = asked.map_err(|error| format!("signals cannot be received: {error}"))?;
    tracing::info!(?asked, "stopping");
    server.stop().map_err(|error| error.to_string())
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

fn open_directories(config: &BrokerConfig) -> Result<Vec<LogDirectory>, String> {
    config
        .log_dirs
        .iter()
        .map(|path| open_directory(path).map_err(|error| format!("{}: {error}", path.display())))
        .collect()
}

fn open_directory(path: &Path) -> std::io::Result<LogDirectory> {
    std::fs::create_dir_all(path)?;
    let id_file = path.join("directory.id");
    let known = std::fs::read_to_string(&id_file).ok().and_then(|text| Uuid::parse(text.trim()));
    let id = match known {
        Some(id) => id,
        None => {
            use storage::runtime::core::random_u64;
            let id = Uuid::from_random(random_u64(), random_u64());
            std::fs::write(&id_file, format!("{id}\n"))?;
            id
        }
    };
    Ok(LogDirectory { id, path: path.to_owned() })
}
