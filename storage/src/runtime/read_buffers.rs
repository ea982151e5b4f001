//! Memory of reads, used again as soon as nobody holds a piece of it.
//!
//! A read into fresh memory pays a page fault for every 4 KiB, and on a virtual machine the host's share of it too: two
//! thirds of the CPU of a bulk fetch went there. So a buffer's allocation is kept by its unused end, and taken whole again
//! once the response that pinned it has left.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::BLOCK_BYTES;
use super::buffers::{aligned_with_capacity, padding_to_block};

/// Reads of this size or less share an allocation of it; larger ones get memory of their own.
const BUFFER_BYTES: usize = (1 << 20) + (64 << 10);
/// Below this a fresh allocation costs less than a whole buffer pinned by a small answer.
const POOLED_BYTES_MIN: usize = 256 << 10;
/// Allocations kept per core: a response of a dozen partitions.
const KEPT_MAX: usize = 12;
/// After this long without a read the memory goes back to the system.
const IDLE_AGE: Duration = Duration::from_secs(10);

/// One core's read buffers.
#[derive(Default)]
pub(super) struct ReadBuffers {
    /// Empty ends of allocations; each becomes the whole again when it is the last piece.
    kept: RefCell<VecDeque<BytesMut>>,
    reads: Cell<u64>,
    is_watched: Cell<bool>,
}

impl ReadBuffers {
    /// An empty buffer with room for `length` bytes, the first aligned to [`BLOCK_BYTES`].
    pub fn take(self: &Rc<Self>, length: usize) -> BytesMut {
        if !(POOLED_BYTES_MIN..=BUFFER_BYTES).contains(&length) {
            return aligned_with_capacity(length);
        }
        self.reads.set(self.reads.get() + 1);
        let mut buffer = self.whole();
        let padding = padding_to_block(buffer.as_ptr() as usize);
        buffer.resize(padding, 0);
        self.keep(buffer.split_off(padding + length));
        buffer.advance(padding);
        buffer
    }

    fn whole(&self) -> BytesMut {
        let bytes = BUFFER_BYTES + BLOCK_BYTES;
        let mut kept = self.kept.borrow_mut();
        let free = kept.iter_mut().position(|end| end.try_reclaim(bytes));
        free.and_then(|index| kept.remove(index)).unwrap_or_else(|| BytesMut::with_capacity(bytes))
    }

    fn keep(self: &Rc<Self>, end: BytesMut) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.push_back(end);
        }
        drop(kept);
        if !self.is_watched.replace(true) {
            let buffers = self.clone();
            #[expect(clippy::disallowed_methods, reason = "the back ends are part of the runtime")]
            tokio::task::spawn_local(async move { buffers.release_when_idle(IDLE_AGE).await });
        }
    }

    /// Ends with nothing kept, so that an idle core holds neither memory nor a timer.
    async fn release_when_idle(&self, age: Duration) {
        loop {
            let reads = self.reads.get();
            #[expect(clippy::disallowed_methods, reason = "the back ends are part of the runtime")]
            tokio::time::sleep(age).await;
            if self.reads.get() == reads {
                break;
            }
        }
        self.kept.borrow_mut().clear();
        self.is_watched.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Backend;
    use super::super::core::block_on;
    use super::*;

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_holds_a_piece() {
        let used_again = block_on(Backend::Threads, |_| async {
            let buffers = Rc::new(ReadBuffers::default());
            let mut first = buffers.take(1 << 20);
            let address = first.as_ptr() as usize;
            assert!(first.is_empty() && first.capacity() >= 1 << 20 && address.is_multiple_of(BLOCK_BYTES));
            first.resize(1 << 20, 7);
            assert_eq!(first.as_ptr() as usize, address, "filled without moving");
            let held = first.freeze().slice(100..200);
            let second = buffers.take(1 << 20);
            assert_ne!(second.as_ptr() as usize, address, "a piece of the first is still held");
            drop(held);
            assert_eq!(buffers.take(300 << 10).as_ptr() as usize, address, "free again");
            assert_eq!(buffers.kept.borrow().len(), 2);
            buffers.release_when_idle(Duration::from_millis(1)).await;
            assert!(buffers.kept.borrow().is_empty() && !buffers.is_watched.get(), "given back when idle");
        });
        used_again.expect("file threads can be had");
    }
}
