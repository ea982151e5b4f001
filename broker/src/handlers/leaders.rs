//! Where the leaders that an answer names are found, so that a client need not ask for metadata first (KIP-951).

use std::collections::BTreeSet;

use crate::context::RequestContext;

/// A node as Produce and Fetch answers tell it.
pub(super) struct LeaderEndpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

/// One endpoint for each of `leaders` that clients of this connection's listener can reach; ids may repeat, and -1 is none.
pub(super) fn endpoints(context: &RequestContext, leaders: impl Iterator<Item = i32>) -> Vec<LeaderEndpoint> {
    let leaders: BTreeSet<i32> = leaders.filter(|leader| *leader >= 0).collect();
    let endpoint = |node_id: i32| {
        // Other nodes' endpoints come with clusters.
        let here = context.shard.endpoint(&context.connection.listener);
        let here = here.filter(|_| node_id == context.shard.identity().node_id)?;
        let image = context.shard.image();
        let rack = image.brokers.get(&node_id).and_then(|broker| broker.rack.clone());
        Some(LeaderEndpoint { node_id, host: here.host.clone(), port: i32::from(here.port), rack })
    };
    leaders.into_iter().filter_map(endpoint).collect()
}
