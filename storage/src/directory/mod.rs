//! Whose a log directory is. A start first looks at every directory without touching one, and refuses in one sentence
//! what is not ours, is newer than this program, belongs to another node, or is in use; only then does it lock and, in
//! empty directories, write who owns them.
//!
//! These calls block: the broker makes them before its cores start.

mod identity;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use protocol::Uuid;
use rustix::fs::{Access, FlockOperation};

use crate::engine::LogDirectory;
use crate::error::StorageError;
use crate::runtime::core::random_u64;

pub use identity::{FORMAT_VERSION, Identity};
use identity::{IDENTITY_FILE, IDENTITY_TEMPORARY};

const LOCK_FILE: &str = ".lock";

/// What may lie in a directory that is still nobody's: our own beginnings, and what mkfs makes.
const HARMLESS_NAMES: [&str; 3] = [LOCK_FILE, IDENTITY_TEMPORARY, "lost+found"];

/// Names that Apache Kafka gives to files of its log directories.
const KAFKA_NAMES: [&str; 7] = [
    "meta.properties",
    "bootstrap.checkpoint",
    "cleaner-offset-checkpoint",
    "log-start-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
    "__cluster_metadata-0",
];

/// Only the owner reads what clients store.
const DIRECTORY_MODE: u32 = 0o700;

/// A log directory that is ours and locked until this is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub struct LockedDirectory {
    path: PathBuf,
    identity: Identity,
    _lock: File,
}

impl LockedDirectory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the engine needs of it.
    pub fn log_directory(&self) -> LogDirectory {
        LogDirectory { id: self.identity.directory_id, path: self.path.clone() }
    }
}

/// Opens the log directories of node `node_id`, in the order given, making those that do not exist and taking over
/// those that are empty. All belong to one cluster: `cluster_id` if given, else the one they name, else a new one.
/// [`StorageError::Refused`] names the directory and says what is wrong; then no directory has been written to, except
/// that a lock file may have been made where another process came first.
pub fn open_all(
    paths: &[PathBuf],
    node_id: i32,
    cluster_id: Option<&str>,
) -> Result<Vec<LockedDirectory>, StorageError> {
    let found = paths.iter().map(|path| inspect(path)).collect::<Result<Vec<_>, _>>()?;
    let cluster_id = agree_on_cluster(&found, node_id, cluster_id)?;
    refuse_duplicates(&found)?;
    // Those with an owner first: were one in use, an empty one would not be touched.
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|index| found[*index].identity.is_none());
    let mut locks: Vec<Option<File>> = found.iter().map(|_| None).collect();
    for index in order {
        locks[index] = Some(lock(&found[index].path)?);
    }
    found
        .iter()
        .zip(locks.into_iter().flatten())
        .map(|(found, lock)| adopt(&found.path, lock, node_id, &cluster_id))
        .collect()
}

/// Locks the directory of a stopped node for a look at it. Writes nothing.
pub fn open_stopped(path: &Path) -> Result<LockedDirectory, StorageError> {
    let identity = inspect(path)?.identity.ok_or_else(|| refused(path, "holds no data of msgloop"))?;
    let mut lock = File::open(path.join(LOCK_FILE))
        .map_err(|error| refused(path, format_args!("has no {LOCK_FILE} that can be read: {error}")))?;
    take(path, &mut lock)?;
    Ok(LockedDirectory { path: path.to_owned(), identity, _lock: lock })
}

/// A directory as it was found.
struct Found {
    path: PathBuf,
    /// Resolved, if it exists.
    real: Option<PathBuf>,
    /// `None` if it is missing or empty: free to take.
    identity: Option<Identity>,
}

fn refused(path: &Path, what: impl std::fmt::Display) -> StorageError {
    StorageError::Refused(format!("log directory {} {what}", path.display()))
}

/// Looks without touching.
fn inspect(path: &Path) -> Result<Found, StorageError> {
    let free = |real| Found { path: path.to_owned(), real, identity: None };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return check_can_be_made(path).map(|()| free(None));
        }
        Err(error) => return Err(refused(path, format_args!("cannot be looked at: {error}"))),
        Ok(found) if !found.is_dir() => return Err(refused(path, "is not a directory")),
        Ok(_) => {}
    }
    let real = fs::canonicalize(path).map_err(|error| refused(path, format_args!("cannot be resolved: {error}")))?;
    check_can_be_written(path)?;
    let identity = match fs::read_to_string(path.join(IDENTITY_FILE)) {
        Ok(text) => Identity::parse(&text).map_err(|reason| refused(path, reason))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            check_is_empty(path)?;
            return Ok(free(Some(real)));
        }
        Err(error) => return Err(refused(path, format_args!("has a {IDENTITY_FILE} that cannot be read: {error}"))),
    };
    Ok(Found { path: path.to_owned(), real: Some(real), identity: Some(identity) })
}

/// The nearest parent that exists must be a directory that takes new ones.
fn check_can_be_made(path: &Path) -> Result<(), StorageError> {
    for parent in path.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match fs::metadata(parent) {
            Ok(found) if !found.is_dir() => {
                return Err(refused(path, format_args!("cannot be made: {} is not a directory", parent.display())));
            }
            Ok(_) => {
                return rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK)
                    .map_err(|error| refused(path, format_args!("cannot be made in {}: {error}", parent.display())));
            }
            Err(_) => {}
        }
    }
    Err(refused(path, "cannot be made"))
}

