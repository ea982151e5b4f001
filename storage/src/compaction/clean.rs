//! Cleaning one log: collect the newest offset of every key, walk from the start, replace segments group by group.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::key_map::KeyMap;
use super::plan::{ClosedSegment, Dirt, Position, dirt, groups, is_overdue};
use super::retain::{Collected, Kept, LastRecord, Pass, Rules};
use super::run::Tools;
use super::source::{Piece, Source};
use super::swap::{self, Swap};
use super::transactions::CleanedTransactions;
use super::write::{Cleaned, discard};
use crate::error::StorageError;
use crate::health::is_no_space;
use crate::log::Log;
use crate::runtime::Monotonic;
use crate::segment::AbortedTxn;
use crate::segment_file::{Segment, read_whole, replace_file};

/// How far a partition is clean, in its directory: Kafka's format of the file of that name, with the partition's own line.
pub(crate) const CHECKPOINT_FILE: &str = "cleaner-offset-checkpoint";
/// What a record takes at the least, about; for the first guess at the number of keys.
const RECORD_BYTES: u64 = 64;

/// What a log knows of its own cleaning.
#[derive(Debug, Default)]
pub(crate) struct CleaningState {
    /// Somebody is at it: segments must not be removed.
    pub busy: bool,
    /// All below is clean; `None` until the checkpoint was read.
    pub clean: Option<i64>,
    /// It was found damaged: left alone until the next start.
    pub uncleanable: bool,
    /// It could not be cleaned: others first.
    pub retry_at: Monotonic,
}

/// What a cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cleaning {
    /// All below is clean now.
    pub clean: i64,
    /// Bytes read to collect keys, read to be filtered, and written.
    pub bytes_indexed: u64,
    /// See [`Cleaning::bytes_indexed`].
    pub bytes_read: u64,
    /// See [`Cleaning::bytes_indexed`].
    pub bytes_written: u64,
    /// Records read and kept.
    pub records: (u64, u64),
    /// How full the key map was, from 0 to 1.
    pub utilization: f64,
}

/// Gives the log back to retention.
struct Busy<'a>(&'a Log);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state_mut().cleaning.busy = false;
    }
}

impl Log {
    /// The dirty part of a compacted log, and whether it has to be cleaned whatever its share is; `None` if this log is
    /// not compacted, is damaged, or is being cleaned.
    pub(super) async fn dirt(&self) -> Result<Option<(Dirt, bool)>, StorageError> {
        {
            let state = self.state();
            let cleaning = &state.cleaning;
            let idle = !cleaning.busy && !cleaning.uncleanable && cleaning.retry_at <= self.volume().runtime.now();
            let idle = idle && self.check_open().is_ok();
            if !state.config.cleanup_compact || !idle {
                return Ok(None);
            }
        }
        let clean = self.clean_offset().await?;
        let now_ms = self.volume().runtime.wall_clock_ms();
        let found = {
            let state = self.state();
            let position = Position {
                start: self.log_start_offset().0,
                stable: self.last_stable_offset().0,
                end: self.log_end_offset().0,
                clean,
                now_ms,
            };
            dirt(&self.closed_segments(), position, &state.config)
        };
        let overdue = found.dirty_bytes > 0 && self.is_overdue(found, now_ms).await?;
        Ok(Some((found, overdue)))
    }

    async fn is_overdue(&self, dirt: Dirt, now_ms: i64) -> Result<bool, StorageError> {
        if self.state().config.compaction.max_lag_ms == i64::MAX {
            return Ok(false);
        }
        let segments: Vec<Rc<Segment>> = {
            let state = self.state();
            let first = state.files.segments.range(..=dirt.from).next_back().map_or(dirt.from, |(base, _)| *base);
            state.files.segments.range(first..dirt.to.max(first)).map(|(_, segment)| segment.clone()).collect()
        };
        let mut timestamps = Vec::new();
        for segment in segments {
            let first = segment.first_timestamp(&self.volume().runtime, &self.volume().open_segments).await;
            timestamps.push(first.map_err(|error| self.volume().health.read_failed(self.name(), &error))?);
        }
        Ok(is_overdue(timestamps.into_iter(), now_ms, &self.state().config))
    }

