//! Where log lines go, standard error, so that standard output holds what the start prints and nothing else; and how much
//! each logger says, which may change while the process runs (KIP-412).
//!
//! A logger is a module path with dots, as Kafka's tools can name one (`storage`, `broker.net`), or [`ROOT`], which stands for
//! all that no other is named for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The logger of everything that no other is named for.
pub const ROOT: &str = "root";
/// Loggers that are always there; others appear with `--log-level`.
const OURS: [&str; 18] = [
    "broker",
    "broker.config",
    "broker.coordinator",
    "broker.groups",
    "broker.handlers",
    "broker.metadata",
    "broker.net",
    "broker.quotas",
    "broker.telemetry",
    "broker.transactions",
    ROOT,
    "storage",
    "storage.compaction",
    "storage.log",
    "storage.open",
    "storage.runtime",
    "storage.wal",
    "storage.write_back",
];

static LOGGERS: OnceLock<Mutex<Loggers>> = OnceLock::new();

/// The filter does not parse.
#[derive(Debug, Error)]
#[error("--log-level {filter:?} is no level and no filter: {reason}")]
pub struct LogLevelError {
    filter: String,
    reason: String,
}

/// Puts another filter in the place of the one in force; only a subscriber that is gone fails.
type Replace = Box<dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send>;

/// The loggers of the process.
struct Loggers {
    levels: Levels,
    replace: Replace,
}

/// A filter in parts: loggers with a level of their own, and what is about more than a module.
#[derive(Debug, Clone, Default, PartialEq)]
struct Levels {
    named: BTreeMap<String, LevelFilter>,
    others: Vec<String>,
}

impl Levels {
    /// `filter` is of tracing-subscriber's form, and sound.
    fn parse(filter: &str) -> Levels {
        let mut levels = Levels::default();
        for part in filter.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (logger, level) = match part.split_once('=') {
                Some((target, level)) => (target, level.parse()),
                // A level alone is everyone's, a target alone says all.
                None => part.parse().map_or((part, Ok(LevelFilter::TRACE)), |level| (ROOT, Ok(level))),
            };
            match level {
                Ok(level) if !part.contains('[') => _ = levels.named.insert(logger.to_owned(), level),
                _ => levels.others.push(part.to_owned()),
            }
        }
        levels
    }

    fn filter(&self) -> String {
        let named = self.named.iter().map(|(logger, level)| match logger.as_str() {
            ROOT => level.to_string(),
            target => format!("{target}={level}"),
        });
        self.others.iter().cloned().chain(named).collect::<Vec<_>>().join(",")
    }

    /// The level of the longest module path that `logger` is within.
    fn of(&self, logger: &str) -> LevelFilter {
        let within =
            |path: &str| logger.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let own = self.named.iter().filter(|(path, _)| within(path)).max_by_key(|(path, _)| path.len());
        own.or(self.named.get_key_value(ROOT)).map_or(LevelFilter::ERROR, |(_, level)| *level)
    }
}

/// Sets up `tracing` for the process; `filter` is a level or a filter of tracing-subscriber's form.
pub fn start(filter: &str) -> Result<(), LogLevelError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| LogLevelError { filter: filter.to_owned(), reason: error.to_string() })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // A second start in one process (tests) keeps the first subscriber.
    if tracing::subscriber::set_global_default(builder.finish()).is_ok() {
        let replace: Replace = Box::new(move |filter| handle.reload(filter));
        _ = LOGGERS.set(Mutex::new(Loggers { levels: Levels::parse(filter), replace }));
    }
    Ok(())
}

/// Every logger and its level.
pub fn levels() -> BTreeMap<String, LevelFilter> {
    let levels = match LOGGERS.get() {
        Some(loggers) => loggers.lock().unwrap_or_else(PoisonError::into_inner).levels.clone(),
        None => Levels::parse(&LevelFilter::current().to_string()),
    };
    let ours = OURS.into_iter().map(|name| name.replace('.', "::"));
    let paths: BTreeSet<String> = ours.chain(levels.named.keys().cloned()).collect();
    paths.into_iter().map(|path| (path.replace("::", "."), levels.of(&path))).collect()
}

/// Gives loggers levels; without one, a logger says what those around it say.
pub fn set_levels(changes: &[(String, Option<LevelFilter>)]) {
    let Some(loggers) = LOGGERS.get() else { return };
    let mut loggers = loggers.lock().unwrap_or_else(PoisonError::into_inner);
    for (logger, level) in changes {
        let path = logger.replace('.', "::");
        match level {
            Some(level) => _ = loggers.levels.named.insert(path, *level),
            None => _ = loggers.levels.named.remove(&path),
        }
    }
    let filter = loggers.levels.filter();
    let replaced = EnvFilter::try_new(&filter).map(&loggers.replace);
    match replaced {
        Ok(Ok(())) => tracing::warn!(filter, "levels of loggers changed"),
        Ok(Err(error)) => tracing::error!(filter, %error, "levels of loggers stay as they were"),
        Err(error) => tracing::error!(filter, %error, "levels of loggers stay as they were"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_taken_and_nonsense_is_one_sentence() {
        assert!(start("info,storage=debug").is_ok());
        let error = start("broker=loud").expect_err("no level").to_string();
        assert!(error.contains("--log-level") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_filter_comes_apart_and_together_again() {
        let check = |filter: &str, named: &[(&str, LevelFilter)], others: &[&str]| {
            let levels = Levels::parse(filter);
            let expected = named.iter().map(|(logger, level)| ((*logger).to_owned(), *level)).collect();
            assert_eq!(
                levels,
                Levels { named: expected, others: others.iter().map(|part| (*part).to_owned()).collect() }
            );
            assert_eq!(Levels::parse(&levels.filter()), levels);
            assert!(EnvFilter::try_new(levels.filter()).is_ok(), "{filter}");
        };
        check("info", &[(ROOT, LevelFilter::INFO)], &[]);
        check("warn,storage=debug", &[(ROOT, LevelFilter::WARN), ("storage", LevelFilter::DEBUG)], &[]);
        check("broker::net", &[("broker::net", LevelFilter::TRACE)], &[]);
        check("off, storage[wal{a=1}]=trace", &[(ROOT, LevelFilter::OFF)], &["storage[wal{a=1}]=trace"]);
    }

    #[test]
    fn a_logger_says_what_the_nearest_around_it_says() {
        let levels = Levels::parse("warn,storage=debug,storage::wal=trace");
        let check = |logger, level| assert_eq!(levels.of(logger), level, "{logger}");
        check("storage::wal::ring", LevelFilter::TRACE);
        check("storage::walrus", LevelFilter::DEBUG);
        check("broker::net", LevelFilter::WARN);
        check(ROOT, LevelFilter::WARN);
    }

    #[test]
    fn our_loggers_are_modules() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for logger in OURS.into_iter().filter(|logger| *logger != ROOT) {
            let (name, module) = logger.split_once('.').unwrap_or((logger, "lib"));
            let file = workspace.join(name).join("src").join(module);
            assert!(file.is_dir() || file.with_extension("rs").is_file(), "{logger}");
            assert!(levels().contains_key(logger));
        }
    }
}
