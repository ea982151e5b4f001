//! Names of the simulated disk: a tree as programs see it, the tree on the platter, and the changes in between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::rc::Rc;

use super::image::FileState;

/// What a name stands for.
#[derive(Clone)]
pub(super) enum Entry {
    File(Rc<RefCell<FileState>>),
    Directory(Rc<Directory>),
}

impl Entry {
    fn is(&self, other: &Entry) -> bool {
        match (self, other) {
            (Entry::File(a), Entry::File(b)) => Rc::ptr_eq(a, b),
            (Entry::Directory(a), Entry::Directory(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

pub(super) type Names = BTreeMap<String, Entry>;

/// A directory: names now, and names that survive a power cut for certain.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) current: RefCell<Names>,
    pub(super) durable: RefCell<Names>,
}

/// A change of names, durable once every directory it touches was synced after it.
pub(super) struct NameChange {
    number: u64,
    add: Option<Link>,
    remove: Option<Link>,
    unsynced: Vec<Rc<Directory>>,
}

impl NameChange {
    /// On the platter's tree.
    fn apply(&self) {
        if let Some(change) = &self.remove {
            change.remove_from(&mut change.directory.durable.borrow_mut());
        }
        if let Some(change) = &self.add {
            change.add_to(&mut change.directory.durable.borrow_mut());
        }
    }

    /// On a copy of the platter's tree.
    pub(super) fn apply_to(&self, tree: &mut ChangedNames) {
        if let Some(change) = &self.remove {
            change.remove_from(names_in(tree, &change.directory));
        }
        if let Some(change) = &self.add {
            change.add_to(names_in(tree, &change.directory));
        }
    }
}

/// Names of each directory that differs from the platter's tree, by the directory's address.
pub(super) type ChangedNames = BTreeMap<*const Directory, Names>;

fn names_in<'a>(tree: &'a mut ChangedNames, directory: &Rc<Directory>) -> &'a mut Names {
    tree.entry(Rc::as_ptr(directory)).or_insert_with(|| directory.durable.borrow().clone())
}

struct Link {
    directory: Rc<Directory>,
    name: String,
    entry: Entry,
}

impl Link {
    /// Replaces what has the name.
    fn add_to(&self, names: &mut Names) {
        names.insert(self.name.clone(), self.entry.clone());
    }

    /// Removes only what it means: the name may stand for something newer.
    fn remove_from(&self, names: &mut Names) {
        if names.get(&self.name).is_some_and(|there| there.is(&self.entry)) {
            names.remove(&self.name);
        }
    }
}

/// The whole tree.
#[derive(Default)]
pub(super) struct Namespace {
    pub(super) root: Rc<Directory>,
    pub(super) pending: Vec<NameChange>,
    next_number: u64,
}

impl Namespace {
    pub(super) fn with_root(root: Rc<Directory>) -> Namespace {
        Namespace { root, ..Namespace::default() }
    }

    pub(super) fn lookup(&self, path: &Path) -> io::Result<Entry> {
        let mut at = Entry::Directory(self.root.clone());
        for name in names(path)? {
            let Entry::Directory(directory) = &at else { return Err(io::ErrorKind::NotADirectory.into()) };
            let next = directory.current.borrow().get(&name).cloned();
            at = next.ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(super) fn directory(&self, path: &Path) -> io::Result<Rc<Directory>> {
        match self.lookup(path)? {
            Entry::Directory(directory) => Ok(directory),
            Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<Rc<RefCell<FileState>>> {
        match self.lookup(path)? {
            Entry::File(file) => Ok(file),
            Entry::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// The directory that holds `path`, and the last name.
    fn place(&self, path: &Path) -> io::Result<(Rc<Directory>, String)> {
        let mut names = names(path)?;
        let last = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.directory(&names.iter().collect::<std::path::PathBuf>())?, last))
    }

    pub(super) fn add(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        directory.current.borrow_mut().insert(name.clone(), entry.clone());
        self.record(Some(Link { directory, name, entry }), None);
        Ok(())
    }

    pub(super) fn create_directory_all(&mut self, path: &Path) -> io::Result<()> {
        let mut so_far = std::path::PathBuf::new();
        for name in names(path)? {
            so_far.push(name);
            match self.lookup(&so_far) {
                Ok(Entry::Directory(_)) => {}
                Ok(Entry::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => self.add(&so_far, Entry::Directory(Rc::default()))?,
            }
        }
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.remove(path)
    }

    /// Each name below goes on its own, as `rm -r` does: a crash may find any of them still there.
    pub(super) fn remove_directory_all(&mut self, path: &Path) -> io::Result<()> {
        let names: Vec<String> = self.directory(path)?.current.borrow().keys().cloned().collect();
        for name in names {
            let child = path.join(name);
            match self.lookup(&child)? {
                Entry::Directory(_) => self.remove_directory_all(&child)?,
                Entry::File(_) => self.remove(&child)?,
            }
        }
        self.remove(path)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        let entry = directory.current.borrow_mut().remove(&name).ok_or(io::ErrorKind::NotFound)?;
        self.record(None, Some(Link { directory, name, entry }));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_directory, from_name) = self.place(from)?;
        let (to_directory, to_name) = self.place(to)?;
        let entry = from_directory.current.borrow().get(&from_name).cloned().ok_or(io::ErrorKind::NotFound)?;
        match (&entry, to_directory.current.borrow().get(&to_name)) {
            (Entry::Directory(_), Some(Entry::File(_))) => return Err(io::ErrorKind::NotADirectory.into()),
            (Entry::File(_), Some(Entry::Directory(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Entry::Directory(_), Some(Entry::Directory(target))) if !target.current.borrow().is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            _ => {}
        }
        from_directory.current.borrow_mut().remove(&from_name);
        to_directory.current.borrow_mut().insert(to_name.clone(), entry.clone());
        self.record(
            Some(Link { directory: to_directory, name: to_name, entry: entry.clone() }),
            Some(Link { directory: from_directory, name: from_name, entry }),
        );
        Ok(())
    }

    fn record(&mut self, add: Option<Link>, remove: Option<Link>) {
        let mut unsynced: Vec<Rc<Directory>> = Vec::new();
        for Link { directory, .. } in add.iter().chain(&remove) {
            if !unsynced.iter().any(|there| Rc::ptr_eq(there, directory)) {
                unsynced.push(directory.clone());
            }
        }
        self.next_number += 1;
        self.pending.push(NameChange { number: self.next_number, add, remove, unsynced });
    }

    /// Changes recorded so far carry numbers up to this one.
    pub(super) fn last_number(&self) -> u64 {
        self.next_number
    }

    /// Changes in `directory` up to number `covered` are on the platter, as far as this directory goes.
    pub(super) fn sync(&mut self, directory: &Rc<Directory>, covered: u64) {
        for change in self.pending.iter_mut().filter(|change| change.number <= covered) {
            change.unsynced.retain(|there| !Rc::ptr_eq(there, directory));
            if change.unsynced.is_empty() {
                change.apply();
            }
        }
        self.pending.retain(|change| !change.unsynced.is_empty());
    }

    /// Bytes of blocks that files now hold.
    pub(super) fn used_bytes(&self) -> u64 {
        fn below(directory: &Directory) -> u64 {
            let names = directory.current.borrow();
            names
                .values()
                .map(|entry| match entry {
                    Entry::File(file) => file.borrow().current.allocated_bytes(),
                    Entry::Directory(directory) => below(directory),
                })
                .sum()
        }
        below(&self.root)
    }
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned()),
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}
