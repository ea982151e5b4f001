//! What the requests of all connections together may take of memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget counts in pieces of this size, so that more than 4 GiB fit a semaphore's 32 bits.
const PIECE_BYTES: usize = 1024;

/// Frames up to this size are not counted: they live in read buffers, which the requests at work of a
/// connection (`msgloop.connection.requests.max`) and `max.connections` bound.
pub const UNCOUNTED_BYTES_MAX: usize = 16 * 1024;

/// Memory for the frames of all connections. Who finds it spent waits and does not read on, which slows the sender
/// through TCP.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    pieces: Arc<Semaphore>,
    pieces_max: u32,
}

/// Given back when dropped; a frame up to [`UNCOUNTED_BYTES_MAX`] holds nothing.
pub type MemoryShare = Option<OwnedSemaphorePermit>;

impl MemoryBudget {
    /// A budget of `bytes_max`, and no less than one frame of `frame_bytes_max`: a legal frame must always fit.
    pub fn new(bytes_max: usize, frame_bytes_max: usize) -> MemoryBudget {
        let pieces = bytes_max.max(frame_bytes_max).div_ceil(PIECE_BYTES).min(Semaphore::MAX_PERMITS);
        let pieces_max = u32::try_from(pieces).unwrap_or(u32::MAX);
        MemoryBudget { pieces: Arc::new(Semaphore::new(pieces_max as usize)), pieces_max }
    }

    /// Waits, first come first served, for room for a frame of `bytes`.
    pub fn take(&self, bytes: usize) -> impl Future<Output = MemoryShare> + 'static {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX).min(self.pieces_max);
        let budget = self.pieces.clone();
        // The semaphore is never closed.
        async move { budget.acquire_many_owned(pieces).await.ok() }
    }

    /// Bytes not taken.
    pub fn available_bytes(&self) -> usize {
        self.pieces.available_permits() * PIECE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::MemoryBudget;

    #[test]
    fn memory_is_waited_for_in_order_and_a_legal_frame_always_fits() {
        let budget = MemoryBudget::new(64 * 1024, 100 * 1024);
        assert_eq!(budget.available_bytes(), 100 * 1024);
        let first = budget.take(60 * 1024).now_or_never().expect("room");
        let mut second = Box::pin(budget.take(100 * 1024));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(budget.take(1024).now_or_never().is_none(), "a small frame does not overtake");
        drop(first);
        assert!(second.now_or_never().is_some());
    }
}
