//! Incremental fetch sessions (KIP-227): the partitions a consumer reads are remembered, so that its next request names
//! only what changed and the answer only what is new.
//!
//! Each core keeps the sessions of its own connections. A client that reconnects to another core is told
//! FETCH_SESSION_ID_NOT_FOUND and begins anew with a full fetch, as after a restart. Without a free slot a client gets
//! session id 0 and goes on with full fetches: sessions save bytes, nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use protocol::messages::fetch::{FetchPartition, PartitionData};
use protocol::{ErrorCode, Uuid};
use storage::runtime::{HashMap, Monotonic};

/// A session may be displaced once it was not used for this long (FetchSession.scala: MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);
/// Session epoch of a request that is not part of a session, or ends it.
pub const FINAL_EPOCH: i32 = -1;
/// Session epoch of a request that opens a session.
pub const INITIAL_EPOCH: i32 = 0;
const NO_SESSION: i32 = 0;

/// A topic as the client names it: by name up to v12, by id from v13 on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKey {
    /// Up to v12.
    Name(Rc<str>),
    /// From v13 on.
    Id(Uuid),
}

/// A partition as the client names it.
pub type PartitionKey = (TopicKey, i32);

/// A partition a client wants to read, and how.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which.
    pub key: PartitionKey,
    /// From where and how much.
    pub fetch: FetchPartition,
}

struct Cached {
    wanted: Wanted,
    /// As last sent; -1 has it sent again.
    high_watermark: i64,
    log_start_offset: i64,
}

/// One client's partitions, in the order they are served.
pub struct Session {
    id: i32,
    epoch: i32,
    uses_topic_ids: bool,
    last_used: Monotonic,
    by_turn: BTreeMap<u64, Cached>,
    turns: HashMap<PartitionKey, u64>,
    next_turn: u64,
}

impl Session {
    fn new(id: i32, uses_topic_ids: bool, now: Monotonic) -> Session {
        Session {
            id,
            epoch: INITIAL_EPOCH + 1,
            uses_topic_ids,
            last_used: now,
            by_turn: BTreeMap::new(),
            turns: HashMap::default(),
            next_turn: 0,
        }
    }

    fn put(&mut self, wanted: Wanted) {
        if let Some(cached) = self.turns.get(&wanted.key).and_then(|turn| self.by_turn.get_mut(turn)) {
            cached.wanted = wanted;
            return;
        }
        self.turns.insert(wanted.key.clone(), self.next_turn);
        self.by_turn.insert(self.next_turn, Cached { wanted, high_watermark: -1, log_start_offset: -1 });
        self.next_turn += 1;
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(turn) = self.turns.remove(key) {
            self.by_turn.remove(&turn);
        }
    }

    /// Remembers what is sent; `false` when there is nothing the client does not know. A partition that had data goes
    /// behind the others, so that a full response does not starve them.
    fn update(&mut self, key: &PartitionKey, data: &PartitionData) -> bool {
        let Some(turn) = self.turns.get(key).copied() else { return true };
        let Some(mut cached) = self.by_turn.remove(&turn) else { return true };
        let has_data = data.records.as_ref().is_some_and(|records| !records.is_empty());
        let is_new = has_data
            || data.error_code.is_error()
            || data.high_watermark != cached.high_watermark
            || data.log_start_offset != cached.log_start_offset
            || data.preferred_read_replica != -1
            || data.diverging_epoch.epoch != -1;
        cached.high_watermark = if data.error_code.is_error() { -1 } else { data.high_watermark };
        cached.log_start_offset = data.log_start_offset;
        let turn = if has_data { self.next_turn } else { turn };
        self.next_turn += u64::from(has_data);
        self.turns.insert(key.clone(), turn);
        self.by_turn.insert(turn, cached);
        is_new
    }
}

/// What a fetch request asks of the sessions.
#[derive(Debug)]
pub struct SessionRequest {
    /// 0 for none.
    pub id: i32,
    /// See [`FINAL_EPOCH`] and [`INITIAL_EPOCH`].
    pub epoch: i32,
    /// Version 13 or later.
    pub uses_topic_ids: bool,
    /// The request's partitions.
    pub wanted: Vec<Wanted>,
    /// The request's forgotten partitions.
    pub forgotten: Vec<PartitionKey>,
}

