//! What a handler knows beside the request itself.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::messages::{ApiKey, ResponseHeader};
use protocol::wire::{Message, Writer};
use storage::runtime::Monotonic;
use tokio::sync::{Mutex, Notify};

use crate::quotas::Pause;
use crate::shard::Shard;
use crate::telemetry::ClientSoftware;

/// Who is at the other end of a connection. One per connection, shared by its requests.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// Name of the listener the client came in by: metadata answers carry the endpoints of this listener.
    pub listener: String,
    /// Address of the client.
    pub peer: SocketAddr,
    /// Set once nobody waits for answers any more: the client left or the broker stops.
    pub closed: Latch,
    /// Held by a transactional produce until its appends are issued: it may have to ask a coordinator first, and the
    /// next one must not overtake it meanwhile.
    pub produce_turn: Mutex<()>,
    /// The client instance that asked for its metrics subscription, or pushed metrics, last.
    pub telemetry_instance: Cell<Option<Uuid>>,
    software: RefCell<ClientSoftware>,
    muted_until: Cell<Monotonic>,
}

impl ConnectionInfo {
    /// A connection that was just accepted.
    pub fn new(listener: String, peer: SocketAddr) -> ConnectionInfo {
        ConnectionInfo {
            listener,
            peer,
            closed: Latch::default(),
            produce_turn: Mutex::default(),
            telemetry_instance: Cell::default(),
            software: RefCell::default(),
            muted_until: Cell::default(),
        }
    }

    /// What the client runs, as far as it said.
    pub fn software(&self) -> ClientSoftware {
        self.software.borrow().clone()
    }

    /// The client said what it runs.
    pub fn set_software(&self, software: ClientSoftware) {
        self.software.replace(software);
    }

    /// No request is begun before this moment: the client used more than its quota (KIP-219).
    pub fn mute_until(&self, moment: Monotonic) {
        self.muted_until.set(self.muted_until.get().max(moment));
    }

    /// Until when no request is begun; zero if that was never asked for.
    pub fn muted_until(&self) -> Monotonic {
        self.muted_until.get()
    }

    /// The client's host as Kafka shows it to tools (`/127.0.0.1`).
    pub fn client_host(&self) -> String {
        format!("/{}", self.peer.ip())
    }
}

/// Something that happens once; whoever waits for it is woken, whoever comes later does not wait.
#[derive(Debug, Default)]
pub struct Latch {
    is_set: Cell<bool>,
    waiters: Notify,
}

impl Latch {
    /// Lets everyone through, now and later.
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.notify_waiters();
    }

    /// Whether it happened.
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Completes once it happened.
    pub async fn wait(&self) {
        // Registered before the look at the flag, so that a set between the two is not missed.
        let woken = self.waiters.notified();
        if !self.is_set.get() {
            woken.await;
        }
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
    /// The API asked for.
    pub api_key: ApiKey,
    /// Version of the API the client speaks; within the table's range (only ApiVersions sees others).
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// As in the request header; `None` is null on the wire.
    pub client_id: Option<String>,
    /// When the frame was complete.
    pub received: Monotonic,
    /// Its size.
    pub frame_bytes: usize,
    /// What its client owes for using more than its quotas.
    pub pause: Rc<Pause>,
}

impl RequestContext {
    /// The response as a frame: its size, header and body, record bytes by reference.
    pub fn frame(&self, response: &impl Message) -> Vec<Bytes> {
        self.frame_in(response, self.api_version)
    }

    /// As [`RequestContext::frame`], in another version than the request's.
    pub fn frame_in(&self, response: &impl Message, version: i16) -> Vec<Bytes> {
        let mut writer = Writer::for_frame();
        ResponseHeader { correlation_id: self.correlation_id }.encode(&mut writer, self.api_key, version);
        response.encode(&mut writer, version);
        self.shard.api_metrics().record_errors(self.api_key, writer.errors());
        writer.into_parts()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Latch;

    #[test]
    fn a_latch_wakes_those_who_wait_and_lets_later_ones_through() {
        let latch = Latch::default();
        let mut early = Box::pin(latch.wait());
        assert!(early.as_mut().now_or_never().is_none());
        let unpolled = latch.wait();
        latch.set();
        assert!(early.now_or_never().is_some());
        assert!(unpolled.now_or_never().is_some());
        assert!(latch.wait().now_or_never().is_some());
    }
}
