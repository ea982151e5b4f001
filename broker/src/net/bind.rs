//! The listeners' addresses: taken before anything on disk is touched, listened on once clients can be served.

use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use storage::runtime::net::BoundSocket;
use thiserror::Error;

use super::listener;
use crate::config::Listener;
use crate::shard::{Endpoint, Shard};

/// A listener's address does not resolve or is taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot listen on {listener}://{host}:{port}: {reason}")]
pub struct ListenError {
    /// Name of the listener.
    listener: String,
    /// As configured.
    host: String,
    /// As configured.
    port: u16,
    /// What the system says.
    reason: String,
}

impl ListenError {
    fn new(listener: &Listener, error: &dyn std::fmt::Display) -> ListenError {
        ListenError {
            listener: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            reason: error.to_string(),
        }
    }
}

/// A listener whose address is ours and on which nobody is served yet.
#[derive(Debug)]
pub struct BoundListener {
    config: Listener,
    address: SocketAddr,
    socket: BoundSocket,
}

/// Takes the address of every listener, or of none.
pub fn bind_all(listeners: &[Listener]) -> Result<Vec<BoundListener>, ListenError> {
    listeners.iter().map(bind).collect()
}

fn bind(listener: &Listener) -> Result<BoundListener, ListenError> {
    let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
    let refused = |error: &dyn std::fmt::Display| ListenError::new(listener, error);
    let mut addresses = (host, listener.port).to_socket_addrs().map_err(|error| refused(&error))?;
    let address = addresses.next().ok_or_else(|| refused(&"the host has no address"))?;
    let socket = BoundSocket::bind(address).map_err(|error| refused(&error))?;
    let address = socket.local_address().map_err(|error| refused(&error))?;
    Ok(BoundListener { config: listener.clone(), address, socket })
}

/// Tells all cores where the listeners are and begins to accept; the addresses by name.
pub fn listen(shard: &Rc<Shard>, bound: Vec<BoundListener>) -> Result<Vec<(String, SocketAddr)>, ListenError> {
    let backlog = u32::try_from(shard.config().listen_backlog).unwrap_or(LISTEN_BACKLOG_DEFAULT);
    let addresses = bound.iter().map(|listener| (listener.config.name.clone(), listener.address)).collect();
    shard.set_endpoints(bound.iter().filter_map(endpoint).collect());
    for BoundListener { config, socket, .. } in bound {
        let socket = socket.listen(backlog).map_err(|error| ListenError::new(&config, &error))?;
        shard.runtime().spawn(listener::accept(shard.clone(), socket, config.name));
    }
    Ok(addresses)
}

/// Kafka's default of `socket.listen.backlog.size`, for a size that makes no sense.
const LISTEN_BACKLOG_DEFAULT: u32 = 50;

/// What clients of a listener are told; `None` for one that is not advertised.
fn endpoint(bound: &BoundListener) -> Option<Endpoint> {
    let host = bound.config.advertised_host.clone()?;
    let host = if host.is_empty() { machine_name() } else { host };
    let advertised = bound.config.advertised_port;
    let port = if advertised == 0 { bound.address.port() } else { advertised };
    Some(Endpoint { listener: bound.config.name.clone(), host, port })
}

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
