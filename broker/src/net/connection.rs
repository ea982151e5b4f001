//! One connection: frames in, answers out in the order of the requests, work overlapping where the API allows it.
//!
//! The connection is one task. It never reads ahead of what it may work on: at the in-flight cap, behind a request that
//! runs alone, or while request memory or the socket's send side is the bottleneck, the rest waits in the socket and TCP
//! slows the sender.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use storage::runtime::{LocalFuture, Monotonic, net};
use thiserror::Error;

use super::budget::{MemoryBudget, MemoryShare};
use super::frame::{FrameError, FrameReader, Step};
use super::output::Output;
use crate::api::{BadRequest, Call, Order, Reply};
use crate::context::{ConnectionInfo, Latch};
use crate::shard::Shard;
use crate::telemetry;

/// What the rest of the core may know and ask of a connection.
#[derive(Debug, Default)]
pub struct ConnectionState {
    /// When bytes last went in or out.
    pub last_active: Cell<Monotonic>,
    /// No request is at work.
    pub is_idle: Cell<bool>,
    /// Asks the connection to read no further request, answer what it has, and close.
    pub closing: Latch,
}

/// Why a connection ended other than by its client's wish.
#[derive(Debug, Error)]
pub enum CloseReason {
    /// No frame boundary can be found any more.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that is no request of ours.
    #[error(transparent)]
    Request(#[from] BadRequest),
    /// A handler asked for it.
    #[error("{0}")]
    Asked(&'static str),
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// One client.
pub struct Connection {
    shard: Rc<Shard>,
    stream: net::Connection,
    info: Rc<ConnectionInfo>,
    state: Rc<ConnectionState>,
    memory: MemoryBudget,
    requests_max: usize,
    reader: FrameReader,
    /// Request memory the frame under way waits for.
    memory_wait: Option<LocalFuture<MemoryShare>>,
    /// A request that must not begin before all others are answered.
    waiting: Option<(Call, MemoryShare)>,
    in_flight: FuturesOrdered<LocalFuture<Reply>>,
    /// The one request in flight runs alone.
    alone: bool,
    output: Output,
}

/// What must happen before another request can begin.
enum Wants {
    /// Bytes of the socket.
    Bytes,
    /// Request memory.
    Memory,
    /// An answer to an earlier request, or room in the output.
    Answer,
    /// The end of a pause: the client used more than its quota.
    Time(Monotonic),
}

enum Event {
    Closing,
    Answer(Reply),
    Granted(MemoryShare),
    Writable,
    Readable,
    Unmuted,
}

impl Connection {
    /// A connection on the core that will serve it.
    pub fn new(
        shard: Rc<Shard>,
        stream: net::Connection,
        info: ConnectionInfo,
        state: Rc<ConnectionState>,
    ) -> Connection {
        let net = shard.net().clone();
        Connection {
            stream,
            info: Rc::new(info),
            state,
            memory: net.memory,
            requests_max: net.requests_max,
            reader: FrameReader::new(shard.connections().read_buffers.clone(), net.frame_bytes_max),
            memory_wait: None,
            waiting: None,
            in_flight: FuturesOrdered::new(),
            alone: false,
            output: Output::default(),
            shard,
        }
    }

    /// Serves the client until either side is done. Work that was begun is finished even if nobody reads the answer:
    /// an acks=0 producer may close right after it has sent.
    pub async fn serve(mut self) -> Result<(), CloseReason> {
        let result = self.run().await;
        self.info.closed.set();
        while self.in_flight.next().await.is_some() {}
        telemetry::disconnected(&self.shard, &self.info).await;
        result
    }

    async fn run(&mut self) -> Result<(), CloseReason> {
        loop {
            let wants = self.begin_and_flush().await?;
            self.state.is_idle.set(self.in_flight.is_empty() && self.output.is_empty());
            if self.state.closing.is_set() && self.state.is_idle.get() {
                return Ok(());
            }
            self.reader.rest();
            match self.next_event(wants).await? {
                // The loop's head looks at the latch. Long polls end early, so that their answers go out.
                Event::Closing => self.info.closed.set(),
                Event::Answer(reply) => self.take_answers(reply).await?,
                Event::Granted(share) => self.reader.grant(share),
                Event::Writable | Event::Unmuted => {}
                Event::Readable => {
                    if !self.read()? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Begins what may begin and writes what may be written, until neither makes room for the other. A request that was
    /// held back for want of room in the output alone must not be left to wait for an event once the flush has made that
    /// room: nothing is in flight then that could bring one. A fetch of 2 MB once hung its client so.
    async fn begin_and_flush(&mut self) -> Result<Wants, CloseReason> {
        loop {
            let wants = self.begin_requests().await?;
            self.output.flush(&self.stream)?;
            let can_wait = !self.in_flight.is_empty() || !self.output.is_empty();
            if can_wait || !matches!(wants, Wants::Answer) {
                return Ok(wants);
            }
        }
    }

    /// Begins every request that is complete and may begin.
    async fn begin_requests(&mut self) -> Result<Wants, CloseReason> {
        loop {
            if self.alone || self.in_flight.len() >= self.requests_max || !self.output.has_room() {
                return Ok(Wants::Answer);
            }
            if let Some(until) = self.muted_until() {
                return Ok(Wants::Time(until));
            }
            let Some((call, memory)) = self.next_call()? else {
                return Ok(if self.memory_wait.is_some() { Wants::Memory } else { Wants::Bytes });
            };
            if call.order() == Order::Alone && !self.in_flight.is_empty() {
                self.waiting = Some((call, memory));
                return Ok(Wants::Answer);
            }
            self.begin(call, memory).await?;
        }
    }

    /// The end of the pause, while it lasts.
    fn muted_until(&self) -> Option<Monotonic> {
        let until = self.info.muted_until();
        (until > Monotonic::default() && until > self.shard.runtime().now()).then_some(until)
    }

    fn next_call(&mut self) -> Result<Option<(Call, MemoryShare)>, CloseReason> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        if self.memory_wait.is_some() || self.state.closing.is_set() {
            return Ok(None);
        }
        match self.reader.step()? {
            Step::Frame(frame) => Ok(Some((Call::parse(&self.shard, &self.info, frame.bytes)?, frame.memory))),
            Step::Read => Ok(None),
            Step::Memory(bytes) => {
                self.memory_wait = Some(Box::pin(self.memory.take(bytes)));
                Ok(None)
            }
        }
    }

    /// Polls the request once, which is when a produce issues its appends; most are then done.
    async fn begin(&mut self, call: Call, memory: MemoryShare) -> Result<(), CloseReason> {
        let order = call.order();
        let work = call.begin()?;
        let mut work: LocalFuture<Reply> = Box::pin(async move {
            let reply = work.await;
            drop(memory);
            reply
        });
        match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            Poll::Ready(reply) if self.in_flight.is_empty() => self.answer(reply),
            Poll::Ready(reply) => {
                self.in_flight.push_back(Box::pin(std::future::ready(reply)));
                Ok(())
            }
            Poll::Pending => {
                self.alone = order == Order::Alone;
                self.in_flight.push_back(work);
                Ok(())
            }
        }
    }

    async fn next_event(&mut self, wants: Wants) -> io::Result<Event> {
        let closing = self.state.closing.is_set();
        // A client that hangs up while it waits is noticed at once: readable covers the end of the stream.
        let may_read = matches!(wants, Wants::Bytes) && !closing;
        let muted_until = if let Wants::Time(until) = wants { Some(until) } else { None };
        tokio::select! {
            biased;
            () = self.state.closing.wait(), if !closing => Ok(Event::Closing),
            reply = self.in_flight.next(), if !self.in_flight.is_empty() && self.output.has_room() => {
                Ok(reply.map_or(Event::Writable, Event::Answer))
            }
            ready = self.stream.writable(), if !self.output.is_empty() => ready.map(|()| Event::Writable),
            share = granted(&mut self.memory_wait) => Ok(Event::Granted(share)),
            () = unmuted(&self.shard, muted_until) => Ok(Event::Unmuted),
            ready = self.stream.readable(), if may_read => ready.map(|()| Event::Readable),
        }
    }

    /// Takes this answer and all that are ready behind it, so that they leave in one write.
    async fn take_answers(&mut self, reply: Reply) -> Result<(), CloseReason> {
        self.answer(reply)?;
        while self.output.has_room() {
            let mut next = pin!(self.in_flight.next());
            let ready = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
            match ready {
                Poll::Ready(Some(reply)) => self.answer(reply)?,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn answer(&mut self, reply: Reply) -> Result<(), CloseReason> {
        self.alone = false;
        self.touch();
        match reply {
            Reply::Send(parts) => self.output.push(parts),
            Reply::Nothing => {}
            Reply::Close(reason) => {
                // What was answered before still goes out, as far as the socket takes it.
                self.output.flush(&self.stream)?;
                return Err(CloseReason::Asked(reason));
            }
        }
        Ok(())
    }

    /// Reads what is there; `false` at the end of the stream.
    fn read(&mut self) -> io::Result<bool> {
        match self.stream.try_read(self.reader.room()) {
            Ok(0) => Ok(false),
            Ok(_) => {
                self.touch();
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn touch(&self) {
        let now = self.shard.runtime().now();
        self.state.last_active.set(now);
        self.shard.connections().last_active.set(now);
    }
}

/// Completes at `moment`; never without one. Makes a timer only when it is polled.
async fn unmuted(shard: &Shard, moment: Option<Monotonic>) {
    match moment {
        Some(moment) => shard.runtime().sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Completes with the share; never while none is waited for.
async fn granted(wait: &mut Option<LocalFuture<MemoryShare>>) -> MemoryShare {
    let Some(future) = wait.as_mut() else { return std::future::pending().await };
    let share = Pin::new(future).await;
    *wait = None;
    share
}
