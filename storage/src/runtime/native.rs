//! What the back ends on a real file system share: files, names and direct I/O. They differ in how bytes travel
//! ([`Transfer`]); everything else goes through one helper thread per core.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use rustix::fs::{AtFlags, FallocateFlags, OFlags, StatxFlags};
use rustix::io::Errno;

use super::buffers::{is_aligned, rope_bytes};
use super::file_thread::{Disposal, FileThread};
use super::{BLOCK_BYTES, Disk, Durability, File, FileHandle, Lane, LocalFuture, Metadata, OpenOptions, Space};

/// How bytes travel between memory and an open file.
pub(super) trait Transfer {
    /// See [`Disk::write`].
    fn write(&self, file: Rc<NativeFile>, write: WriteRequest) -> LocalFuture<io::Result<()>>;
    /// See [`Disk::read`].
    fn read(&self, file: Rc<NativeFile>, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>>;
    /// See [`Disk::sync_data`].
    fn sync_data(&self, file: Rc<NativeFile>, lane: Lane) -> LocalFuture<io::Result<()>>;
}

/// A write as the caller wants it.
pub(super) struct WriteRequest {
    pub(super) buffers: Vec<Bytes>,
    pub(super) offset: u64,
    pub(super) durability: Durability,
    pub(super) lane: Lane,
}

/// An open file of the operating system.
pub(super) struct NativeFile {
    descriptor: Option<Arc<OwnedFd>>,
    writable: bool,
    direct: bool,
    disposal: Disposal,
    /// What the back end keeps beside the descriptor, if anything.
    #[cfg_attr(not(feature = "glommio"), expect(dead_code, reason = "glommio alone opens files a second time"))]
    pub(super) attachment: OnceCell<Box<dyn Any>>,
}

impl NativeFile {
    pub(super) fn descriptor(&self) -> &Arc<OwnedFd> {
        self.descriptor.as_ref().expect("taken by drop only")
    }
}

impl FileHandle for NativeFile {
    fn is_direct(&self) -> bool {
        self.direct
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl Drop for NativeFile {
    fn drop(&mut self) {
        // The last close of an unlinked file frees its blocks: not on a core.
        if let Some(descriptor) = self.descriptor.take() {
            self.disposal.dispose(descriptor);
        }
    }
}

/// A [`Disk`] on a real file system.
pub(super) struct NativeDisk<T> {
    // Dropped first: operations in flight are drained before the helper goes.
    transfer: T,
    helper: FileThread,
}

impl<T: Transfer> NativeDisk<T> {
    pub(super) fn new(transfer: T, helper: FileThread) -> NativeDisk<T> {
        NativeDisk { transfer, helper }
    }

    fn on_path<R: Send + 'static>(
        &self,
        path: &Path,
        job: impl FnOnce(&Path) -> io::Result<R> + Send + 'static,
    ) -> LocalFuture<io::Result<R>> {
        let path = path.to_owned();
        self.helper.run(move || job(&path))
    }

    fn on_file(
        &self,
        file: &File,
        job: impl FnOnce(&OwnedFd) -> io::Result<()> + Send + 'static,
    ) -> LocalFuture<io::Result<()>> {
        match own(file) {
            Ok(file) => {
                let descriptor = file.descriptor().clone();
                self.helper.run(move || job(&descriptor))
            }
            Err(error) => fail(error),
        }
    }
}

impl<T: Transfer> Disk for NativeDisk<T> {
    fn open(&self, path: &Path, options: OpenOptions) -> LocalFuture<io::Result<File>> {
        let opening = self.on_path(path, move |path| open(path, options));
        let disposal = self.helper.disposal();
        Box::pin(async move {
            let (file, direct) = opening.await?;
            let descriptor = Some(Arc::new(OwnedFd::from(file)));
            Ok(File::new(Rc::new(NativeFile {
                descriptor,
                writable: options.write,
                direct,
                disposal,
                attachment: OnceCell::new(),
            })))
        })
    }

    fn write(
        &self,
        file: &File,
        buffers: Vec<Bytes>,
        offset: u64,
        durability: Durability,
        lane: Lane,
    ) -> LocalFuture<io::Result<()>> {
        let request = WriteRequest { buffers, offset, durability, lane };
        match own(file).and_then(|file| check_write(&file, &request).map(|()| file)) {
            Ok(file) => self.transfer.write(file, request),
            Err(error) => fail(error),
        }
    }

