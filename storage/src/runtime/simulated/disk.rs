//! The simulated disk behind [`Disk`]: every operation takes drawn time, so that operations in flight together complete
//! in any order, and takes effect at its completion.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::super::buffers::{aligned_zeroed, is_aligned, rope_bytes};
use super::super::{BLOCK_BYTES, Disk, Durability, File, FileHandle, Lane, LocalFuture, Metadata, OpenOptions, Space};
use super::SimulatedCore;
use super::faults::{FaultEffect, Operation, OperationKind, input_output_error, invalid, no_space};
use super::image::{Change, FileState, Write};
use super::namespace::{Entry, Namespace};
use super::world::World;

/// What `space` answers as the total when no capacity is set.
const UNLIMITED_BYTES: u64 = 1 << 50;

struct SimulatedFile {
    state: Rc<RefCell<FileState>>,
    path: PathBuf,
    writable: bool,
    direct: bool,
}

impl FileHandle for SimulatedFile {
    fn is_direct(&self) -> bool {
        self.direct
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

fn operation(kind: OperationKind, path: &Path) -> Operation {
    Operation { kind, path: path.to_owned(), offset: 0, length: 0, durable: false }
}

fn own(file: &File) -> io::Result<Rc<SimulatedFile>> {
    file.handle().clone().into_any().downcast().map_err(|_| invalid("a file of another back end"))
}

fn fail<T: 'static>(error: io::Error) -> LocalFuture<io::Result<T>> {
    Box::pin(std::future::ready(Err(error)))
}

impl SimulatedCore {
    /// Hands an operation to the disk at once; `effect` happens when it completes. A fault that fails the operation
    /// takes its place, except for writes and syncs, which have effects when they fail, too.
    fn submit<T: 'static>(
        &self,
        operation: Operation,
        effect: impl FnOnce(&World, Option<FaultEffect>) -> io::Result<T> + 'static,
    ) -> LocalFuture<io::Result<T>> {
        let world = &self.world;
        let fault = world.faults.meet(&operation);
        let (low, high) = world.options.latency_of(operation.kind);
        let mut delay = world.random.borrow_mut().between(low, high);
        if let Some(FaultEffect::Delay(more)) = fault {
            delay = delay.saturating_add(nanoseconds(more));
        }
        let (sender, receiver) = oneshot::channel();
        world.plan(delay, move |world| {
            let result = match fault {
                _ if matches!(operation.kind, OperationKind::Write | OperationKind::SyncData) => effect(world, fault),
                Some(FaultEffect::NoSpace) => Err(no_space()),
                Some(FaultEffect::Error) => Err(input_output_error()),
                _ => effect(world, fault),
            };
            world.note_completed(operation);
            // The caller may be gone: the operation has happened all the same.
            let _ = sender.send(result);
        });
        Box::pin(async move { receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())) })
    }

    /// An operation on names only.
    fn submit_names<T: 'static>(
        &self,
        kind: OperationKind,
        path: &Path,
        effect: impl FnOnce(&mut Namespace) -> io::Result<T> + 'static,
    ) -> LocalFuture<io::Result<T>> {
        self.submit(operation(kind, path), move |world, _| effect(&mut world.names.borrow_mut()))
    }

    /// A change of one file's size.
    fn submit_resize(
        &self,
        kind: OperationKind,
        file: &File,
        bytes: u64,
        change: impl FnOnce(&mut FileState) + 'static,
    ) -> LocalFuture<io::Result<()>> {
        let file = match own(file) {
            Ok(file) if file.writable => file,
            Ok(_) => return fail(io::ErrorKind::PermissionDenied.into()),
            Err(error) => return fail(error),
        };
        let state = file.state.clone();
        self.submit(Operation { offset: bytes, ..operation(kind, &file.path) }, move |world, _| {
            let taken = if kind == OperationKind::Allocate { bytes } else { 0 };
            if !world.has_room(&state.borrow(), 0, taken) {
                return Err(no_space());
            }
            let mut state = state.borrow_mut();
            state.modified_ms = world.wall_clock_ms();
            change(&mut state);
            Ok(())
        })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn check_direct(file: &SimulatedFile, offset: u64, length: usize) -> io::Result<()> {
    let block = BLOCK_BYTES as u64;
    if file.direct && !(offset.is_multiple_of(block) && length.is_multiple_of(BLOCK_BYTES)) {
        return Err(invalid("direct I/O off a block boundary"));
    }
    Ok(())
}

fn check_write(file: &SimulatedFile, buffers: &[Bytes], offset: u64) -> io::Result<()> {
    if !file.writable {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    check_direct(file, offset, rope_bytes(buffers))?;
    if file.direct && !buffers.iter().all(|buffer| is_aligned(buffer)) {
        return Err(invalid("direct I/O from memory off a block boundary"));
    }
    Ok(())
}

fn join(buffers: &[Bytes]) -> Bytes {
    match buffers {
        [one] => one.clone(),
        many => many.concat().into(),
    }
}

impl World {
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<File> {
        let found = self.names.borrow().lookup(path);
        let state = match found {
            Ok(_) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(Entry::File(state)) => state,
            Ok(Entry::Directory(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && (options.create || options.create_new) => {
                let state = Rc::new(RefCell::new(FileState::default()));
                state.borrow_mut().modified_ms = self.wall_clock_ms();
                self.names.borrow_mut().add(path, Entry::File(state.clone()))?;
                state
            }
            Err(error) => return Err(error),
        };
        Ok(File::new(Rc::new(SimulatedFile {
            state,
            path: path.to_owned(),
            writable: options.write,
            direct: options.direct && self.options.direct,
        })))
    }

    fn has_room(&self, file: &FileState, offset: u64, length: u64) -> bool {
        self.capacity_bytes.get().is_none_or(|capacity| {
            let growth = file.current.growth_bytes(offset, length);
            growth == 0 || self.names.borrow().used_bytes() + growth <= capacity
        })
    }

    /// A write reaches its end: as planned, or as the fault has it.
    fn complete_write(
        &self,
        state: &RefCell<FileState>,
        number: u64,
        durability: Durability,
        fault: Option<FaultEffect>,
    ) -> io::Result<()> {
        let Some(mut write) = state.borrow_mut().in_flight.remove(&number) else { return Ok(()) };
        if !self.has_room(&state.borrow(), write.offset, write.data.len() as u64) {
            return Err(no_space());
        }
        let mut file = state.borrow_mut();
        match fault {
            Some(FaultEffect::Error) => {
                file.drop_unsynced();
                file.debris.push(write);
                return Err(input_output_error());
            }
            Some(FaultEffect::NoSpace) => return Err(no_space()),
            Some(FaultEffect::LostWrite) => return Ok(()),
            Some(FaultEffect::MisdirectedWrite(by)) => write.offset += by,
            _ => {}
        }
        file.modified_ms = self.wall_clock_ms();
        match durability {
            Durability::Buffered => file.complete_buffered(Change::Write(write)),
            Durability::Durable => file.complete_durable(write),
        }
        Ok(())
    }
}

impl Disk for SimulatedCore {
    fn open(&self, path: &Path, options: OpenOptions) -> LocalFuture<io::Result<File>> {
        let creates = (options.create || options.create_new) && self.world.names.borrow().lookup(path).is_err();
        let kind = if creates { OperationKind::Create } else { OperationKind::Open };
        let to_open = path.to_owned();
        self.submit(operation(kind, path), move |world, _| world.open(&to_open, options))
    }

    fn write(
        &self,
        file: &File,
        buffers: Vec<Bytes>,
        offset: u64,
        durability: Durability,
        _: Lane,
    ) -> LocalFuture<io::Result<()>> {
        let file = match own(file).and_then(|file| check_write(&file, &buffers, offset).map(|()| file)) {
            Ok(file) => file,
            Err(error) => return fail(error),
        };
        let data = join(&buffers);
        let operation = Operation {
            offset,
            length: data.len() as u64,
            durable: durability == Durability::Durable,
            ..operation(OperationKind::Write, &file.path)
        };
        let state = file.state.clone();
        let number = state.borrow_mut().next_number();
        state.borrow_mut().in_flight.insert(number, Write { offset, data });
        self.submit(operation, move |world, fault| world.complete_write(&state, number, durability, fault))
    }

    fn read(&self, file: &File, offset: u64, length: usize) -> LocalFuture<io::Result<BytesMut>> {
        let file = match own(file).and_then(|file| check_direct(&file, offset, length).map(|()| file)) {
            Ok(file) => file,
            Err(error) => return fail(error),
        };
        let state = file.state.clone();
        let operation = Operation { offset, length: length as u64, ..operation(OperationKind::Read, &file.path) };
        self.submit(operation, move |_, _| {
            let state = state.borrow();
            let there = state.current.bytes.saturating_sub(offset).min(length as u64) as usize;
            let mut buffer = aligned_zeroed(there);
            state.current.read(offset, &mut buffer);
            Ok(buffer)
        })
    }

    fn sync_data(&self, file: &File, _: Lane) -> LocalFuture<io::Result<()>> {
        let file = match own(file) {
            Ok(file) => file,
            Err(error) => return fail(error),
        };
        let state = file.state.clone();
        let covered = state.borrow_mut().next_number();
        self.submit(operation(OperationKind::SyncData, &file.path), move |_, fault| {
            let mut state = state.borrow_mut();
            match fault {
                Some(FaultEffect::Error | FaultEffect::NoSpace) => {
                    state.drop_unsynced();
                    return Err(if fault == Some(FaultEffect::Error) { input_output_error() } else { no_space() });
                }
                _ => state.sync(covered),
            }
            Ok(())
        })
    }

    fn set_len(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>> {
        self.submit_resize(OperationKind::SetLen, file, bytes, move |state| {
            state.complete_buffered(Change::SetLen(bytes));
        })
    }

    fn allocate(&self, file: &File, bytes: u64) -> LocalFuture<io::Result<()>> {
        self.submit_resize(OperationKind::Allocate, file, bytes, move |state| {
            state.current.allocate(bytes);
            if bytes > state.current.bytes {
                state.complete_buffered(Change::SetLen(bytes));
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> LocalFuture<io::Result<()>> {
        let (source, target) = (from.to_owned(), to.to_owned());
        self.submit_names(OperationKind::Rename, from, move |names| names.rename(&source, &target))
    }

    fn remove_file(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        let gone = path.to_owned();
        self.submit_names(OperationKind::RemoveFile, path, move |names| names.remove_file(&gone))
    }

    fn remove_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        let gone = path.to_owned();
        self.submit_names(OperationKind::RemoveDirectory, path, move |names| names.remove_directory_all(&gone))
    }

    fn create_directory_all(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        let new = path.to_owned();
        self.submit_names(OperationKind::CreateDirectory, path, move |names| names.create_directory_all(&new))
    }

    fn list(&self, path: &Path) -> LocalFuture<io::Result<Vec<String>>> {
        let directory = path.to_owned();
        self.submit_names(OperationKind::List, path, move |names| {
            Ok(names.directory(&directory)?.current.borrow().keys().cloned().collect())
        })
    }

    fn stat(&self, path: &Path) -> LocalFuture<io::Result<Metadata>> {
        let wanted = path.to_owned();
        self.submit_names(OperationKind::Stat, path, move |names| {
            Ok(match names.lookup(&wanted)? {
                Entry::Directory(_) => Metadata { bytes: 0, is_directory: true, modified_ms: 0 },
                Entry::File(file) => {
                    let file = file.borrow();
                    Metadata { bytes: file.current.bytes, is_directory: false, modified_ms: file.modified_ms }
                }
            })
        })
    }

    fn sync_directory(&self, path: &Path) -> LocalFuture<io::Result<()>> {
        let covered = self.world.names.borrow().last_number();
        let directory = path.to_owned();
        self.submit_names(OperationKind::SyncDirectory, path, move |names| {
            let directory = names.directory(&directory)?;
            names.sync(&directory, covered);
            Ok(())
        })
    }

    fn space(&self, path: &Path) -> LocalFuture<io::Result<Space>> {
        self.submit(operation(OperationKind::Space, path), |world, _| {
            let total_bytes = world.capacity_bytes.get().unwrap_or(UNLIMITED_BYTES);
            let used_bytes = world.names.borrow().used_bytes();
            Ok(Space { available_bytes: total_bytes.saturating_sub(used_bytes), total_bytes })
        })
    }
}
