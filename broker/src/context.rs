//! What a handler knows beside the request itself.

use std::net::SocketAddr;
use std::rc::Rc;

use storage::runtime::Monotonic;

use crate::shard::Shard;

/// Who is at the other end of a connection. One per connection, shared by its requests.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// Name of the listener the client came in by: metadata answers carry the endpoints of this listener.
    pub listener: String,
    /// Address of the client.
    pub peer: SocketAddr,
}

impl ConnectionInfo {
    /// The client's host as Kafka shows it to tools (`/127.0.0.1`).
    pub fn client_host(&self) -> String {
        format!("/{}", self.peer.ip())
    }
}

/// One request on the core of its connection. Handlers get it by reference and reach everything else through
/// [`RequestContext::shard`].
#[derive(Clone)]
pub struct RequestContext {
    /// The core that serves the connection.
    pub shard: Rc<Shard>,
    /// The connection the request came in by.
    pub connection: Rc<ConnectionInfo>,
    /// Version of the API the client speaks; within the table's range.
    pub api_version: i16,
    /// As in the request header; `None` is null on the wire.
    pub client_id: Option<String>,
    /// When the frame was complete.
    pub received: Monotonic,
}
