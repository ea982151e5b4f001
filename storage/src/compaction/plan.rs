//! What of a log is to be compacted, and in which portions: pure (LogCleanerManager.java, `Cleaner.groupSegmentsBySize`).

use std::ops::Range;

use crate::log::LogConfig;

/// Relative offsets and positions in a segment are positive 32-bit numbers.
const RELATIVE_MAX: i64 = i32::MAX as i64;

/// A segment that nobody writes to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClosedSegment {
    /// First offset, and name.
    pub base_offset: i64,
    /// Where the next one begins.
    pub next_offset: i64,
    /// Bytes of its log.
    pub bytes: u64,
    /// Largest timestamp, -1 without any.
    pub max_timestamp: i64,
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Log start offset.
    pub start: i64,
    /// Last stable offset: nothing undecided is compacted.
    pub stable: i64,
    /// Log end offset.
    pub end: i64,
    /// How far the last pass came.
    pub clean: Option<i64>,
    /// The time now.
    pub now_ms: i64,
}

/// The dirty part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dirt {
    /// All below was compacted before.
    pub from: i64,
    /// A segment's base offset; nothing from there on may be compacted now.
    pub to: i64,
    /// Bytes of segments below `from`.
    pub clean_bytes: u64,
    /// Bytes of those from there to `to`.
    pub dirty_bytes: u64,
}

impl Dirt {
    /// The share of what may be compacted that was not compacted yet, from 0 to 1.
    pub fn ratio(&self) -> f64 {
        match self.clean_bytes + self.dirty_bytes {
            0 => 0.0,
            bytes => self.dirty_bytes as f64 / bytes as f64,
        }
    }
}

/// Finds the dirty part. `segments` are closed ones, in order.
pub(super) fn dirt(segments: &[ClosedSegment], position: Position, config: &LogConfig) -> Dirt {
    // A start beyond it, or an end before it: somebody else's checkpoint.
    let sane = |clean: &i64| (position.start..=position.end).contains(clean);
    let from = position.clean.filter(sane).unwrap_or(position.start);
    let lag_ms = config.compaction.min_lag_ms;
    let young = |segment: &&ClosedSegment| {
        lag_ms > 0 && segment.next_offset > from && segment.max_timestamp > position.now_ms.saturating_sub(lag_ms)
    };
    let closed = segments.last().map_or(position.start, |last| last.next_offset);
    let old = segments.iter().find(young).map_or(closed, |segment| segment.base_offset);
    let bound = old.min(position.stable);
    // Whole segments only.
    let to =
        segments.iter().map(|one| one.next_offset).take_while(|next| *next <= bound).last().unwrap_or(from).max(from);
    let bytes = |range: Range<i64>| {
        let within = |segment: &&ClosedSegment| segment.next_offset > range.start && segment.base_offset < range.end;
        segments.iter().filter(within).map(|segment| segment.bytes).sum()
    };
    let dirty_bytes = if to > from { bytes(from..to) } else { 0 };
    let clean_bytes = segments.iter().filter(|segment| segment.next_offset <= from).map(|segment| segment.bytes).sum();
    Dirt { from, to, clean_bytes, dirty_bytes }
}

/// Whether records have waited for longer than `max.compaction.lag.ms`; `first_timestamps` are of the first batches of
/// the dirty segments.
pub(super) fn is_overdue(first_timestamps: impl Iterator<Item = i64>, now_ms: i64, config: &LogConfig) -> bool {
    let oldest = first_timestamps.filter(|timestamp_ms| *timestamp_ms > 0).min();
    oldest.is_some_and(|oldest| oldest < now_ms.saturating_sub(config.compaction.max_lag_ms.max(0)))
}

