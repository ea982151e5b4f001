//! What a core does by the clock: measure how late it runs, close idle connections, give memory back, forget clients
//! that push no metrics any more, and look into the mailbox and whether the limit of open files is enough.

use std::rc::Rc;
use std::time::Duration;

use metrics::{gauge, histogram};

use crate::allocator::{self, GivingBack};
use crate::open_files;
use crate::shard::Shard;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until the broker stops.
pub async fn run(shard: Rc<Shard>) {
    let core = shard.core().to_string();
    let lag = histogram!("msgloop_loop_lag_seconds", "core" => core.clone());
    let connections = gauge!("msgloop_connections", "core" => core);
    let mut giving_back = GivingBack::default();
    let mut open_files = open_files::Watch::default();
    while !shard.stopping().is_set() {
        let due = shard.runtime().now().plus(EVERY);
        tokio::select! {
            biased;
            () = shard.stopping().wait() => return,
            () = shard.runtime().sleep_until(due) => {}
        }
        shard.shards().wake(shard.core());
        let now = shard.runtime().now();
        lag.record(now.since(due));
        connections.set(shard.connections().len() as f64);
        crate::metrics::observe(&shard);
        open_files.look(&shard);
        shard.telemetry().expire(now);
        if giving_back.is_due(now, shard.connections().last_active.get()) {
            shard.connections().read_buffers.clear();
            allocator::give_back();
        }
        if let Ok(idle_ms) = u64::try_from(shard.config().connection_idle_ms_max) {
            shard.connections().close_idle(now, Duration::from_millis(idle_ms));
        }
    }
}
