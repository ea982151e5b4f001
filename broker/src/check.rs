//! `msgloop check`: what is wrong in a stopped node's log directory, one line a finding.

use std::path::Path;

use storage::directory;
use storage::runtime::backend::Backend;
use storage::runtime::core;

/// Verifies a directory and prints what it finds. An error is the sentence to end with: damage, or a directory that cannot
/// be looked at. Nothing on disk is changed.
pub fn run(path: &Path) -> Result<(), String> {
    let held = directory::open_stopped(path).map_err(|error| error.to_string())?;
    let checked =
        core::block_on(Backend::Threads, |runtime| async move { storage::check::check(&runtime, held.path()).await });
    let findings = checked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    for finding in &findings {
        println!("{}: byte {}: {}", finding.file.display(), finding.position, finding.what);
    }
    match findings.len() {
        0 => {
            println!("{}: no damage found", path.display());
            Ok(())
        }
        count => Err(format!("{}: {count} places are damaged; nothing was changed", path.display())),
    }
}
