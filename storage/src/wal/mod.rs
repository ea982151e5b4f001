//! The write-ahead log that all partitions of one core and log directory share. Bytes: `docs/formats.md`.
//!
//! [`format`] says what is on disk, [`ring`] keeps the files, [`building`] gathers (and `checksum` its checksum), [`writer`] commits, `pace` says when,
//! [`group`] is what an append waits for, [`turns`] tells other threads of it, [`scan`] reads it all back at the start.

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
pub mod writer;

pub use building::{BatchMemory, Body};
pub use format::{Entry, EntryBody, Lsn, SegmentSynced};
pub use group::{Committed, Group};
pub use turns::Turns;
pub use writer::Wal;
