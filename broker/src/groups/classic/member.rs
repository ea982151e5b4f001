//! One member of a classic group.

use std::rc::Rc;

use bytes::Bytes;

use crate::groups::effects::Token;

/// A protocol a member can live with and what it has to say under it. The broker never looks into `metadata`, but for
/// the topic names of a `consumer` subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Name, for example of an assignor.
    pub name: Rc<str>,
    /// Opaque.
    pub metadata: Bytes,
}

/// One member of a classic group (ClassicGroupMember.java).
#[derive(Debug, Clone)]
pub struct Member {
    /// Given by the coordinator.
    pub member_id: Rc<str>,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<Rc<str>>,
    /// From the request header.
    pub client_id: String,
    /// As Kafka shows it, `/127.0.0.1`.
    pub client_host: String,
    /// How long this member may take to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long this member may be silent.
    pub session_timeout_ms: i32,
    /// `consumer`, `connect`, `sr`, ...
    pub protocol_type: Rc<str>,
    /// In the member's order of preference, names unique.
    pub protocols: Vec<Protocol>,
    /// What the leader gave this member in the current generation.
    pub assignment: Bytes,
    /// The JoinGroup request that waits for the join phase to end.
    pub awaiting_join: Option<Token>,
    /// The SyncGroup request that waits for the leader's assignment.
    pub awaiting_sync: Option<Token>,
    /// Joined for the first time and never saw a join phase end.
    pub is_new: bool,
}

impl Member {
    /// What the member said under `protocol`; empty if it does not know it.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = self.protocols.iter().find(|candidate| Some(&*candidate.name) == protocol);
        found.map(|candidate| candidate.metadata.clone()).unwrap_or_default()
    }

    /// Whether this is a static member (KIP-345).
    pub fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// A parked request is a sign of life; a new member's does not count, since its client may long be gone.
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// Memory this member holds, roughly.
    pub fn bytes(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|p| p.name.len() + p.metadata.len() + 64).sum();
        let names = 2 * self.member_id.len() + self.client_id.len() + self.client_host.len();
        256 + names + protocols + self.assignment.len() + self.group_instance_id.as_ref().map_or(0, |id| 2 * id.len())
    }
}
