//! `msgloop check`: what is wrong in a stopped node's log directory, one line a finding. Storage finds damaged bytes; here
//! the records of the internal topics are read as their owners will read them at the next start.

use std::path::Path;

use protocol::records::{BatchError, BatchView};
use storage::check::FoundBatch;
use storage::directory;
use storage::runtime::backend::Backend;
use storage::runtime::core;

use crate::coordinator::{InternalRecord, StateMachine};
use crate::groups::state::GroupState;
use crate::metadata::METADATA_LOG_ID;
use crate::metadata::replay::Replay;
use crate::transactions::state::TransactionState;

/// Bound on a compressed batch when unfolded. We write none; a tool may have.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Verifies a directory and prints what it finds. An error is the sentence to end with: damage, or a directory that cannot
/// be looked at. Nothing on disk is changed.
pub fn run(path: &Path) -> Result<(), String> {
    let held = directory::open_stopped(path).map_err(|error| error.to_string())?;
    let checked = core::block_on(Backend::Threads, |runtime| async move {
        let mut records = InternalTopics::default();
        storage::check::check(&runtime, held.path(), &mut |found| records.inspect(found)).await
    });
    let findings = checked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    for finding in &findings {
        println!("{}: byte {}: {}", finding.file.display(), finding.position, finding.what);
    }
    match findings.len() {
        0 => {
            println!("{}: no damage found", path.display());
            Ok(())
        }
        1 => Err(format!("{}: one place is damaged; nothing was changed", path.display())),
        count => Err(format!("{}: {count} places are damaged; nothing was changed", path.display())),
    }
}

/// What the internal topics have said so far.
#[derive(Default)]
struct InternalTopics {
    metadata: Replay,
    /// Records after one that makes no sense need not make sense either.
    metadata_is_broken: bool,
}

impl InternalTopics {
    fn inspect(&mut self, found: &FoundBatch<'_>) -> Vec<String> {
        if found.log == METADATA_LOG_ID {
            return self.inspect_metadata(&found.batch);
        }
        match found.topic {
            GroupState::TOPIC => inspect_records::<GroupState>(&found.batch),
            TransactionState::TOPIC => inspect_records::<TransactionState>(&found.batch),
            _ => Vec::new(),
        }
    }

    fn inspect_metadata(&mut self, batch: &BatchView<'_>) -> Vec<String> {
        if self.metadata_is_broken {
            return Vec::new();
        }
        let wrong = self.metadata.read_batch(batch).err();
        self.metadata_is_broken = wrong.is_some();
        wrong.iter().map(ToString::to_string).collect()
    }
}

/// What is wrong with each record that has a key, with its offset.
fn inspect_records<S: StateMachine>(batch: &BatchView<'_>) -> Vec<String> {
    if batch.header.is_control() {
        return Vec::new();
    }
    let unreadable = |error: BatchError| vec![format!("offset {}: {error}", batch.header.base_offset)];
    let body = match batch.body(BATCH_BYTES_MAX) {
        Ok(body) => body,
        Err(error) => return unreadable(error),
    };
    let mut wrong = Vec::new();
    for record in batch.records(&body) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                wrong.extend(unreadable(error));
                return wrong;
            }
        };
        let error = record.key.and_then(|key| S::Record::decode(key, record.value).err());
        wrong.extend(error.map(|error| format!("offset {}: {error}", record.offset)));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::Uuid;
    use protocol::records::{BatchBuilder, BatchHeader, BatchMut, Compression, NewRecord};
    use storage::{LogId, Offset};

    use super::*;
    use crate::metadata::MetadataRecord;
    use crate::metadata::replay::encode_batch;

    fn batch(base_offset: i64, records: &[(&[u8], &[u8])]) -> Bytes {
        let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
        for (key, value) in records {
            builder.append(NewRecord { key: Some(key), value: Some(value), ..NewRecord::default() }).expect("fits");
        }
        placed(&builder.build().expect("sound"), base_offset)
    }

    fn placed(batch: &[u8], base_offset: i64) -> Bytes {
        let mut batch = batch.to_vec();
        BatchMut::parse(&mut batch).expect("sound").set_base_offset(base_offset);
        batch.into()
    }

    fn wrong(log: LogId, topic: &str, batches: &[Bytes]) -> Vec<String> {
        let mut records = InternalTopics::default();
        let inspect = |bytes: &Bytes| {
            let batch = BatchView::parse(bytes).expect("sound");
            records.inspect(&FoundBatch { log, topic, log_start: Offset(0), batch })
        };
        batches.iter().flat_map(inspect).collect()
    }

    #[test]
    fn a_metadata_record_that_makes_no_sense_is_named_once_by_its_offset() {
        let sound = MetadataRecord::TopicCreated { name: "a".to_owned(), id: Uuid::from_random(1, 2) };
        let sound = encode_batch(&[sound], 0).expect("sound");
        let check = |batches: &[Bytes], expected: &[&str]| {
            let found = wrong(METADATA_LOG_ID, "__cluster_metadata", batches);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:?}");
        };
        check(&[placed(&sound, 0)], &[]);
        check(&[placed(&sound, 0), placed(&sound, 1)], &["offset 1"]);
        let nonsense = batch(7, &[(b"", b"\xff\xff")]);
        check(&[nonsense.clone(), nonsense, placed(&sound, 8)], &["offset 7"]);
    }

    #[test]
    fn every_record_of_a_coordinator_that_does_not_parse_is_named_by_its_offset() {
        let log = LogId { topic_id: Uuid::from_random(5, 6), partition: 3 };
        // The key of a committed offset without its group, or of a transactional id without the id; and a type that newer
        // brokers may write.
        for (topic, cut) in [(GroupState::TOPIC, &[0_u8, 1, 0][..]), (TransactionState::TOPIC, &[0, 0, 0])] {
            let unknown: &[u8] = &[0x7f, 0];
            let bytes = batch(40, &[(unknown, b""), (cut, b""), (cut, b"")]);
            let found = wrong(log, topic, std::slice::from_ref(&bytes));
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found[0].starts_with("offset 41: ") && found[1].starts_with("offset 42: "), "{found:?}");
            assert!(wrong(log, "other", &[bytes]).is_empty());
        }
    }
}
