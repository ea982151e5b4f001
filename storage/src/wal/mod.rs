//! The write-ahead log that all partitions of one core and log directory share. Bytes: `docs/formats.md`.
//!
//! [`format`] says what is on disk, [`ring`] keeps the files, [`building`] gathers entries (`unwritten` is one on its way,
//! `checksum` the commit's checksum), [`writer`] commits, `pace` says when, [`group`] is what an append waits for, [`turns`] tells other
//! threads of it, [`scan`] reads it all back at the start.

pub mod building;
mod checksum;
#[cfg(feature = "acknowledge-before-commit")]
mod early;
pub mod format;
pub mod group;
mod pace;
pub mod ring;
pub mod scan;
pub mod turns;
mod unwritten;
pub mod writer;

pub use building::BatchMemory;
pub use format::{Entry, EntryBody, Lsn, SegmentSynced};
pub use group::{Committed, Group};
pub use turns::Turns;
pub use unwritten::{Body, PLACED_BYTES_MIN};
pub use writer::Wal;
