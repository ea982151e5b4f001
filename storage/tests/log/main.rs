//! The log on a simulated machine: what is acknowledged stays, whatever happens to the power and the disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod compaction;
mod cores;
mod faults;
mod harness;
mod indexes;
mod power_cut;
mod producers;
mod reopen;
mod retention;
mod room;
mod transaction_index;
mod transactions;