    /// Segments below the one being written, in order.
    fn closed_segments(&self) -> Vec<ClosedSegment> {
        let state = self.state();
        let active = state.files.active;
        let bases: Vec<i64> = state.files.segments.range(..active).map(|(base, _)| *base).collect();
        let ends = bases.iter().copied().skip(1).chain([active]);
        let segments = state.files.segments.values().zip(ends).map(|(segment, next_offset)| ClosedSegment {
            base_offset: segment.base_offset,
            next_offset,
            bytes: segment.bytes.get(),
            max_timestamp: segment.max_timestamp.get(),
        });
        segments.collect()
    }

    async fn clean_offset(&self) -> Result<Option<i64>, StorageError> {
        if let Some(clean) = self.state().cleaning.clean {
            return Ok(Some(clean));
        }
        let read = read_whole(&self.volume().runtime, &self.path().join(CHECKPOINT_FILE)).await;
        let bytes = read.map_err(|error| self.volume().health.read_failed(self.name(), &error))?;
        // One that cannot be read costs nothing but cleaning again.
        let clean = parse_checkpoint(&String::from_utf8_lossy(&bytes)).unwrap_or(-1);
        self.state_mut().cleaning.clean = Some(clean);
        Ok(Some(clean))
    }

    async fn set_clean_offset(&self, clean: i64) -> Result<(), StorageError> {
        let (topic, partition) = self.name().rsplit_once('-').unwrap_or((self.name(), "0"));
        let content = Bytes::from(format!("0\n1\n{topic} {partition} {clean}\n"));
        let written = replace_file(&self.volume().runtime, &self.path().join(CHECKPOINT_FILE), content).await;
        written.map_err(|error| self.cleaning_failed(&error))?;
        self.state_mut().cleaning.clean = Some(clean);
        Ok(())
    }

