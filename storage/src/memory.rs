//! The memory behind tails: page-aligned chunks that commits are built in and that stay until nobody refers to them.
//!
//! A batch is copied once, into a chunk; the commit's write, acks, reads and write-back refer to that memory. What is
//! bounded is therefore the number of chunks somebody still refers to, a slow reader's response included. Dropping
//! `Bytes` tells nobody, so chunks that are used up are asked again (`BytesMut::try_reclaim`) when one is needed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::runtime::{BLOCK_BYTES, Runtime};

/// Size of a chunk.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Free chunks kept for the next burst; the rest goes back to the allocator. Fresh memory is dear, see
/// `docs/benchmarks.md`, and idle memory is too.
const FREE_CHUNKS_MAX: usize = 64;
/// How often a waiting append looks whether readers have let go of memory.
const RECHECK: Duration = Duration::from_millis(2);

/// One core's chunks and their bound.
pub struct Memory {
    runtime: Runtime,
    bytes_max: usize,
    reserved: Cell<usize>,
    outstanding: Cell<usize>,
    free: RefCell<Vec<BytesMut>>,
    retired: RefCell<VecDeque<BytesMut>>,
    waiters: RefCell<VecDeque<Rc<Notify>>>,
}

/// Room for one append, counted against the bound; given back when dropped or spent.
pub struct Reservation {
    memory: Rc<Memory>,
    bytes: usize,
    spare: bool,
}

impl Reservation {
    /// How much was reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a full directory takes the append, too, as long as its spare room lasts.
    pub fn is_spare(&self) -> bool {
        self.spare
    }

    /// See [`Reservation::is_spare`].
    pub(crate) fn into_spare(mut self) -> Reservation {
        self.spare = true;
        self
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.reserved.set(self.memory.reserved.get() - self.bytes);
        self.memory.wake_first();
    }
}

impl Memory {
    /// Memory of at most `bytes_max`, give or take the chunks being filled.
    pub fn new(runtime: Runtime, bytes_max: usize) -> Rc<Memory> {
        Rc::new(Memory {
            runtime,
            bytes_max: bytes_max.max(4 * CHUNK_BYTES),
            reserved: Cell::new(0),
            outstanding: Cell::new(0),
            free: RefCell::default(),
            retired: RefCell::default(),
            waiters: RefCell::default(),
        })
    }

    /// The bound.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Memory somebody refers to, and reservations.
    pub fn used_bytes(&self) -> usize {
        self.outstanding.get() * CHUNK_BYTES + self.reserved.get()
    }

    /// Appends that wait for memory.
    pub fn waiting(&self) -> usize {
        self.waiters.borrow().len()
    }

    /// An aligned, empty chunk of [`CHUNK_BYTES`] capacity. Never fails: what may be appended was reserved before.
    pub fn take_chunk(&self) -> BytesMut {
        self.reclaim();
        self.outstanding.set(self.outstanding.get() + 1);
        let chunk = self.free.borrow_mut().pop().unwrap_or_else(|| BytesMut::with_capacity(CHUNK_BYTES + BLOCK_BYTES));
        align(chunk)
    }

    /// Hands back the empty remainder of a chunk; the chunk is free once nothing else refers to it.
    pub fn retire(&self, remainder: BytesMut) {
        self.retired.borrow_mut().push_back(remainder);
    }

    /// Finds chunks that nobody refers to any more.
    pub fn reclaim(&self) {
        let mut retired = self.retired.borrow_mut();
        let mut free = self.free.borrow_mut();
        let before = retired.len();
        for _ in 0..before {
            let Some(mut chunk) = retired.pop_front() else { break };
            chunk.clear();
            if !chunk.try_reclaim(CHUNK_BYTES + BLOCK_BYTES) {
                retired.push_back(chunk);
            } else if free.len() < FREE_CHUNKS_MAX {
                free.push(chunk);
            }
        }
        self.outstanding.set(self.outstanding.get() - (before - retired.len()));
    }

    /// Gives free chunks back to the allocator: there is nothing to do.
    pub fn release_free(&self) {
        self.reclaim();
        self.free.borrow_mut().clear();
    }

    /// Waits, first come first served, until `bytes` fit. A request larger than the bound is let through when
    /// nothing else is reserved and the tails are empty. `make_room` is called whenever there is not enough; `admits`
    /// says whether something else than memory (the ring) has room for so many bytes in all reservations; nobody waits
    /// while `passes`.
    pub async fn reserve(
        self: &Rc<Memory>,
        bytes: usize,
        admits: impl Fn(usize) -> bool,
        make_room: impl Fn(usize),
        passes: impl Fn() -> bool,
    ) -> Reservation {
        if passes() {
            return self.take(bytes);
        }
        if self.waiters.borrow().is_empty()
            && let Some(reservation) = self.try_reserve(bytes, &admits, &make_room)
        {
            return reservation;
        }
        let place = Place { memory: self.clone(), wake: Rc::new(Notify::new()) };
        self.waiters.borrow_mut().push_back(place.wake.clone());
        loop {
            if passes() {
                return self.take(bytes);
            }
            if place.is_first() {
                if let Some(reservation) = self.try_reserve(bytes, &admits, &make_room) {
                    return reservation;
                }
                let _ = self.runtime.timeout(RECHECK, place.wake.notified()).await;
            } else {
                place.wake.notified().await;
            }
        }
    }

    fn try_reserve(
        self: &Rc<Memory>,
        bytes: usize,
        admits: &impl Fn(usize) -> bool,
        make_room: &impl Fn(usize),
    ) -> Option<Reservation> {
        if !self.fits(bytes) {
            self.reclaim();
        }
        if !self.fits(bytes) || !admits(self.reserved.get() + bytes) {
            make_room(self.reserved.get() + bytes);
            self.reclaim();
        }
        if !self.fits(bytes) || !admits(self.reserved.get() + bytes) {
            return None;
        }
        Some(self.take(bytes))
    }

    fn take(self: &Rc<Memory>, bytes: usize) -> Reservation {
        self.reserved.set(self.reserved.get() + bytes);
        Reservation { memory: self.clone(), bytes, spare: false }
    }

    fn fits(&self, bytes: usize) -> bool {
        let used = self.used_bytes();
        // The chunk being filled counts as used for as long as it is filled.
        used + bytes <= self.bytes_max || (self.reserved.get() == 0 && used <= CHUNK_BYTES)
    }

    /// Lets the first waiter look again.
    pub fn wake_first(&self) {
        if let Some(first) = self.waiters.borrow().front() {
            first.notify_one();
        }
    }
}

/// A waiter's place in the queue; leaves it when dropped, served or not.
struct Place {
    memory: Rc<Memory>,
    wake: Rc<Notify>,
}

impl Place {
    fn is_first(&self) -> bool {
        self.memory.waiters.borrow().front().is_some_and(|first| Rc::ptr_eq(first, &self.wake))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.memory.waiters.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.wake));
        self.memory.wake_first();
    }
}

/// Moves the start of an empty buffer to the next block boundary.
fn align(mut chunk: BytesMut) -> BytesMut {
    let misaligned = chunk.as_ptr() as usize % BLOCK_BYTES;
    if misaligned != 0 {
        chunk.resize(BLOCK_BYTES - misaligned, 0);
        let _ = chunk.split();
    }
    chunk
}

/// An aligned buffer of `length` zeros, for I/O that bypasses the page cache.
pub fn aligned_zeros(length: usize) -> BytesMut {
    let mut buffer = align(BytesMut::with_capacity(length + BLOCK_BYTES));
    buffer.resize(length, 0);
    buffer
}
