//! The `uring` back end: not built in yet, so `auto` means `threads`.

use std::io;

use super::Disk;

/// A disk on a ring of its own.
pub(super) fn disk(_core: usize) -> io::Result<Box<dyn Disk>> {
    Err(io::ErrorKind::Unsupported.into())
}