    /// Cleans the dirty part, or as much of it as the keys fit into memory of.
    pub(super) async fn clean(self: &Rc<Log>, dirt: Dirt, tools: &Tools) -> Result<Cleaning, StorageError> {
        self.state_mut().cleaning.busy = true;
        let _busy = Busy(self);
        let now_ms = self.volume().runtime.wall_clock_ms();
        let aborted = self.aborted_entries(0, i64::MAX).await;
        let aborted = aborted.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.corrupt(0, error.to_string()),
            _ => self.volume().health.read_failed(self.name(), &error),
        })?;
        let mut done = Cleaning::default();
        let collected = self.collect_keys(dirt, &aborted, tools, &mut done).await?;
        let rules = Rules {
            now_ms,
            delete_retention_ms: self.state().config.compaction.delete_retention_ms,
            high_watermark: self.high_watermark().0,
            producers: self.last_records(),
        };
        let end = collected.end;
        let mut pass = Pass::new(collected.keys, end, rules, CleanedTransactions::new(aborted));
        let segments: Vec<_> = self.closed_segments().into_iter().filter(|one| one.base_offset < end).collect();
        let segment_bytes = self.state().config.segment_bytes;
        for group in groups(&segments, segment_bytes) {
            pass = self.clean_group(&segments[group], pass, tools, &mut done).await?;
        }
        self.set_clean_offset(end).await?;
        done.clean = end;
        done.records = pass.records;
        done.utilization = pass.keys().utilization();
        Ok(done)
    }

    fn last_records(&self) -> BTreeMap<i64, LastRecord> {
        let state = self.state();
        let last = |entry: &crate::producer_state::ProducerEntry| LastRecord {
            data_offset: entry.batches().last().map(|batch| batch.last_offset.0),
            epoch: entry.producer_epoch,
        };
        state.producers.producers().map(|entry| (entry.producer_id, last(entry))).collect()
    }

    async fn collect_keys(
        self: &Rc<Log>,
        dirt: Dirt,
        aborted: &[AbortedTxn],
        tools: &Tools,
        done: &mut Cleaning,
    ) -> Result<Collected, StorageError> {
        let runtime = &self.volume().runtime;
        let config = tools.config();
        let guess = usize::try_from(dirt.dirty_bytes / RECORD_BYTES).unwrap_or(usize::MAX);
        let seed = [runtime.random_u64(), runtime.random_u64()];
        let keys = KeyMap::new(seed, guess, tools.key_bytes_max(), config.load_factor);
        let mut collected = Collected::new(keys, dirt.from, CleanedTransactions::new(aborted.iter().copied()));
        for closed in
            self.closed_segments().iter().filter(|one| one.next_offset > dirt.from && one.base_offset < dirt.to)
        {
            let Some(segment) = self.state().files.segments.get(&closed.base_offset).cloned() else { continue };
            let mut source = Source::open(self, segment, closed.next_offset, dirt.from).await?;
            while let Some(piece) = self.next_piece(&mut source, tools).await? {
                done.bytes_indexed += piece.bytes.len() as u64;
                collected = self.aside(&source, (collected, piece), add_keys).await?;
                if collected.full {
                    return Ok(collected);
                }
            }
            collected.end = collected.end.max(closed.next_offset);
        }
        Ok(collected)
    }

    async fn next_piece(&self, source: &mut Source, tools: &Tools) -> Result<Option<Piece>, StorageError> {
        self.check_cleaning()?;
        let piece = source.next(self, tools.piece_bytes()).await?;
        let bytes = piece.as_ref().map_or(0, |piece| piece.bytes.len());
        self.throttle(tools, bytes as u64).await;
        Ok(piece)
    }

    async fn throttle(&self, tools: &Tools, bytes: u64) {
        tools.throttle(&self.volume().runtime, bytes, || self.check_cleaning().is_err()).await;
    }

    /// Works on `state` off the core; what it finds damaged is an error of the segment.
    async fn aside<S: Send + 'static, R: Send + 'static>(
        &self,
        source: &Source,
        state: S,
        work: fn(S) -> Result<R, (u64, String)>,
    ) -> Result<R, StorageError> {
        let done = self.volume().runtime.aside(move || work(state)).await;
        let done = done.ok_or(StorageError::Closed)?;
        done.map_err(|(position, reason)| self.segment_corrupt(&source.segment, position, reason))
    }

    /// Whether cleaning may go on.
    fn check_cleaning(&self) -> Result<(), StorageError> {
        self.check_open()?;
        self.volume().health.check_failed()?;
        if self.volume().closing.get() { Err(StorageError::Closed) } else { Ok(()) }
    }

    async fn clean_group(
        self: &Rc<Log>,
        group: &[ClosedSegment],
        pass: Pass,
        tools: &Tools,
        done: &mut Cleaning,
    ) -> Result<Pass, StorageError> {
        let mut made = Made { bases: Vec::new(), segments: Vec::new(), swap: Swap::default() };
        let filtered = match self.write_group(group, pass, tools, &mut made, done).await {
            Ok(pass) => self.replace(group, &mut made).await.map(|()| pass),
            Err(error) => Err(error),
        };
        if filtered.is_err() && made.segments.is_empty() {
            discard(self, &made.bases).await;
        }
        filtered
    }

    async fn write_group(
        self: &Rc<Log>,
        group: &[ClosedSegment],
        mut pass: Pass,
        tools: &Tools,
        made: &mut Made,
        done: &mut Cleaning,
    ) -> Result<Pass, StorageError> {
        let failed = |error: io::Error| self.cleaning_failed(&error);
        let first = group.first().map_or(0, |segment| segment.base_offset);
        made.bases.push(first);
        let mut finished = Vec::new();
        let size_bytes_max = tools.config().segment_bytes_max;
        let mut output = Cleaned::create(self, first, size_bytes_max).await.map_err(failed)?;
        for closed in group {
            let Some(segment) = self.state().files.segments.get(&closed.base_offset).cloned() else {
                return Err(StorageError::Closed);
            };
            let mut source = Source::open(self, segment, closed.next_offset, closed.base_offset).await?;
            while let Some(piece) = self.next_piece(&mut source, tools).await? {
                done.bytes_read += piece.bytes.len() as u64;
                let (filtered, kept) = self.aside(&source, (pass, piece), filter).await?;
                pass = filtered;
                for batch in &kept {
                    if !output.fits(batch) {
                        made.bases.push(batch.base_offset);
                        let next = Cleaned::create(self, batch.base_offset, size_bytes_max).await.map_err(failed)?;
                        let full = std::mem::replace(&mut output, next);
                        finished.push(full.finish(self, batch.base_offset).await.map_err(failed)?);
                    }
                    output.push(batch);
                }
                let bytes = kept.iter().map(|batch| batch.bytes.len() as u64).sum();
                done.bytes_written += bytes;
                output.flush(self).await.map_err(failed)?;
                self.throttle(tools, bytes).await;
            }
        }
        let end = group.last().map_or(0, |segment| segment.next_offset);
        finished.push(output.finish(self, end).await.map_err(failed)?);
        made.swap.old = group.iter().map(|segment| segment.base_offset).collect();
        made.swap.new = finished.iter().map(|(segment, indexed)| (segment.base_offset, *indexed)).collect();
        made.segments = finished.into_iter().map(|(segment, _)| segment).collect();
        Ok(pass)
    }

    /// Puts the new segments in the place of the old ones: durably decided first, then for readers, then in the files.
    async fn replace(self: &Rc<Log>, group: &[ClosedSegment], made: &mut Made) -> Result<(), StorageError> {
        let runtime = &self.volume().runtime;
        if let Err(error) = self.check_cleaning().and_then(|()| self.hold_indexes(&made.swap.old)) {
            made.segments.clear();
            return Err(error);
        }
        if let Err(error) = swap::begin(runtime, self.path(), &made.swap).await {
            if is_no_space(&error) {
                made.segments.clear();
                self.release_indexes(&made.swap.old);
            }
            return Err(self.cleaning_failed(&error));
        }
        let next_offset = group.last().map_or(0, |segment| segment.next_offset);
        {
            let mut state = self.state_mut();
            for base in &made.swap.old {
                if let Some(old) = state.files.segments.remove(base) {
                    old.set_replaced();
                }
            }
            for segment in &made.segments {
                state.files.segments.insert(segment.base_offset, segment.clone());
            }
            // Readers see one version of the log, and memory is better used for what is new.
            state.tail.drop_below(next_offset);
        }
        swap::finish(runtime, self.path(), &made.swap).await.map_err(|error| self.cleaning_failed(&error))?;
        made.segments.iter().for_each(|segment| segment.unpin());
        Ok(())
    }

    /// From here on no index of these segments is made again, which would write to files of the same names.
    fn hold_indexes(&self, bases: &[i64]) -> Result<(), StorageError> {
        let state = self.state();
        let segments = || bases.iter().filter_map(|base| state.files.segments.get(base));
        if segments().any(|segment| segment.rebuilding.get()) {
            return Err(StorageError::Closed);
        }
        segments().for_each(|segment| segment.rebuilding.set(true));
        Ok(())
    }

    fn release_indexes(&self, bases: &[i64]) {
        let state = self.state();
        bases
            .iter()
            .filter_map(|base| state.files.segments.get(base))
            .for_each(|segment| segment.rebuilding.set(false));
    }

    /// No space is no failure: the log stays as dirty as it is.
    fn cleaning_failed(&self, error: &io::Error) -> StorageError {
        if self.check_open().is_err() && error.kind() == io::ErrorKind::NotFound {
            return StorageError::Closed;
        }
        let health = &self.volume().health;
        match is_no_space(error) {
            true => health.full_error(),
            false => health.write_failed(&format!("compacting {}", self.path().display()), error),
        }
    }
}

