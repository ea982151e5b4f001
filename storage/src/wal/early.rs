//! FOR TESTS ONLY: a write-ahead log that lies. What it acknowledges is handed to the disk a moment later, as if the disk
//! had a volatile cache and nobody synced it. A power cut in between loses acknowledged records, and a power-cut check that
//! does not notice proves nothing about the honest log.

use std::time::Duration;

use super::group::Group;
use crate::runtime::Runtime;

#[cfg(not(debug_assertions))]
compile_error!("acknowledge-before-commit loses acknowledged records: for tests in the development profile only");

/// How long acknowledged bytes stay in memory: longer than a client takes from its last acknowledgement to the cut.
const HELD: Duration = Duration::from_millis(200);

/// Completes the group as if its commit were durable, and holds the commit back.
pub async fn acknowledge(runtime: &Runtime, group: &Group) {
    group.complete(&Ok(()));
    runtime.sleep(HELD).await;
}