/// How one fetch is served and answered.
pub enum SessionContext {
    /// All that was asked for is answered; no session.
    Sessionless(Vec<Wanted>),
    /// All that was asked for is answered, with the id of a new session.
    Opened(Vec<Wanted>, Rc<RefCell<Session>>),
    /// The session's partitions are read, what is new is answered.
    Incremental(Rc<RefCell<Session>>),
}

impl SessionContext {
    /// The partitions to read, in order.
    pub fn wanted(&self) -> Vec<Wanted> {
        match self {
            SessionContext::Sessionless(wanted) | SessionContext::Opened(wanted, _) => wanted.clone(),
            SessionContext::Incremental(session) => {
                session.borrow().by_turn.values().map(|cached| cached.wanted.clone()).collect()
            }
        }
    }

    /// The id the response carries.
    pub fn session_id(&self) -> i32 {
        match self {
            SessionContext::Sessionless(_) => NO_SESSION,
            SessionContext::Opened(_, session) | SessionContext::Incremental(session) => session.borrow().id,
        }
    }

    /// Whether a partition's answer goes into the response; remembers it if so.
    pub fn keeps(&self, key: &PartitionKey, data: &PartitionData) -> bool {
        match self {
            SessionContext::Sessionless(_) => true,
            SessionContext::Opened(_, session) => {
                session.borrow_mut().update(key, data);
                true
            }
            SessionContext::Incremental(session) => session.borrow_mut().update(key, data),
        }
    }
}

/// One core's sessions.
pub struct FetchSessions {
    slots_max: usize,
    sessions: HashMap<i32, Rc<RefCell<Session>>>,
}

impl FetchSessions {
    /// At most `slots_max` sessions, this core's share of `max.incremental.fetch.session.cache.slots`.
    pub fn new(slots_max: usize) -> FetchSessions {
        FetchSessions { slots_max, sessions: HashMap::default() }
    }

    /// Sessions open.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Finds, opens or ends a session as the request asks (FetchManager.newContext). `random` proposes an id.
    pub fn context(
        &mut self,
        request: SessionRequest,
        now: Monotonic,
        mut random: impl FnMut() -> u64,
    ) -> Result<SessionContext, ErrorCode> {
        match request.epoch {
            INITIAL_EPOCH | FINAL_EPOCH => {
                self.sessions.remove(&request.id);
                if request.epoch == FINAL_EPOCH {
                    return Ok(SessionContext::Sessionless(request.wanted));
                }
                Ok(self.open(request, now, &mut random))
            }
            _ => self.resume(request, now),
        }
    }

    fn open(&mut self, request: SessionRequest, now: Monotonic, random: &mut impl FnMut() -> u64) -> SessionContext {
        if request.wanted.is_empty() || !self.make_room(now) {
            return SessionContext::Sessionless(request.wanted);
        }
        let id = loop {
            let id = (random() & 0x7fff_ffff) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session::new(id, request.uses_topic_ids, now);
        for wanted in &request.wanted {
            session.put(wanted.clone());
        }
        let session = Rc::new(RefCell::new(session));
        self.sessions.insert(id, session.clone());
        SessionContext::Opened(request.wanted, session)
    }

    fn make_room(&mut self, now: Monotonic) -> bool {
        if self.sessions.len() < self.slots_max {
            return true;
        }
        let oldest = self.sessions.values().map(|session| (session.borrow().last_used, session.borrow().id)).min();
        match oldest {
            Some((last_used, id)) if now.since(last_used) > EVICTABLE_AFTER => self.sessions.remove(&id).is_some(),
            _ => false,
        }
    }

    fn resume(&mut self, request: SessionRequest, now: Monotonic) -> Result<SessionContext, ErrorCode> {
        let session = self.sessions.get(&request.id).cloned().ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let mut open = session.borrow_mut();
        if open.epoch != request.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if open.uses_topic_ids != request.uses_topic_ids {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        for wanted in request.wanted {
            open.put(wanted);
        }
        for key in &request.forgotten {
            open.forget(key);
        }
        open.last_used = now;
        open.epoch = open.epoch.checked_add(1).unwrap_or(INITIAL_EPOCH + 1);
        if open.by_turn.is_empty() {
            // Kafka, too, drops a session that has nothing left to read and answers without one.
            self.sessions.remove(&request.id);
            return Ok(SessionContext::Sessionless(Vec::new()));
        }
        drop(open);
        Ok(SessionContext::Incremental(session))
    }
}

#[cfg(test)]
mod tests;
