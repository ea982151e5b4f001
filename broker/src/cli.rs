//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What `--help` ends with.
const EXAMPLES: &str = "\
Examples:
  msgloop                                      one node: Kafka on 127.0.0.1:9092, admin on 127.0.0.1:9644, data in ./msgloop-data
  msgloop --config server.properties           with a Kafka properties file, as it is
  msgloop --override listeners=PLAINTEXT://0.0.0.0:9092 \\
          --override advertised.listeners=PLAINTEXT://broker1:9092 \\
          --override log.dirs=/var/lib/msgloop
  msgloop --override msgloop.io.backend=threads --log-level debug
  msgloop check ./msgloop-data                 looks for damage in a stopped node's data and changes nothing
  msgloop ready --admin 127.0.0.1:9644         exit code 0 once the node serves clients

Settings are listed in docs/configs.md; those Kafka does not have begin with msgloop.";

/// A streaming broker that speaks Kafka's protocol and has every acknowledged record on disk.
#[derive(Debug, Parser)]
#[command(name = "msgloop", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Kafka properties file to start with.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Setting that wins over the file; may be repeated.
    #[arg(long = "override", value_name = "NAME=VALUE")]
    pub overrides: Vec<String>,

    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,storage=debug`.
    #[arg(long, value_name = "LEVEL", env = "MSGLOOP_LOG", default_value = "info", global = true)]
    pub log_level: String,

    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Something else than serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Verify the data of a stopped node: says what is wrong where, changes nothing.
    Check {
        /// A log directory (one of log.dirs).
        directory: PathBuf,
    },
    /// Ask whether a running node serves clients; exit code 0 if it does. For health checks.
    Ready {
        /// The node's msgloop.admin.listener.
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9644")]
        admin: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_read_as_documented() {
        Arguments::command().debug_assert();
        let parse = |line: &str| Arguments::try_parse_from(line.split_whitespace());
        let arguments = parse("msgloop --config f --override a=1 --override b=2 --log-level debug").expect("valid");
        assert_eq!(arguments.overrides, ["a=1", "b=2"]);
        assert_eq!((arguments.config, arguments.log_level.as_str()), (Some(PathBuf::from("f")), "debug"));
        let check = parse("msgloop check dir").expect("valid");
        assert_eq!(check.command, Some(Command::Check { directory: PathBuf::from("dir") }));
        assert!(parse("msgloop --port 9").is_err());
    }
}
