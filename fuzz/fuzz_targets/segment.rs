//! The files of a segment and of its partition, as a damaged disk may give them back. What is accepted is searched,
//! written again and must be the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::records::Batches;
use storage::leader_epochs::LeaderEpochs;
use storage::producer_state::ProducerState;
use storage::segment::{
    Checksums, IndexedBatch, Indexer, OffsetIndex, TimeIndex, TransactionIndex, fits_segment, parse_file_name,
};
use storage::{LeaderEpoch, Offset};

const BASE: Offset = Offset(100);

fn log(bytes: &[u8]) {
    let mut indexer = Indexer::new(BASE, 64);
    let (mut position, mut next) = (0, BASE);
    for batch in Batches::new(bytes).map_while(Result::ok) {
        let (last_offset, bytes) = (Offset(batch.header.last_offset()), batch.bytes().len() as u32);
        if last_offset < next || !fits_segment(BASE, last_offset) {
            break;
        }
        let max_timestamp_ms = batch.header.max_timestamp;
        indexer.observe(IndexedBatch { position, bytes, last_offset, max_timestamp_ms });
        (position, next) = (position + bytes, last_offset.plus(1));
    }
    indexer.finish();
    indexer.offsets.verify(u64::from(position)).expect("what we index is in order");
    indexer.times.verify(next.plus(-1)).expect("what we index is in order");
}

fn offset_index(bytes: &[u8], at: i64) {
    let Ok(index) = OffsetIndex::parse(BASE, bytes) else { return };
    let _ = (index.lookup(Offset(at)), index.upper_bound(at as u32), index.last());
    if index.verify(u64::MAX).is_ok() {
        assert!(index.lookup(Offset(i64::MAX)).position <= index.last().map_or(0, |last| last.position));
    }
}

fn time_index(bytes: &[u8], at: i64) {
    let Ok(index) = TimeIndex::parse(BASE, bytes) else { return };
    let _ = (index.lookup(at), index.last(), index.verify(Offset(at)));
}

fn transaction_index(bytes: &[u8], at: i64) {
    let Ok(index) = TransactionIndex::parse(BASE, bytes) else { return };
    let _ = index.search(Offset(at), Offset(at).plus(10));
    let mut again = TransactionIndex::new();
    index.entries().for_each(|entry| again.append(entry));
    assert_eq!(again.bytes(), bytes);
}

fn snapshot(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 10 {
        let crc = crc32c::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    let Ok(state) = ProducerState::from_snapshot(&bytes, BASE, 0, i64::MAX) else { return };
    let again =
        ProducerState::from_snapshot(&state.to_snapshot(), BASE, 0, i64::MAX).expect("what we write we can read");
    // Not the states: the time of a producer's last batch is that of its marker from then on, as with Kafka.
    assert_eq!(again.to_snapshot(), state.to_snapshot());
}

fn epochs(bytes: &[u8], at: i64) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_file_name(text);
    let Ok(mut epochs) = LeaderEpochs::parse_checkpoint(text) else { return };
    assert_eq!(LeaderEpochs::parse_checkpoint(&epochs.to_checkpoint()).as_ref(), Ok(&epochs));
    let _ = (epochs.end_offset_for(LeaderEpoch(at as i32), Offset(at)), epochs.epoch_for_offset(Offset(at)));
    let _ = (epochs.truncate_from_start(Offset(at)), epochs.truncate_from_end(Offset(at)));
}

fuzz_target!(|data: &[u8]| {
    let [kind, a, b, bytes @ ..] = data else { return };
    let at = i64::from(i16::from_be_bytes([*a, *b]));
    match kind % 7 {
        0 => log(bytes),
        1 => offset_index(bytes, at),
        2 => time_index(bytes, at),
        3 => transaction_index(bytes, at),
        4 => snapshot(bytes),
        5 => epochs(bytes, at),
        _ => {
            if let Ok(checksums) = Checksums::parse(bytes) {
                let _ = (checksums.verify(at as u64, bytes), checksums.block(at as u64));
            }
        }
    }
});
