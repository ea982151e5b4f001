//! A whole broker on a simulated machine: what clients were told stays true when the power is cut, and nobody waits for a clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod chains;
mod fetches;
mod machine;
#[path = "../support/mod.rs"]
mod support;
mod transactions;
