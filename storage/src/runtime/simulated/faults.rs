//! What may go wrong on a simulated disk, and the trace of what was done to it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Operations kept by the trace; older ones are forgotten.
const TRACE_OPERATIONS_MAX: usize = 65_536;

/// What was asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Opening an existing file.
    Open,
    /// Opening a file that has to be made.
    Create,
    /// A write, buffered or durable.
    Write,
    /// A read.
    Read,
    /// fdatasync.
    SyncData,
    /// Growing or cutting.
    SetLen,
    /// Reserving space.
    Allocate,
    /// A rename.
    Rename,
    /// An unlink.
    RemoveFile,
    /// `rm -r`.
    RemoveDirectory,
    /// `mkdir -p`.
    CreateDirectory,
    /// Listing a directory.
    List,
    /// stat.
    Stat,
    /// fsync of a directory.
    SyncDirectory,
    /// Asking for free space.
    Space,
}

impl OperationKind {
    /// Whether it changes what a power cut leaves behind.
    pub fn is_change(self) -> bool {
        !matches!(
            self,
            OperationKind::Open
                | OperationKind::Read
                | OperationKind::List
                | OperationKind::Stat
                | OperationKind::Space
        )
    }
}

/// One operation of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What.
    pub kind: OperationKind,
    /// On which path (the one a file was opened under).
    pub path: PathBuf,
    /// Where in the file, in bytes; the size for `SetLen` and `Allocate`.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Whether it was a durable write.
    pub durable: bool,
}

/// What happens to an operation a [`Fault`] fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultEffect {
    /// It fails with EIO. A failed write or sync also drops everything un-synced of its file, as Linux does.
    Error,
    /// It fails with ENOSPC and does nothing.
    NoSpace,
    /// It takes this much longer.
    Delay(Duration),
    /// A write that is answered "ok" and never reaches the disk.
    LostWrite,
    /// A write that lands this many bytes further on.
    MisdirectedWrite(u64),
}

type PathFilter = Box<dyn Fn(&Path) -> bool>;

/// A planned fault: which operations it fits, from which one on, how often, and what it does.
pub struct Fault {
    kinds: Vec<OperationKind>,
    path: PathFilter,
    skip: u64,
    times: u64,
    effect: FaultEffect,
}

impl Fault {
    /// The next operation of any of `kinds` meets `effect`.
    pub fn new(kinds: &[OperationKind], effect: FaultEffect) -> Fault {
        Fault { kinds: kinds.to_vec(), path: Box::new(|_| true), skip: 0, times: 1, effect }
    }

    /// Only on paths `filter` accepts.
    #[must_use]
    pub fn on_path(mut self, filter: impl Fn(&Path) -> bool + 'static) -> Fault {
        self.path = Box::new(filter);
        self
    }

    /// Only from the `nth` fitting operation on, counted from 1.
    #[must_use]
    pub fn from_nth(mut self, nth: u64) -> Fault {
        self.skip = nth.saturating_sub(1);
        self
    }

    /// On this many operations rather than one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Fault {
        self.times = times;
        self
    }

    fn meets(&mut self, operation: &Operation) -> Option<FaultEffect> {
        if self.times == 0 || !self.kinds.contains(&operation.kind) || !(self.path)(&operation.path) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.effect)
    }
}

/// Planned faults and the trace.
#[derive(Default)]
pub(super) struct Faults {
    planned: RefCell<Vec<Fault>>,
    trace: RefCell<VecDeque<Operation>>,
    changes: Cell<u64>,
}

impl Faults {
    pub(super) fn plan(&self, fault: Fault) {
        self.planned.borrow_mut().push(fault);
    }

    pub(super) fn clear(&self) {
        self.planned.borrow_mut().clear();
    }

    /// The effect on an operation that is being submitted: that of the first fault that fits.
    pub(super) fn meet(&self, operation: &Operation) -> Option<FaultEffect> {
        let mut planned = self.planned.borrow_mut();
        let effect = planned.iter_mut().find_map(|fault| fault.meets(operation));
        planned.retain(|fault| fault.times > 0);
        effect
    }

    /// Notes a completed operation; answers how many changes there were with it.
    pub(super) fn complete(&self, operation: Operation) -> u64 {
        let mut trace = self.trace.borrow_mut();
        if trace.len() == TRACE_OPERATIONS_MAX {
            trace.pop_front();
        }
        self.changes.set(self.changes.get() + u64::from(operation.kind.is_change()));
        trace.push_back(operation);
        self.changes.get()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn trace(&self) -> Vec<Operation> {
        self.trace.borrow().iter().cloned().collect()
    }
}

pub(super) fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

pub(super) fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

pub(super) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
