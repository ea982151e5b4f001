//! The `msgloop` binary.
fn main() {}