/// Splits segments into groups that each become one segment: as many as fit `segment.bytes` together.
pub(super) fn groups(segments: &[ClosedSegment], segment_bytes: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, segment) in segments.iter().enumerate() {
        let joins = groups.last().is_some_and(|group| {
            let span = segment.next_offset - 1 - segments[group.start].base_offset;
            // An empty segment joins whatever its distance; there will be no record that far.
            bytes + segment.bytes <= segment_bytes && (segment.bytes == 0 || span <= RELATIVE_MAX)
        });
        match groups.last_mut().filter(|_| joins) {
            Some(group) => group.end = index + 1,
            None => {
                groups.push(index..index + 1);
                bytes = 0;
            }
        }
        bytes += segment.bytes;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(base_offset: i64, next_offset: i64, bytes: u64, max_timestamp: i64) -> ClosedSegment {
        ClosedSegment { base_offset, next_offset, bytes, max_timestamp }
    }

    /// Four closed segments of 10 offsets and 100 bytes; times 1000, 2000, 3000, 4000; it is 10,000 now.
    fn check(clean: Option<i64>, start: i64, stable: i64, min_lag_ms: i64, expected: (i64, i64, u64, u64)) {
        let segments: Vec<_> = (0..4).map(|at| segment(at * 10, at * 10 + 10, 100, (at + 1) * 1000)).collect();
        let position = Position { start, stable, end: 45, clean, now_ms: 10_000 };
        let mut config = LogConfig::default();
        config.compaction.min_lag_ms = min_lag_ms;
        let dirt = dirt(&segments, position, &config);
        let name = format!("clean {clean:?}, start {start}, stable {stable}, lag {min_lag_ms}");
        assert_eq!((dirt.from, dirt.to, dirt.clean_bytes, dirt.dirty_bytes), expected, "{name}");
    }

    #[test]
    fn the_dirty_part_begins_at_the_checkpoint_and_ends_before_what_must_wait() {
        check(None, 0, 45, 0, (0, 40, 0, 400));
        check(Some(20), 0, 45, 0, (20, 40, 200, 200));
        check(Some(40), 0, 45, 0, (40, 40, 400, 0));
        // In the middle of a segment: a pass whose keys did not fit.
        check(Some(25), 0, 45, 0, (25, 40, 200, 200));
        // Undecided transactions hold whole segments back.
        check(None, 0, 40, 0, (0, 40, 0, 400));
        check(None, 0, 39, 0, (0, 30, 0, 300));
        check(Some(20), 0, 15, 0, (20, 20, 200, 0));
        // min.compaction.lag.ms
        check(None, 0, 45, 7_001, (0, 20, 0, 200));
        check(None, 0, 45, 100_000, (0, 0, 0, 0));
        check(Some(10), 0, 45, 100_000, (10, 10, 100, 0));
        // Checkpoints that cannot be right.
        check(Some(5), 10, 45, 0, (10, 40, 100, 300));
        check(Some(46), 0, 45, 0, (0, 40, 0, 400));
    }

    #[test]
    fn an_empty_log_is_not_dirty() {
        let position = Position { start: 3, stable: 3, end: 3, clean: None, now_ms: 0 };
        let dirt = dirt(&[], position, &LogConfig::default());
        assert_eq!((dirt.from, dirt.to, dirt.ratio()), (3, 3, 0.0));
    }

    #[test]
    fn records_wait_no_longer_than_max_compaction_lag() {
        let mut config = LogConfig::default();
        config.compaction.max_lag_ms = 100;
        let overdue = |timestamps: &[i64]| is_overdue(timestamps.iter().copied(), 1_000, &config);
        assert!(overdue(&[950, 899]) && !overdue(&[900, 950]) && !overdue(&[]) && !overdue(&[-1, 0]));
    }

    #[test]
    fn small_segments_are_merged_up_to_the_limits() {
        let check = |segments: &[ClosedSegment], expected: &[Range<usize>]| {
            assert_eq!(groups(segments, 250), expected, "{segments:?}");
        };
        let of = |sizes: &[u64]| -> Vec<ClosedSegment> {
            sizes.iter().zip(0..).map(|(bytes, at)| segment(at * 10, at * 10 + 10, *bytes, 0)).collect()
        };
        check(&of(&[]), &[]);
        check(&of(&[100, 100, 100, 100, 300, 1]), &[0..2, 2..4, 4..5, 5..6]);
        check(&of(&[0, 0, 250, 0, 1]), &[0..4, 4..5]);
        let far = RELATIVE_MAX + 1;
        check(&[segment(0, 10, 1, 0), segment(10, far, 1, 0)], std::slice::from_ref(&(0..2)));
        check(&[segment(0, 10, 1, 0), segment(10, far + 1, 1, 0)], &[0..1, 1..2]);
        check(&[segment(0, 10, 1, 0), segment(10, far + 1, 0, 0), segment(far + 1, far + 2, 1, 0)], &[0..2, 2..3]);
    }
}
