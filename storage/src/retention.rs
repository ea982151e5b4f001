//! Removing old segments: by time, by size, and below a log start that moved (UnifiedLog.deleteOldSegments).

use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::error::StorageError;
use crate::ids::Offset;
use crate::log::{Log, LogConfig};
use crate::segment::{DELETED_SUFFIX, FileKind};
use crate::segment_file::Segment;
use crate::volume::Volume;

/// `log.retention.check.interval.ms`, unless the engine is told another.
pub(crate) const INTERVAL: Duration = Duration::from_secs(300);

/// How often it is looked for something to remove while the disk is full.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// A segment as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub base_offset: i64,
    /// Where the next one begins.
    pub next_offset: i64,
    pub bytes: u64,
    /// -1 without any: such a segment is not removed by time.
    pub max_timestamp: i64,
}

/// The offset that the log should start at: segments below it are expendable. `segments` are in order and all written.
pub(crate) fn new_start(segments: &[Candidate], config: &LogConfig, now_ms: i64, start: i64) -> i64 {
    let mut start = start;
    if !config.cleanup_delete {
        return start;
    }
    let mut excess = segments.iter().map(|segment| segment.bytes).sum::<u64>();
    excess = excess.saturating_sub(u64::try_from(config.retention_bytes).unwrap_or(u64::MAX));
    // What compaction left empty goes with what follows it.
    for segment in segments.iter().filter(|segment| segment.bytes > 0) {
        let too_old = config.retention_ms >= 0
            && segment.max_timestamp >= 0
            && now_ms.saturating_sub(segment.max_timestamp) > config.retention_ms;
        let too_much = excess >= segment.bytes;
        if !too_old && !too_much {
            break;
        }
        excess = excess.saturating_sub(segment.bytes);
        start = start.max(segment.next_offset);
    }
    start
}

/// Looks at every log now and then, until the volume closes.
pub(crate) async fn run(volume: Weak<Volume>, interval: Rc<std::cell::Cell<Duration>>) {
    loop {
        let Some(runtime) = volume.upgrade().map(|volume| volume.runtime.clone()) else { return };
        let Some(health) = volume.upgrade().map(|volume| volume.health.clone()) else { return };
        // Once a second while the disk is full: whatever may go makes room.
        runtime.sleep(RETRY_FULL.min(interval.get())).await;
        health.sleep_unless_full(&runtime, interval.get().saturating_sub(RETRY_FULL)).await;
        let Some(volume) = volume.upgrade().filter(|volume| !volume.closing.get()) else { return };
        let logs: Vec<Rc<Log>> = volume.logs.borrow().values().cloned().collect();
        for log in logs {
            match log.apply_retention().await {
                Ok(()) | Err(StorageError::Closed) => {}
                Err(error) => tracing::warn!(log = log.name(), %error, "retention"),
            }
        }
    }
}

impl Log {
    /// Moves the log start past what retention no longer keeps, and removes segments below the log start.
    pub async fn apply_retention(self: &Rc<Log>) -> Result<(), StorageError> {
        let now_ms = self.volume().runtime.wall_clock_ms();
        let expiration_ms = self.state().config.producer_id_expiration_ms;
        self.state_mut().producers.remove_expired(now_ms, expiration_ms);
        let start = {
            let state = self.state();
            new_start(&self.candidates(), &state.config, now_ms, self.log_start_offset().0)
        };
        if start > self.log_start_offset().0 {
            let start = if start == self.log_end_offset().0 {
                match self.roll_empty().await {
                    Ok(true) => start,
                    Ok(false) => return Ok(()),
                    // No space for the end of the newest segment: the others make some.
                    Err(StorageError::Full { .. }) => self.active().max(self.log_start_offset().0),
                    Err(error) => return Err(error),
                }
            } else {
                start
            };
            if start > self.log_start_offset().0 {
                self.move_start(start).await?;
            }
        }
        self.remove_segments().await
    }

