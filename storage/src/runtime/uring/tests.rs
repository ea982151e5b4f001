use std::path::Path;

use bytes::Bytes;

use super::super::backend::Backend;
use super::super::core::block_on;
use super::super::{BLOCK_BYTES, Durability, Lane, OpenOptions, Runtime};
use super::*;

const CREATE: OpenOptions = OpenOptions { write: true, create: true, create_new: false, direct: false };

/// Runs `main` on a ring; says so and passes where this machine has none.
fn on_ring<T>(main: impl AsyncFnOnce(Runtime) -> T) -> Option<T> {
    match block_on(Backend::Uring, |runtime| main(runtime)) {
        Ok(value) => Some(value),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

#[test]
fn dropping_a_ring_waits_for_what_is_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let wrote = on_ring(async |runtime| {
        let disk = runtime.disk();
        let file = disk.open(&path, CREATE).await.unwrap();
        for block in 0..600_u64 {
            let data = Bytes::from(vec![block as u8; BLOCK_BYTES]);
            let offset = block * BLOCK_BYTES as u64;
            drop(disk.write(&file, vec![data], offset, Durability::Buffered, Lane::Commit));
            drop(disk.read(&file, offset, BLOCK_BYTES));
        }
        // More than the ring holds, none awaited, and the core ends here.
    });
    if wrote.is_some() {
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content.len(), 600 * BLOCK_BYTES);
        assert!(
            content.chunks(BLOCK_BYTES).enumerate().all(|(block, data)| data.iter().all(|byte| *byte == block as u8))
        );
    }
}

/// How often this thread has gone to sleep.
fn times_slept() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn an_idle_driver_holds_no_timer() {
    let directory = tempfile::tempdir().unwrap();
    on_ring(async |runtime| {
        let disk = runtime.disk();
        let file = disk.open(&directory.path().join("file"), CREATE).await.unwrap();
        disk.write(&file, vec![Bytes::from_static(b"x")], 0, Durability::Durable, Lane::Commit).await.unwrap();
        runtime.sleep(2 * SAFETY_TICK).await;
        let before = times_slept();
        runtime.sleep(10 * SAFETY_TICK).await;
        let woken = times_slept() - before;
        assert!(woken <= 3, "woken {woken} times with nothing to do");
    });
}

#[test]
fn errors_of_the_kernel_come_back() {
    on_ring(async |runtime| {
        let disk = runtime.disk();
        let full = disk.open(Path::new("/dev/full"), OpenOptions { create: false, ..CREATE }).await.unwrap();
        let error = disk.write(&full, vec![Bytes::from_static(b"x")], 0, Durability::Buffered, Lane::Commit).await;
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    });
}
