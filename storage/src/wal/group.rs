//! What waits for one commit.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::error::StorageError;

/// Told when what it appended is durable.
pub trait Committed {
    /// All that was appended with `token` or before is durable.
    fn committed(&self, token: i64);
}

enum State {
    Gathering(Vec<Waker>),
    Done(Result<(), StorageError>),
}

/// Appends that become durable together.
pub struct Group {
    state: RefCell<State>,
    touched: RefCell<Vec<(Rc<dyn Committed>, i64)>>,
}

impl Group {
    /// A group that gathers.
    pub fn new() -> Rc<Group> {
        Rc::new(Group { state: RefCell::new(State::Gathering(Vec::new())), touched: RefCell::default() })
    }

    /// `log` is to be told once the group is durable; successive calls for one log are merged.
    pub fn touch(&self, log: &Rc<dyn Committed>, token: i64) {
        let mut touched = self.touched.borrow_mut();
        match touched.last_mut() {
            Some((last, last_token)) if Rc::ptr_eq(last, log) => *last_token = token,
            _ => touched.push((log.clone(), token)),
        }
    }

    /// Appends in this group, neighbours of one log counted once.
    pub fn appends(&self) -> usize {
        self.touched.borrow().len()
    }

    /// Tells the logs, then everyone who waits: an ack is never seen before the high watermark has moved.
    pub fn complete(&self, result: &Result<(), StorageError>) {
        let touched = self.touched.take();
        if result.is_ok() {
            for (log, token) in touched {
                log.committed(token);
            }
        }
        let before = self.state.replace(State::Done(result.clone()));
        if let State::Gathering(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Completes with the commit.
    pub async fn wait(self: Rc<Group>) -> Result<(), StorageError> {
        poll_fn(|context| match &mut *self.state.borrow_mut() {
            State::Done(result) => Poll::Ready(result.clone()),
            State::Gathering(wakers) => {
                if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }
}
