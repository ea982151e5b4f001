//! How many connections there may be: `max.connections` in all, `max.connections.per.ip` from one address, with
//! exceptions by address. The limits can be altered while the broker runs; who is connected stays.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::BrokerConfig;

/// The limits in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub all_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub per_ip_overrides: BTreeMap<IpAddr, usize>,
}

impl ConnectionLimits {
    /// As the broker is configured. Names of hosts are looked up now, as Kafka does; one that has no address is left out.
    pub fn of(config: &BrokerConfig) -> ConnectionLimits {
        let mut per_ip_overrides = BTreeMap::new();
        for (host, max) in &config.connections_per_ip_overrides {
            match (host.as_str(), 0).to_socket_addrs() {
                Ok(addresses) => per_ip_overrides.extend(addresses.map(|address| (address.ip(), *max))),
                Err(error) => tracing::warn!(host, %error, "max.connections.per.ip.overrides: left out"),
            }
        }
        let (all_max, per_ip_max) = (config.connections_max, config.connections_per_ip_max);
        ConnectionLimits { all_max, per_ip_max, per_ip_overrides }
    }

    fn of_ip(&self, ip: IpAddr) -> usize {
        self.per_ip_overrides.get(&ip).copied().unwrap_or(self.per_ip_max)
    }
}

#[derive(Debug)]
struct Counts {
    limits: ConnectionLimits,
    /// Slots given out, those of connections not yet accepted included.
    all: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

/// The slots of all cores; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConnectionSlots {
    counts: Arc<Mutex<Counts>>,
    freed: Arc<Notify>,
}

/// Room for one connection, wherever it comes from; given back when dropped.
#[derive(Debug)]
pub struct AnySlot {
    slots: ConnectionSlots,
}

/// One connection's slot; given back when dropped, on whichever core that is.
#[derive(Debug)]
pub struct ConnectionSlot {
    any: AnySlot,
    ip: IpAddr,
}

impl ConnectionSlots {
    /// All free.
    pub fn new(limits: ConnectionLimits) -> ConnectionSlots {
        let counts = Counts { limits, all: 0, by_ip: BTreeMap::new() };
        ConnectionSlots { counts: Arc::new(Mutex::new(counts)), freed: Arc::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits from now on.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.counts().limits = limits;
        self.freed.notify_waiters();
    }

    /// Waits for a free slot: at `max.connections` no connection is accepted until one closes (as Kafka does).
    pub async fn wait(&self) -> AnySlot {
        loop {
            // Registered before the look, so that a slot freed between the two is not missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(slot) = self.take_any() {
                return slot;
            }
            freed.await;
        }
    }

    fn take_any(&self) -> Option<AnySlot> {
        let mut counts = self.counts();
        let is_free = counts.all < counts.limits.all_max;
        counts.all += usize::from(is_free);
        is_free.then(|| AnySlot { slots: self.clone() })
    }

    /// Gives the slot to a connection from `ip`; `None` when that address has its share.
    pub fn take(&self, any: AnySlot, ip: IpAddr) -> Option<ConnectionSlot> {
        // An IPv4 client of an IPv6 socket is the same client.
        let ip = ip.to_canonical();
        let mut counts = self.counts();
        let max = counts.limits.of_ip(ip);
        let count = counts.by_ip.get(&ip).copied().unwrap_or(0);
        let is_free = count < max;
        if is_free {
            counts.by_ip.insert(ip, count + 1);
        }
        // The slot that is refused is dropped, which counts it out again.
        drop(counts);
        is_free.then(|| ConnectionSlot { any, ip })
    }
}

impl Drop for AnySlot {
    fn drop(&mut self) {
        self.slots.counts().all -= 1;
        // Listeners wait in turn; all look, as the freed slot may be the first of several.
        self.slots.freed.notify_waiters();
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.any.slots.counts();
        if let Some(count) = counts.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;

    use super::*;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn slots(all_max: usize, per_ip_max: usize, overrides: &[(IpAddr, usize)]) -> ConnectionSlots {
        let per_ip_overrides = overrides.iter().copied().collect();
        ConnectionSlots::new(ConnectionLimits { all_max, per_ip_max, per_ip_overrides })
    }

    fn connect(slots: &ConnectionSlots, ip: IpAddr) -> Option<ConnectionSlot> {
        slots.take(slots.wait().now_or_never().expect("fewer than max.connections"), ip)
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let slots = slots(3, 1, &[(OTHER, 2)]);
        let first = connect(&slots, IP);
        assert!(first.is_some() && connect(&slots, IP).is_none());
        drop(first);
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let first = connect(&slots, mapped);
        assert!(first.is_some() && connect(&slots, IP).is_none());
        let others = [connect(&slots, OTHER), connect(&slots, OTHER)];
        assert!(others.iter().all(Option::is_some));
        assert!(slots.wait().now_or_never().is_none(), "three connections in all");
        drop(others);
        assert!(connect(&slots, OTHER).is_some());
    }

    #[test]
    fn an_override_of_zero_refuses_an_address() {
        let slots = slots(3, 5, &[(OTHER, 0)]);
        assert!(connect(&slots, OTHER).is_none() && connect(&slots, IP).is_some());
    }

    #[test]
    fn who_waits_is_woken_by_a_closed_connection_and_by_a_higher_limit() {
        let slots = slots(1, 5, &[]);
        let held = connect(&slots, IP);
        let mut waiting = Box::pin(slots.wait());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        let second = waiting.as_mut().now_or_never().expect("a connection closed");
        let mut waiting = Box::pin(slots.wait());
        assert!(waiting.as_mut().now_or_never().is_none());
        let limits = ConnectionLimits { all_max: 2, per_ip_max: 5, per_ip_overrides: BTreeMap::new() };
        slots.set_limits(limits);
        assert!(waiting.as_mut().now_or_never().is_some());
        drop(second);
    }
}
