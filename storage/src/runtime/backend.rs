//! Which way bytes travel to the disk: asked for by `msgloop.io.backend`, decided by what the kernel allows.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Once;

use thiserror::Error;

use super::{Disk, threads, uring};

/// A value of `msgloop.io.backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// `uring` where the kernel and the container allow it, else `threads`.
    #[default]
    Auto,
    /// One io_uring per core.
    Uring,
    /// File threads per core.
    Threads,
    /// A glommio executor per core; needs the cargo feature of that name.
    Glommio,
}

/// A back end that was asked for by name and cannot be had, or no back end at all.
#[derive(Debug, Error)]
#[error("I/O back end {backend} cannot be had: {reason}")]
pub struct BackendError {
    /// The one asked for.
    pub backend: Backend,
    /// Why not, with what to do about it where that is known.
    pub reason: String,
}

impl Backend {
    /// The name as in `msgloop.io.backend`.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Uring => "uring",
            Backend::Threads => "threads",
            Backend::Glommio => "glommio",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Backend, String> {
        [Backend::Auto, Backend::Uring, Backend::Threads, Backend::Glommio]
            .into_iter()
            .find(|backend| backend.name() == text)
            .ok_or_else(|| format!("unknown I/O back end {text:?}: auto, uring, threads or glommio"))
    }
}

/// An opened disk and the name of its back end.
pub(super) type Opened = (Box<dyn Disk>, &'static str);

/// Opens the disk of core number `core`, on the thread that will use it and within its tokio runtime.
pub(super) fn open(backend: Backend, core: usize) -> Result<Opened, BackendError> {
    let refuse = |reason: String| BackendError { backend, reason };
    match backend {
        Backend::Auto => match uring::disk(core) {
            Ok(disk) => Ok((disk, Backend::Uring.name())),
            Err(error) => {
                log_fallback_once(&error);
                open_threads(core).map_err(|error| refuse(error.to_string()))
            }
        },
        Backend::Uring => match uring::disk(core) {
            Ok(disk) => Ok((disk, Backend::Uring.name())),
            Err(error) => Err(refuse(explain_refused_ring(&error))),
        },
        Backend::Threads => open_threads(core).map_err(|error| refuse(error.to_string())),
        Backend::Glommio => open_glommio(core).map_err(refuse),
    }
}

fn open_threads(core: usize) -> io::Result<Opened> {
    Ok((Box::new(threads::disk(core)?), Backend::Threads.name()))
}

#[cfg(feature = "glommio")]
fn open_glommio(core: usize) -> Result<Opened, String> {
    Ok((super::glommio::disk(core)?, Backend::Glommio.name()))
}

#[cfg(not(feature = "glommio"))]
fn open_glommio(_: usize) -> Result<Opened, String> {
    Err("this program was built without the cargo feature `glommio`".to_owned())
}

fn log_fallback_once(error: &io::Error) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::info!(reason = explain_refused_ring(error), "io_uring is not available: using file threads");
    });
}

/// The usual reasons, in words: an operator reads this in a container log.
fn explain_refused_ring(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "refused, as by a container's default seccomp profile or kernel.io_uring_disabled"
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring",
        Some(libc::ENOMEM) => "not enough locked memory for a ring: raise the limit (ulimit -l)",
        _ => "io_uring could not be set up",
    };
    format!("{hint} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for backend in [Backend::Auto, Backend::Uring, Backend::Threads, Backend::Glommio] {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert!("io_uring".parse::<Backend>().unwrap_err().contains("threads"));
    }

    #[test]
    fn a_refusal_says_what_the_operator_can_do() {
        let check = |code: i32, expected: &str| {
            let text = explain_refused_ring(&io::Error::from_raw_os_error(code));
            assert!(text.contains(expected), "{text}");
        };
        check(libc::EPERM, "seccomp");
        check(libc::ENOSYS, "no io_uring");
        check(libc::ENOMEM, "ulimit -l");
        check(libc::EINVAL, "could not be set up");
    }
}
