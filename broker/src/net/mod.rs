//! Connections: frames in, frames out, and every bound that keeps a stranger from taking memory.

pub mod budget;
pub mod connection;
pub mod frame;
pub mod output;

pub use budget::{ConnectionSlots, MemoryBudget};

/// What connections on every core share.
#[derive(Debug, Clone)]
pub struct NetShared {
    /// `msgloop.request.memory.bytes`.
    pub memory: MemoryBudget,
    /// `max.connections` and `max.connections.per.ip`.
    pub slots: ConnectionSlots,
    /// `socket.request.max.bytes`: a larger frame closes its connection before memory is taken.
    pub frame_bytes_max: usize,
    /// `msgloop.connection.requests.max`: requests of one connection that are worked on or wait for their turn to be
    /// answered.
    pub requests_max: usize,
}