fn check_can_be_written(path: &Path) -> Result<(), StorageError> {
    rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| refused(path, format_args!("cannot be written by this user: {error}")))
}

fn check_is_empty(path: &Path) -> Result<(), StorageError> {
    let unreadable = |error: io::Error| refused(path, format_args!("cannot be listed: {error}"));
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    if let Some(name) = names.iter().find(|name| KAFKA_NAMES.contains(&name.as_str())) {
        return Err(refused(
            path,
            format_args!("belongs to Apache Kafka (it holds {name}): msgloop needs a directory of its own"),
        ));
    }
    match names.iter().find(|name| !HARMLESS_NAMES.contains(&name.as_str())) {
        Some(name) => Err(refused(
            path,
            format_args!("holds files that are not msgloop's, such as {name}: use an empty directory"),
        )),
        None => Ok(()),
    }
}

/// The one cluster all directories belong to; refuses those of another cluster or node.
fn agree_on_cluster(found: &[Found], node_id: i32, wanted: Option<&str>) -> Result<String, StorageError> {
    let mut agreed = wanted.map(str::to_owned);
    for Found { path, identity, .. } in found {
        let Some(identity) = identity else { continue };
        if identity.node_id != node_id {
            return Err(refused(path, format_args!("belongs to node {}, not to node {node_id}", identity.node_id)));
        }
        match &agreed {
            Some(cluster) if *cluster != identity.cluster_id => {
                return Err(refused(
                    path,
                    format_args!("belongs to cluster {}, not to cluster {cluster}", identity.cluster_id),
                ));
            }
            _ => agreed = Some(identity.cluster_id.clone()),
        }
    }
    Ok(agreed.unwrap_or_else(|| new_id().to_string()))
}

/// The same directory twice, or a directory and its copy: each would be written as if it were alone.
fn refuse_duplicates(found: &[Found]) -> Result<(), StorageError> {
    for (index, one) in found.iter().enumerate() {
        for other in &found[..index] {
            if one.path == other.path || (one.real.is_some() && one.real == other.real) {
                return Err(refused(&one.path, "is listed twice in log.dirs"));
            }
            let ids = (one.identity.as_ref(), other.identity.as_ref());
            if let (Some(one_id), Some(other_id)) = ids
                && one_id.directory_id == other_id.directory_id
            {
                return Err(refused(&one.path, format_args!("is a copy of {}", other.path.display())));
            }
        }
    }
    Ok(())
}

/// Makes the directory if it is missing and takes its lock, which the kernel gives back however the process ends.
fn lock(path: &Path) -> Result<File, StorageError> {
    let unwritable = |error: io::Error| refused(path, format_args!("cannot be written: {error}"));
    fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path).map_err(unwritable)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK_FILE))
        .map_err(unwritable)?;
    take(path, &mut file)?;
    // Only for the sentence above; nothing depends on it.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

fn take(path: &Path, file: &mut File) -> Result<(), StorageError> {
    rustix::fs::flock(&*file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        let holder = if error == rustix::io::Errno::WOULDBLOCK { holder_of(file) } else { format!(": {error}") };
        refused(path, format_args!("is in use by another process{holder}"))
    })
}

fn holder_of(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(process)) => format!(" (process {process})"),
        _ => String::new(),
    }
}

/// The lock is ours: whose the directory is, or will be from now on.
fn adopt(path: &Path, lock: File, node_id: i32, cluster_id: &str) -> Result<LockedDirectory, StorageError> {
    // Looked at again: another process may have taken it between the first look and the lock.
    let found = inspect(path)?;
    agree_on_cluster(std::slice::from_ref(&found), node_id, Some(cluster_id))?;
    let identity = match found.identity {
        Some(identity) => identity,
        None => {
            let identity = Identity {
                format_version: FORMAT_VERSION,
                directory_id: new_id(),
                cluster_id: cluster_id.to_owned(),
                node_id,
            };
            write_identity(path, &identity)
                .map_err(|error| refused(path, format_args!("cannot be written: {error}")))?;
            identity
        }
    };
    Ok(LockedDirectory { path: path.to_owned(), identity, _lock: lock })
}

/// All or nothing: after a crash the directory is either ours or still nobody's.
fn write_identity(path: &Path, identity: &Identity) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))?;
    let temporary = path.join(IDENTITY_TEMPORARY);
    let mut file = File::create(&temporary)?;
    file.write_all(identity.to_text().as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path.join(IDENTITY_FILE))?;
    File::open(path)?.sync_all()?;
    // The directory itself may be new, and so may its parents: Linux syncs one level a call.
    for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
        // A parent that this user may not open was not made by it.
        let Ok(parent) = File::open(parent) else { break };
        parent.sync_all()?;
    }
    Ok(())
}

/// A random id that Kafka's tools accept: they take an id that starts with a dash for an option.
fn new_id() -> Uuid {
    loop {
        let id = Uuid::from_random(random_u64(), random_u64());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}
