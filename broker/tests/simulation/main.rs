//! A whole broker on a simulated machine whose power is cut: what clients were told stays true.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod machine;
#[path = "../support/mod.rs"]
mod support;
mod transactions;