    fn read(&self, file: &File, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>> {
        match own(file).and_then(|file| check_blocks(&file, offset, length).map(|()| file)) {
            Ok(file) => self.transfer.read(file, offset, length),
            Err(error) => fail(error),
        }
    }

    fn sync_data(&self, file: &File, lane: Lane) -> LocalFuture<io::Result<()>> {
        match own(file) {
            Ok(file) => self.transfer.sync_data(file, lane),
            Err(error) => fail(error),
        }
    }

    fn set_len(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>> {
        self.on_file(file, move |file| Ok(rustix::fs::ftruncate(file, bytes)?))
    }

    fn allocate(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>> {
        self.on_file(file, move |file| allocate(file, bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> LocalFuture<io::Result<()>> {
        let to = to.to_owned();
        self.on_path(from, move |from| fs::rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        self.on_path(path, |path| fs::remove_file(path))
    }

    fn remove_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        self.on_path(path, |path| fs::remove_dir_all(path))
    }

    fn create_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        self.on_path(path, |path| fs::create_dir_all(path))
    }

    fn list(&self, path: &Path) -> LocalFuture<io::Result<Vec<String>>> {
        self.on_path(path, list)
    }

    fn stat(&self, path: &Path) -> LocalFuture<io::Result<Metadata>> {
        self.on_path(path, stat)
    }

    fn sync_directory(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        self.on_path(path, |path| fs::File::open(or_here(path))?.sync_all())
    }

    fn space(&self, path: &Path) -> LocalFuture<io::Result<Space>> {
        self.on_path(path, space)
    }
}

fn own(file: &File) -> io::Result<Rc<NativeFile>> {
    file.handle().clone().into_any().downcast().map_err(|_| invalid("a file of another back end"))
}

fn fail<T: 'static>(error: io::Error) -> LocalFuture<io::Result<T>> {
    Box::pin(std::future::ready(Err(error)))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Stricter than most devices, so that what works on one works on all.
fn check_blocks(file: &NativeFile, offset: u64, length: usize) -> io::Result<()> {
    let aligned = offset.is_multiple_of(BLOCK_BYTES as u64) && length.is_multiple_of(BLOCK_BYTES);
    if file.direct && !aligned { Err(invalid("direct I/O off a block boundary")) } else { Ok(()) }
}

fn check_write(file: &NativeFile, write: &WriteRequest) -> io::Result<()> {
    if !file.writable {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    check_blocks(file, write.offset, rope_bytes(&write.buffers))?;
    if file.direct && !write.buffers.iter().all(|buffer| is_aligned(buffer)) {
        return Err(invalid("direct I/O from memory off a block boundary"));
    }
    Ok(())
}

/// The file, and whether direct I/O is in force on it.
fn open(path: &Path, options: OpenOptions) -> io::Result<(fs::File, bool)> {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(options.write)
        .create(options.create)
        .create_new(options.create_new)
        .open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let direct = options.direct && make_direct(&file, path);
    Ok((file, direct))
}

/// Asks for direct I/O where the file system says it can have it in our blocks; says once per directory when it cannot.
fn make_direct(file: &fs::File, path: &Path) -> bool {
    let reason = match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(status) if status.stx_mask & StatxFlags::DIOALIGN.bits() != 0 => {
            let fits = |align: u32| align != 0 && BLOCK_BYTES.is_multiple_of(align as usize);
            if fits(status.stx_dio_mem_align) && fits(status.stx_dio_offset_align) {
                None
            } else {
                Some("the file system does not offer it in blocks of 4 KiB")
            }
        }
        // Kernels before 6.1 and some file systems do not tell: try.
        _ => None,
    };
    let reason = reason.map(str::to_owned).or_else(|| {
        let flags = rustix::fs::fcntl_getfl(file);
        let set = flags.and_then(|flags| rustix::fs::fcntl_setfl(file, flags | OFlags::DIRECT));
        set.err().map(|error| error.to_string())
    });
    if let Some(reason) = &reason {
        log_buffered_once(path.parent().unwrap_or(path), reason);
    }
    reason.is_none()
}

fn log_buffered_once(directory: &Path, reason: &str) {
    static LOGGED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if LOGGED.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned()) {
        tracing::info!(directory = %directory.display(), reason, "no direct I/O here: going through the page cache");
    }
}

fn allocate(file: &OwnedFd, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) if rustix::fs::fstat(file)?.st_size.unsigned_abs() < bytes => {
            Ok(rustix::fs::ftruncate(file, bytes)?)
        }
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => Ok(result?),
    }
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(or_here(path))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<String>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn stat(path: &Path) -> io::Result<Metadata> {
    let found = fs::metadata(or_here(path))?;
    let modified_ms = found.mtime() * 1000 + found.mtime_nsec() / 1_000_000;
    Ok(Metadata { bytes: found.len(), is_directory: found.is_dir(), modified_ms })
}

fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(or_here(path))?;
    Ok(Space {
        available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

/// The parent of a bare name is the empty path: here.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
