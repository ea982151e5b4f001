//! The log on a simulated machine: what is acknowledged stays, whatever happens to the power and the disk.

mod cores;
mod faults;
mod harness;
mod power_cut;
mod reopen;