/// What stands in for a group.
struct Made {
    /// Base offsets of which there may be files.
    bases: Vec<i64>,
    /// Complete, until the swap was given up.
    segments: Vec<Rc<Segment>>,
    swap: Swap,
}

fn add_keys((mut collected, piece): (Collected, Piece)) -> Result<Collected, (u64, String)> {
    piece.for_each(|_, batch| collected.add(batch))?;
    Ok(collected)
}

fn filter((mut pass, piece): (Pass, Piece)) -> Result<(Pass, Vec<Kept>), (u64, String)> {
    let mut kept = Vec::new();
    piece.for_each(|bytes, _| {
        kept.extend(pass.filter(&bytes)?);
        Ok(())
    })?;
    Ok((pass, kept))
}

/// The offset in a checkpoint file of one line.
fn parse_checkpoint(text: &str) -> Option<i64> {
    let mut lines = text.lines();
    if (lines.next()?, lines.next()?) != ("0", "1") {
        return None;
    }
    lines.next()?.rsplit(' ').next()?.parse().ok().filter(|offset| *offset >= 0)
}

#[cfg(test)]
mod tests {
    use super::parse_checkpoint;

    #[test]
    fn a_checkpoint_is_read_or_does_not_count() {
        let check = |text, expected| assert_eq!(parse_checkpoint(text), expected, "{text:?}");
        check("0\n1\na topic? 0 17\n", Some(17));
        check("0\n1\ntopic 0 0", Some(0));
        for text in ["", "0\n", "0\n0\n", "1\n1\ntopic 0 17\n", "0\n1\ntopic 0 -1\n", "0\n1\ntopic 0 x\n"] {
            check(text, None);
        }
    }
}