    /// Segments that are all in files, in order.
    fn candidates(&self) -> Vec<Candidate> {
        let state = self.state();
        let bases: Vec<i64> = state.files.segments.keys().copied().collect();
        let ends = bases.iter().copied().skip(1).chain([state.files.active.max(bases.last().copied().unwrap_or(0))]);
        let written = state.files.next_offset == self.log_end_offset().0;
        let segments = state.files.segments.values().zip(ends).filter_map(|(segment, next_offset)| {
            let active = segment.base_offset == state.files.active;
            let next_offset = if active { state.files.next_offset } else { next_offset };
            (!active || written).then(|| Candidate {
                base_offset: segment.base_offset,
                next_offset,
                bytes: segment.bytes.get(),
                max_timestamp: segment.max_timestamp.get(),
            })
        });
        segments.collect()
    }

    /// Takes segments below the log start out of the log; their files go after `file.delete.delay.ms`, at once if the
    /// disk is full.
    pub(crate) async fn remove_segments(self: &Rc<Log>) -> Result<(), StorageError> {
        let start = self.log_start_offset().0;
        let expendable: Vec<i64> = self
            .candidates()
            .iter()
            .filter(|segment| segment.next_offset <= start)
            .map(|one| one.base_offset)
            .collect();
        for base in expendable.into_iter().filter(|base| *base != self.active()) {
            if self.state().cleaning.busy {
                // Its files may be replaced right now; the next round removes them.
                return Ok(());
            }
            let removed = self.state_mut().files.segments.remove(&base);
            if let Some(segment) = removed {
                self.retire(segment).await?;
            }
        }
        self.state_mut().epochs.truncate_from_start(Offset(start));
        Ok(())
    }

    async fn retire(self: &Rc<Log>, segment: Rc<Segment>) -> Result<(), StorageError> {
        let runtime = self.volume().runtime.clone();
        let mut renamed = Vec::new();
        for kind in FileKind::ALL.into_iter().filter(|kind| *kind != FileKind::ProducerSnapshot) {
            let from = segment.path(kind);
            let mut to = from.clone().into_os_string();
            to.push(DELETED_SUFFIX);
            match runtime.disk().rename(&from, to.as_ref()).await {
                Ok(()) => renamed.push(to),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.volume().health.write_failed("removing a segment", &error)),
            }
        }
        let delay_ms = u64::try_from(self.state().config.file_delete_delay_ms).unwrap_or(0);
        let (later, health) = (runtime.clone(), self.volume().health.clone());
        runtime.spawn(async move {
            health.sleep_unless_full(&later, Duration::from_millis(delay_ms)).await;
            for path in renamed {
                // What stays behind is removed at the next start.
                let _ = later.disk().remove_file(path.as_ref()).await;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retention_ms: i64, retention_bytes: i64, expected: i64) {
        let segment = |base_offset, max_timestamp| Candidate {
            base_offset,
            next_offset: base_offset + 10,
            bytes: 100,
            max_timestamp,
        };
        let segments = [segment(0, 1_000), segment(10, 3_000), segment(20, 2_000), segment(30, -1), segment(40, 9_000)];
        let config = LogConfig { retention_ms, retention_bytes, ..LogConfig::default() };
        assert_eq!(new_start(&segments, &config, 10_000, 0), expected, "{retention_ms} ms, {retention_bytes} bytes");
        let compacted = LogConfig { cleanup_delete: false, ..config };
        assert_eq!(new_start(&segments, &compacted, 10_000, 5), 5);
    }

    #[test]
    fn segments_go_from_the_front_by_time_and_by_size() {
        check(-1, -1, 0);
        check(9_000, -1, 0);
        check(8_999, -1, 10);
        check(7_500, -1, 10);
        check(5_000, -1, 30);
        check(0, -1, 30);
        check(-1, 500, 0);
        check(-1, 401, 0);
        check(-1, 400, 10);
        check(-1, 0, 50);
        check(8_999, 300, 20);
    }

    #[test]
    fn an_empty_segment_goes_with_the_next() {
        let segment = |base_offset, bytes, max_timestamp| Candidate {
            base_offset,
            next_offset: base_offset + 10,
            bytes,
            max_timestamp,
        };
        let config = LogConfig { retention_ms: 1_000, ..LogConfig::default() };
        let segments = [segment(0, 0, -1), segment(10, 100, 1_000), segment(20, 0, -1), segment(30, 100, 9_500)];
        assert_eq!(new_start(&segments, &config, 10_000, 0), 20);
        assert_eq!(new_start(&segments[2..], &config, 10_000, 0), 0);
    }
}
