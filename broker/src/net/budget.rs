//! What all connections together may take: request memory and connection slots.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Slots for connections: `max.connections` in all, `max.connections.per.ip` from one address.
#[derive(Debug, Clone)]
pub struct ConnectionSlots {
    all: Arc<Semaphore>,
    per_ip_max: usize,
    by_ip: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// Room for one connection, wherever it comes from.
pub struct AnySlot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// One connection's slot; given back when dropped, on whichever core that is.
pub struct ConnectionSlot {
    _any: AnySlot,
    ip: IpAddr,
    by_ip: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl ConnectionSlots {
    /// `max.connections` and `max.connections.per.ip`.
    pub fn new(all_max: usize, per_ip_max: usize) -> ConnectionSlots {
        let all = Arc::new(Semaphore::new(all_max.min(Semaphore::MAX_PERMITS)));
        ConnectionSlots { all, per_ip_max, by_ip: Arc::default() }
    }

    /// Waits for a free slot: at `max.connections` no connection is accepted until one closes (as Kafka does).
    pub async fn wait(&self) -> Option<AnySlot> {
        self.all.clone().acquire_owned().await.ok().map(AnySlot)
    }

    /// Gives the slot to a connection from `ip`; `None` when that address has its share.
    pub fn take(&self, any: AnySlot, ip: IpAddr) -> Option<ConnectionSlot> {
        let mut by_ip = self.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_ip.entry(ip).or_insert(0);
        if *count >= self.per_ip_max {
            return None;
        }
        *count += 1;
        drop(by_ip);
        Some(ConnectionSlot { _any: any, ip, by_ip: self.by_ip.clone() })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut by_ip = self.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;

    use super::{ConnectionSlots, MemoryBudget};

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

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let slots = ConnectionSlots::new(3, 1);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let wait = || slots.wait().now_or_never().flatten();
        let first = slots.take(wait().expect("free"), ip);
        assert!(first.is_some());
        assert!(slots.take(wait().expect("free"), ip).is_none());
        drop(first);
        assert!(slots.take(wait().expect("free"), ip).is_some());
        let held: Vec<_> = (0..3).map(|_| wait()).collect();
        assert!(held.iter().all(Option::is_some) && wait().is_none(), "three connections in all");
    }
}
