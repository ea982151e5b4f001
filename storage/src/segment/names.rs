//! File names as Kafka has them: the segment's base offset in twenty digits (`LogFileUtils.java`).

use crate::ids::Offset;

/// Appended to the name of a file that waits for its deletion.
pub const DELETED_SUFFIX: &str = ".deleted";
/// What the name of a file of a cleaned segment ends with until it takes its place.
pub const CLEANED_SUFFIX: &str = ".cleaned";

/// The files of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `.log`: the batches.
    Log,
    /// `.index`: offset to position.
    OffsetIndex,
    /// `.timeindex`: timestamp to offset.
    TimeIndex,
    /// `.txnindex`: aborted transactions; there is none if there were none.
    TransactionIndex,
    /// `.snapshot`: the producers' state below that offset.
    ProducerSnapshot,
    /// `.checksums`: ours, see [`super::Checksums`].
    Checksums,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [FileKind; 6] = [
        FileKind::Log,
        FileKind::OffsetIndex,
        FileKind::TimeIndex,
        FileKind::TransactionIndex,
        FileKind::ProducerSnapshot,
        FileKind::Checksums,
    ];

    /// The suffix, dot included.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::TransactionIndex => ".txnindex",
            FileKind::ProducerSnapshot => ".snapshot",
            FileKind::Checksums => ".checksums",
        }
    }
}

/// Name of a segment's file; offsets are never negative.
#[must_use]
pub fn file_name(base_offset: Offset, kind: FileKind) -> String {
    format!("{:020}{}", base_offset.0, kind.suffix())
}

/// Offset and kind of a file by its name; `None` for any other file, those waiting for deletion included.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<(Offset, FileKind)> {
    let (digits, suffix) = name.split_at_checked(20)?;
    let kind = FileKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    let sound = digits.bytes().all(|digit| digit.is_ascii_digit());
    sound.then(|| digits.parse().ok()).flatten().map(|offset| (Offset(offset), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for kind in FileKind::ALL {
            for offset in [0, 7, i64::MAX] {
                assert_eq!(parse_file_name(&file_name(Offset(offset), kind)), Some((Offset(offset), kind)));
            }
        }
        assert_eq!(file_name(Offset(368_769), FileKind::Log), "00000000000000368769.log");
    }

    #[test]
    fn other_files_are_none_of_ours() {
        let deleted = file_name(Offset(1), FileKind::Log) + DELETED_SUFFIX;
        let too_large = "99999999999999999999.log";
        for name in [
            "",
            "leader-epoch-checkpoint",
            "0.log",
            "+0000000000000000001.log",
            too_large,
            &deleted,
            "ä0000000000000000000.log",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }
}
