//! What a disk holds after the power was cut or the process was killed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::random::Random;
use super::image::{Change, FileState, Image, Write};
use super::namespace::{ChangedNames, Directory, Entry, Namespace};

/// What becomes of everything that was not yet durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPolicy {
    /// All of it is there, operations in flight included.
    KeepAll,
    /// None of it is there.
    LoseAll,
    /// Each write is kept, lost or torn into sectors of 512 bytes, in any order; each name change is kept or lost. The
    /// chances differ from crash to crash, so that "nearly all kept" and "nearly all lost" come up too.
    Random,
    /// The process died, the machine did not: what had completed is there, what was in flight may be.
    Killed,
}

/// The chances of one crash, in percent.
struct Fate {
    keep: u64,
    tear: u64,
    sector: u64,
    ordered: bool,
}

const CHANCES: [u64; 5] = [0, 10, 50, 90, 100];

impl Fate {
    fn draw(random: &mut Random) -> Fate {
        let mut chance = || CHANCES[random.below(CHANCES.len() as u64) as usize];
        let (keep, tear, sector) = (chance(), chance(), chance());
        Fate { keep, tear, sector, ordered: random.chance(50) }
    }

    fn apply(&self, write: &Write, image: &mut Image, random: &mut Random) {
        if random.chance(self.tear) {
            write.apply_torn(image, self.sector, random);
        } else if random.chance(self.keep) {
            image.write(write.offset, &write.data);
        }
    }
}

/// The names and files left, as the next start finds them: all of it durable. `before` is not to be used again for
/// anything but another crash.
pub(super) fn survivors(before: &Namespace, policy: CrashPolicy, random: &mut Random) -> Namespace {
    let fate = Fate::draw(random);
    let durable = durable_names(before, policy, &fate, random);
    let mut copies = BTreeMap::new();
    Namespace::with_root(copy(&before.root, &durable, &mut copies, &mut |file| content(file, policy, &fate, random)))
}

fn durable_names(before: &Namespace, policy: CrashPolicy, fate: &Fate, random: &mut Random) -> ChangedNames {
    let mut names = ChangedNames::new();
    if matches!(policy, CrashPolicy::LoseAll) {
        return names;
    }
    // Kept in order up to some point, as a journal does, or each for itself.
    let ordered_until = random.below(before.pending.len() as u64 + 1) as usize;
    for (index, change) in before.pending.iter().enumerate() {
        let kept = match policy {
            CrashPolicy::Random if fate.ordered => index < ordered_until,
            CrashPolicy::Random => random.chance(fate.keep),
            _ => true,
        };
        if kept {
            change.apply_to(&mut names);
        }
    }
    names
}

fn copy(
    directory: &Rc<Directory>,
    changed: &ChangedNames,
    copies: &mut BTreeMap<*const RefCell<FileState>, Entry>,
    content: &mut dyn FnMut(&FileState) -> Image,
) -> Rc<Directory> {
    let names = changed.get(&Rc::as_ptr(directory)).cloned().unwrap_or_else(|| directory.durable.borrow().clone());
    let mut entries = BTreeMap::new();
    for (name, entry) in names {
        let entry = match entry {
            Entry::Directory(child) => Entry::Directory(copy(&child, changed, copies, content)),
            // A move that was half kept leaves one file under two names: still one file.
            Entry::File(file) => copies
                .entry(Rc::as_ptr(&file))
                .or_insert_with(|| {
                    let file = file.borrow();
                    let image = content(&file);
                    Entry::File(Rc::new(RefCell::new(FileState::from_image(image, file.modified_ms))))
                })
                .clone(),
        };
        entries.insert(name, entry);
    }
    Rc::new(Directory { current: RefCell::new(entries.clone()), durable: RefCell::new(entries) })
}

fn content(file: &FileState, policy: CrashPolicy, fate: &Fate, random: &mut Random) -> Image {
    match policy {
        CrashPolicy::LoseAll => file.durable.clone(),
        CrashPolicy::KeepAll => {
            let mut image = file.current.clone();
            file.in_flight.values().for_each(|write| image.write(write.offset, &write.data));
            image
        }
        CrashPolicy::Killed => {
            let mut image = file.current.clone();
            file.in_flight.values().for_each(|write| fate.apply(write, &mut image, random));
            image
        }
        CrashPolicy::Random => random_content(file, fate, random),
    }
}

/// Writes between two size changes come in any order; a size change stays between the writes it stood between, for a
/// write cut off by a truncation cannot reappear behind it.
fn random_content(file: &FileState, fate: &Fate, random: &mut Random) -> Image {
    let mut image = file.durable.clone();
    let mut group: Vec<&Write> = Vec::new();
    let flush = |group: &mut Vec<&Write>, image: &mut Image, random: &mut Random| {
        random.shuffle(group);
        group.drain(..).for_each(|write| fate.apply(write, image, random));
    };
    for (_, change) in &file.pending {
        match change {
            Change::Write(write) => group.push(write),
            Change::SetLen(bytes) => {
                flush(&mut group, &mut image, random);
                if random.chance(fate.keep) {
                    image.set_len(*bytes);
                }
            }
        }
    }
    group.extend(file.in_flight.values());
    group.extend(&file.debris);
    flush(&mut group, &mut image, random);
    image
}
