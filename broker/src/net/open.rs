//! The connections a core serves: found again to close the idle ones, and all of them at the end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use storage::runtime::Monotonic;
use tokio::sync::Notify;

use super::connection::ConnectionState;
use super::frame::ReadBuffers;

/// One core's connections.
#[derive(Debug, Default)]
pub struct OpenConnections {
    /// When bytes last went in or out on any of them.
    pub last_active: Cell<Monotonic>,
    /// What they read into.
    pub read_buffers: ReadBuffers,
    states: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    next: Cell<u64>,
    closed: Notify,
}

/// A connection's entry; gone when dropped.
pub struct OpenConnection {
    connections: Rc<OpenConnections>,
    number: u64,
    state: Rc<ConnectionState>,
}

impl OpenConnections {
    /// Adds a connection that was opened `now`.
    pub fn register(self: &Rc<Self>, now: Monotonic) -> OpenConnection {
        let number = self.next.replace(self.next.get() + 1);
        let state = Rc::new(ConnectionState::default());
        state.last_active.set(now);
        state.is_idle.set(true);
        self.states.borrow_mut().insert(number, state.clone());
        OpenConnection { connections: self.clone(), number, state }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.states.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes those on which nothing moved for `idle_max` and nothing is at work (`connections.max.idle.ms`).
    pub fn close_idle(&self, now: Monotonic, idle_max: Duration) {
        let is_idle =
            |state: &&Rc<ConnectionState>| state.is_idle.get() && now.since(state.last_active.get()) > idle_max;
        self.states.borrow().values().filter(is_idle).for_each(|state| state.closing.set());
    }

    /// Asks all to answer what they have and close, and waits for it.
    pub async fn close_all(&self) {
        self.states.borrow().values().for_each(|state| state.closing.set());
        while !self.is_empty() {
            self.closed.notified().await;
        }
    }
}

impl OpenConnection {
    /// What the connection and its core share.
    pub fn state(&self) -> Rc<ConnectionState> {
        self.state.clone()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.states.borrow_mut().remove(&self.number);
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_without_work_or_traffic_are_idle() {
        let connections = Rc::new(OpenConnections::default());
        let (old, busy, fresh) = (
            connections.register(Monotonic(0)),
            connections.register(Monotonic(0)),
            connections.register(Monotonic(900)),
        );
        busy.state.is_idle.set(false);
        connections.close_idle(Monotonic(1000), Duration::from_nanos(500));
        let closing = [&old, &busy, &fresh].map(|open| open.state.closing.is_set());
        assert_eq!(closing, [true, false, false]);
        drop(old);
        assert_eq!(connections.len(), 2);
    }
}
