//! Connections: frames in, frames out, and every bound that keeps a stranger from taking memory.

pub mod bind;
pub mod budget;
pub mod connection;
pub mod frame;
pub mod listener;
pub mod open;
pub mod output;
pub mod slots;

pub use budget::MemoryBudget;
pub use slots::{ConnectionLimits, ConnectionSlots};

/// What connections on every core share.
#[derive(Debug, Clone)]
pub struct NetShared {
    /// `msgloop.request.memory.bytes`.
    pub memory: MemoryBudget,
    /// `max.connections`, `max.connections.per.ip` and its overrides.
    pub slots: ConnectionSlots,
    /// `socket.request.max.bytes`: a larger frame closes its connection before memory is taken.
    pub frame_bytes_max: usize,
    /// `msgloop.connection.requests.max`: requests of one connection that are worked on or wait for their turn to be
    /// answered.
    pub requests_max: usize,
    /// Sizes of the kernel's buffers.
    pub socket_buffers: SocketBuffers,
}

/// `socket.receive.buffer.bytes` and `socket.send.buffer.bytes`; `None` leaves the size to the kernel, which then grows
/// it as the connection needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketBuffers {
    /// For what comes in.
    pub receive_bytes: Option<usize>,
    /// For what goes out.
    pub send_bytes: Option<usize>,
}
