//! Putting cleaned segments in the place of old ones, so that a crash anywhere leaves the one or the other.
//!
//! New files are written as `<name>.cleaned` and synced. Then a list of what replaces what, `cleaned-segments`, is put
//! into the directory in one step: from there on the new segments count, and a start that finds the list does the rest.
//! After it come the renames and removals, in any order and as often as need be, and at last the list goes. Without a
//! list, `.cleaned` files are leftovers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::error::FormatError;
use crate::ids::Offset;
use crate::runtime::Runtime;
use crate::segment::{CLEANED_SUFFIX, FileKind, file_name};
use crate::segment_file::{read_whole, replace_file};

/// Name of the list.
pub(crate) const SWAP_FILE: &str = "cleaned-segments";
/// The files of a segment; producer snapshots share only the scheme of their names. The log comes last.
const KINDS: [FileKind; 5] =
    [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex, FileKind::Checksums, FileKind::Log];

/// What replaces what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Swap {
    /// Base offsets of the old segments.
    pub old: Vec<i64>,
    /// Base offsets of the new ones, and whether each has a transaction index; the other files are always there.
    pub new: Vec<(i64, bool)>,
}

/// A step that is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Remove a file by name.
    Remove(String),
    /// Rename a file, over another if there is one.
    Rename(String, String),
}

impl Swap {
    /// Text: version, numbers and lines of both lists, then a CRC32C of all before it.
    pub fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.old.len());
        self.old.iter().for_each(|base| text.push_str(&format!("{base}\n")));
        text.push_str(&format!("{}\n", self.new.len()));
        self.new.iter().for_each(|(base, indexed)| text.push_str(&format!("{base} {}\n", u8::from(*indexed))));
        let crc = crc32c::crc32c(text.as_bytes());
        text + &format!("{crc:08x}\n")
    }

    /// Reads [`Swap::to_text`].
    pub fn parse(text: &str) -> Result<Swap, FormatError> {
        Self::read(text).ok_or(FormatError::new(0, "this is no list of cleaned segments, or it is damaged"))
    }

    fn read(text: &str) -> Option<Swap> {
        let body = text.get(..text.len().checked_sub(9)?)?;
        if text.get(body.len()..)?.trim_end() != format!("{:08x}", crc32c::crc32c(body.as_bytes())) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != "0" {
            return None;
        }
        let mut swap = Swap::default();
        for _ in 0..lines.next()?.parse::<usize>().ok()? {
            swap.old.push(lines.next()?.parse().ok().filter(|base| *base >= 0)?);
        }
        for _ in 0..lines.next()?.parse::<usize>().ok()? {
            let (base, indexed) = lines.next()?.split_once(' ')?;
            swap.new.push((base.parse().ok().filter(|base| *base >= 0)?, indexed == "1"));
        }
        lines.next().is_none().then_some(swap)
    }

    /// What is left to do in a directory with these files. May be asked again after any part of it was done.
    pub fn steps(&self, names: &[String]) -> Vec<Step> {
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let mut steps = Vec::new();
        for (base, kind) in KINDS.iter().flat_map(|kind| self.new.iter().map(move |new| (new, *kind))) {
            let name = file_name(Offset(base.0), kind);
            let cleaned = format!("{name}{CLEANED_SUFFIX}");
            if names.contains(cleaned.as_str()) {
                steps.push(Step::Rename(cleaned, name));
            } else if kind == FileKind::TransactionIndex && !base.1 && names.contains(name.as_str()) {
                // Of the old segment of the same name.
                steps.push(Step::Remove(name));
            }
        }
        for base in self.old.iter().filter(|base| self.new.iter().all(|(new, _)| new != *base)) {
            let gone = KINDS.iter().map(|kind| file_name(Offset(*base), *kind));
            steps.extend(gone.filter(|name| names.contains(name.as_str())).map(Step::Remove));
        }
        steps
    }
}

impl Swap {
    /// The files once everything is done, by their names then: what they are called now.
    pub fn outcome(&self, names: Vec<String>) -> BTreeMap<String, String> {
        let steps = self.steps(&names);
        let mut outcome: BTreeMap<String, String> = names.into_iter().map(|name| (name.clone(), name)).collect();
        for step in steps {
            match step {
                Step::Remove(name) => drop(outcome.remove(&name)),
                Step::Rename(from, to) => {
                    outcome.remove(&from);
                    outcome.insert(to, from);
                }
            }
        }
        outcome
    }
}

/// Puts the list into the directory: the new segments count from here on.
pub(crate) async fn begin(runtime: &Runtime, directory: &Path, swap: &Swap) -> io::Result<()> {
    runtime.disk().sync_directory(directory).await?;
    replace_file(runtime, &directory.join(SWAP_FILE), Bytes::from(swap.to_text())).await
}

/// Does everything that is left of a swap and removes the list.
pub(crate) async fn finish(runtime: &Runtime, directory: &Path, swap: &Swap) -> io::Result<()> {
    let disk = runtime.disk();
    for step in swap.steps(&disk.list(directory).await?) {
        match step {
            Step::Remove(name) => disk.remove_file(&directory.join(name)).await?,
            Step::Rename(from, to) => disk.rename(&directory.join(from), &directory.join(to)).await?,
        }
    }
    disk.sync_directory(directory).await?;
    disk.remove_file(&directory.join(SWAP_FILE)).await?;
    disk.sync_directory(directory).await
}

/// The list in a directory, if there is one.
pub(crate) async fn pending(runtime: &Runtime, directory: &Path) -> io::Result<Option<Result<Swap, FormatError>>> {
    let bytes = read_whole(runtime, &directory.join(SWAP_FILE)).await?;
    Ok((!bytes.is_empty()).then(|| Swap::parse(&String::from_utf8_lossy(&bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap() -> Swap {
        Swap { old: vec![0, 10, 20], new: vec![(0, false), (14, true)] }
    }

    #[test]
    fn the_list_comes_back_and_damage_is_found() {
        let text = swap().to_text();
        assert_eq!(Swap::parse(&text), Ok(swap()));
        assert_eq!(Swap::parse(&Swap::default().to_text()), Ok(Swap::default()));
        for length in 0..text.len() {
            assert!(Swap::parse(&text[..length]).is_err() || length == text.len() - 1, "{length} bytes");
        }
        for at in 0..text.len() - 1 {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(Swap::parse(&String::from_utf8_lossy(&damaged)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn it_can_be_taken_up_after_any_step() {
        let of = |base: i64, kinds: &[FileKind], suffix: &str| -> Vec<String> {
            kinds.iter().map(|kind| file_name(Offset(base), *kind) + suffix).collect()
        };
        let without_transactions = [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Checksums];
        let other = vec!["leader-epoch-checkpoint".to_owned(), file_name(Offset(10), FileKind::ProducerSnapshot)];
        let old: Vec<String> = [0, 10, 20].iter().flat_map(|base| of(*base, &KINDS, "")).collect();
        let cleaned = [of(0, &without_transactions, CLEANED_SUFFIX), of(14, &KINDS, CLEANED_SUFFIX)].concat();
        let mut names = [old, cleaned, other.clone()].concat();
        let mut expected = [of(0, &without_transactions, ""), of(14, &KINDS, ""), other].concat();
        expected.sort();
        for _ in 0..100 {
            let Some(step) = swap().steps(&names).into_iter().next() else { break };
            match step {
                Step::Remove(name) => names.retain(|other| *other != name),
                Step::Rename(from, to) => {
                    names.retain(|other| *other != from && *other != to);
                    names.push(to);
                }
            }
        }
        names.sort();
        assert_eq!(names, expected);
    }
}
