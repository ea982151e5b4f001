//! The records of a Produce request, with the checksum made right so that the rest is reached: Kafka's rules, every
//! codec, the records, another codec. What is accepted and stamped must be sound and be accepted as it is.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::records::{BatchView, Batches, Compression, EndTransactionMarker, recompress};
use storage::producer_state::ProducerBatch;
use storage::validate::{Source, validate};
use storage::{LeaderEpoch, LogConfig, Offset, Origin};

const BYTES_MAX: usize = 1 << 20;

fn config(choice: u8) -> LogConfig {
    let codecs = [None, Some(Compression::None), Some(Compression::Snappy), Some(Compression::Lz4(9))];
    LogConfig {
        cleanup_compact: choice & 1 != 0,
        max_message_bytes: BYTES_MAX,
        message_timestamp_after_max_ms: i64::MAX,
        log_append_time: choice & 2 != 0,
        compression: codecs[usize::from(choice >> 2 & 3)],
        validate_records: choice & 16 != 0,
        ..LogConfig::default()
    }
}

fn mend(data: &[u8]) -> Bytes {
    let mut bytes = data.to_vec();
    let end = BatchView::parse(&bytes).map(|batch| batch.bytes().len());
    if let Ok(end) = end {
        let crc = crc32c::crc32c(&bytes[21..end]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}

fn read(bytes: &[u8]) {
    for batch in Batches::new(bytes).flatten() {
        let _ = ProducerBatch::new(&batch, Offset(batch.header.base_offset), batch.header.max_timestamp);
        let Ok(body) = batch.body(BYTES_MAX) else { continue };
        assert!(body.len() <= BYTES_MAX.max(bytes.len()));
        for record in batch.records(&body).flatten() {
            let _ = (EndTransactionMarker::parse(&record), record.headers.count());
        }
        let again = recompress(&batch, Compression::Snappy, BYTES_MAX).expect("what was unfolded can be folded");
        let again = BatchView::parse(&again).expect("what we write we can read");
        again.verify_crc().expect("its checksum is right");
        assert!(again.header.records_count == 0 || again.body(BYTES_MAX).expect("it unfolds") == body);
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, data @ ..] = data else { return };
    let bytes = mend(data);
    read(&bytes);
    let origin = if choice & 32 != 0 { Origin::Coordinator } else { Origin::Client };
    let (config, source) = (config(*choice), Source { origin, produce_version: 9, now_ms: 1_700_000_000_000, position: 0 });
    let Ok(validated) = validate(&bytes, &config, source) else { return };
    let mut copy = validated.bytes.to_vec();
    validated.stamp(&mut copy, Offset(0), LeaderEpoch(3)).expect("what was accepted can be stamped");
    BatchView::parse(&copy).and_then(|batch| batch.verify_crc()).expect("what was stamped is sound");
    if !config.log_append_time {
        validate(&copy.into(), &config, source).expect("what was accepted is acceptable");
    }
});
