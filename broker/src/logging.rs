//! Where log lines go: standard error, so that standard output holds what the start prints and nothing else.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// The filter does not parse.
#[derive(Debug, Error)]
#[error("--log-level {filter:?} is no level and no filter: {reason}")]
pub struct LogLevelError {
    filter: String,
    reason: String,
}

/// Sets up `tracing` for the process; `filter` is a level or a filter of tracing-subscriber's form.
pub fn start(filter: &str) -> Result<(), LogLevelError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| LogLevelError { filter: filter.to_owned(), reason: error.to_string() })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    // A second start in one process (tests) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn levels_and_filters_are_taken_and_nonsense_is_one_sentence() {
        assert!(super::start("info,storage=debug").is_ok());
        let error = super::start("broker=loud").expect_err("no level").to_string();
        assert!(error.contains("--log-level") && !error.contains('\n'), "{error}");
    }
}
