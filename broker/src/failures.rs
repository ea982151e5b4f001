//! Log directories that have failed, and when that is the end: without the first, which has the metadata, or without
//! any, the process ends; a start finds out whether the disk is well again. Other partitions are served on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use storage::StorageError;
use tokio::sync::watch;

/// The failures of all cores; cheap to clone.
#[derive(Debug, Clone)]
pub struct Failures {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directories: Vec<PathBuf>,
    failed: Mutex<BTreeSet<PathBuf>>,
    fatal: watch::Sender<Option<String>>,
}

impl Failures {
    /// None yet, of these directories; the metadata is in the first.
    pub fn new(directories: Vec<PathBuf>) -> Failures {
        let (fatal, _) = watch::channel(None);
        Failures { inner: Arc::new(Inner { directories, failed: Mutex::default(), fatal }) }
    }

    /// A directory failed on some core.
    pub fn report(&self, directory: &Path, error: &StorageError) {
        let mut failed = self.inner.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed.insert(directory.to_owned()) {
            return;
        }
        tracing::error!(directory = %directory.display(), %error, "the log directory is closed");
        let has_metadata = self.inner.directories.first().is_some_and(|first| first == directory);
        if has_metadata || failed.len() == self.inner.directories.len() {
            self.inner.fatal.send_replace(Some(error.to_string()));
        }
    }

    /// Directories that have failed.
    pub fn count(&self) -> usize {
        self.inner.failed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Completes, with the reason, when the process cannot go on.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.inner.fatal.subscribe();
        let reason = fatal.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        // The sender lives as long as this does.
        reason.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use futures_util::FutureExt;
    use storage::StorageError;

    use super::Failures;

    #[test]
    fn the_first_directory_or_all_of_them_are_the_end() {
        let check = |failing: &[&str], is_fatal: bool| {
            let failures = Failures::new(["/a", "/b", "/c"].map(PathBuf::from).to_vec());
            for directory in failing {
                let reason = "EIO".to_owned();
                let error = StorageError::DirectoryFailed { directory: (*directory).to_owned(), reason };
                failures.report(Path::new(directory), &error);
            }
            assert_eq!(failures.fatal().now_or_never().is_some(), is_fatal, "{failing:?}");
        };
        check(&[], false);
        check(&["/b", "/c", "/b"], false);
        check(&["/a"], true);
        check(&["/c", "/b", "/a"], true);
    }
}
