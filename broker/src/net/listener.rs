//! Accepting connections: one task per listener, on the first core, hands them to the cores in turn.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use storage::runtime::net::{self, Accepted};

use super::connection::Connection;
use super::slots::ConnectionSlot;
use crate::context::ConnectionInfo;
use crate::quotas::connections::{self, Admission};
use crate::shard::Shard;

/// After a failed accept, most often for want of file descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Longest pause for connections made too fast: quotas may change meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Accepts until the broker stops.
pub async fn accept(shard: Rc<Shard>, listener: net::Listener, name: String) {
    let mut core = shard.core();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shard.stopping().wait() => return,
            accepted = next(&shard, &listener) => accepted,
        };
        match accepted {
            Ok(Some((accepted, slot))) => match connections::admit(&shard, accepted.peer.ip()) {
                Admission::Served(pause) => {
                    core = (core + 1) % shard.shards().cores();
                    hand_over(&shard, core, accepted, name.clone(), slot);
                    if !pause.is_zero() {
                        tokio::select! {
                            biased;
                            () = shard.stopping().wait() => return,
                            () = shard.runtime().sleep(pause.min(PAUSE_MAX)) => {}
                        }
                    }
                }
                Admission::Refused(pause) => close_later(&shard, accepted, slot, pause.min(PAUSE_MAX)),
            },
            // Closed at once, as Kafka does: the address has its share.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, listener = name, "no connection can be accepted");
                shard.runtime().sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// Keeps a client waiting whose address makes connections too fast, in its slot.
fn close_later(shard: &Rc<Shard>, accepted: Accepted, slot: ConnectionSlot, pause: Duration) {
    tracing::debug!(peer = %accepted.peer, ?pause, "refused: connection_creation_rate");
    let runtime = shard.runtime().clone();
    shard.runtime().spawn(async move {
        runtime.sleep(pause).await;
        drop((accepted, slot));
    });
}

/// The next connection, once there is a slot for it; `None` if its address has none left.
async fn next(shard: &Shard, listener: &net::Listener) -> io::Result<Option<(Accepted, ConnectionSlot)>> {
    let slots = &shard.net().slots;
    let any = slots.wait().await;
    let accepted = listener.accept().await?;
    let slot = slots.take(any, accepted.peer.ip());
    if slot.is_none() {
        tracing::debug!(peer = %accepted.peer, "refused: max.connections.per.ip");
    }
    Ok(slot.map(|slot| (accepted, slot)))
}

fn hand_over(shard: &Rc<Shard>, core: usize, accepted: Accepted, listener: String, slot: ConnectionSlot) {
    // Nobody waits for the answer: a core that is gone drops the connection.
    drop(shard.shards().run_on(core, move |shard| {
        let shard = shard.clone();
        Box::pin(async move { serve(&shard, accepted, listener, slot) })
    }));
}

fn serve(shard: &Rc<Shard>, accepted: Accepted, listener: String, slot: ConnectionSlot) {
    let peer: SocketAddr = accepted.peer;
    let stream = match net::Connection::serve(accepted) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%peer, %error, "the connection was gone before it was served"),
    };
    let buffers = &shard.net().socket_buffers;
    if let Err(error) = stream.set_buffer_bytes(buffers.receive_bytes, buffers.send_bytes) {
        tracing::debug!(%peer, %error, "the socket keeps its buffers");
    }
    let open = shard.connections().register(shard.runtime().now());
    let connection = Connection::new(shard.clone(), stream, ConnectionInfo::new(listener, peer), open.state());
    shard.runtime().spawn(async move {
        if let Err(reason) = connection.serve().await {
            tracing::debug!(%peer, %reason, "connection closed");
        }
        drop(open);
        drop(slot);
    });
}
