//! Each rule with a batch that breaks it, and what becomes of those that break none.

use protocol::records::{BatchBuilder, EndTransactionMarker, NewRecord, end_transaction_batch};

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn config_with(change: impl FnOnce(&mut LogConfig)) -> LogConfig {
    let mut config = LogConfig::default();
    change(&mut config);
    config
}

/// Three records around now; the middle one is the youngest.
fn build(compression: Compression, change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    build_at(compression, [NOW - 5, NOW + 7, NOW], change)
}

/// The header is changed after the batch was made, and the CRC made right again.
fn build_at(compression: Compression, times: [i64; 3], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchHeader::default(), compression);
    for timestamp_ms in times {
        builder.append(NewRecord { timestamp_ms, key: None, value: Some(b"value"), headers: &[] }).unwrap();
    }
    with_header(builder.build().unwrap().to_vec(), change)
}

fn with_header(mut bytes: Vec<u8>, change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader::parse(&bytes).unwrap();
    change(&mut header);
    bytes[..61].copy_from_slice(&header.to_bytes());
    header.crc = crc32c::crc32c(&bytes[21..]);
    bytes[..61].copy_from_slice(&header.to_bytes());
    bytes
}

const CLIENT: Source = Source { origin: Origin::Client, produce_version: 9, now_ms: NOW, position: 0 };
const COORDINATOR: Source = Source { origin: Origin::Coordinator, produce_version: i16::MAX, now_ms: NOW, position: 0 };

/// The error by its kind, with the records it names.
fn outcome(bytes: &[u8], config: &LogConfig, source: Source) -> (&'static str, Vec<i32>) {
    let indexes = |records: Vec<(i32, String)>| records.into_iter().map(|(index, _)| index).collect();
    match validate(&Bytes::copy_from_slice(bytes), config, source) {
        Ok(_) => ("ok", vec![]),
        Err(AppendError::CorruptMessage(_)) => ("corrupt", vec![]),
        Err(AppendError::MessageTooLarge { .. }) => ("too large", vec![]),
        Err(AppendError::RecordListTooLarge { .. }) => ("larger than a segment", vec![]),
        Err(AppendError::UnsupportedCompressionType(_)) => ("compression", vec![]),
        Err(AppendError::InvalidRecord { records, .. }) => ("invalid", indexes(records)),
        Err(AppendError::InvalidTimestamp { records, .. }) => ("timestamp", indexes(records)),
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn check(bytes: &[u8], config: &LogConfig, expected: &str) {
    assert_eq!(outcome(bytes, config, CLIENT).0, expected);
}

#[test]
fn exactly_one_batch_of_format_two() {
    let sound = build(Compression::None, |_| {});
    let with = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, expected) in [
        (sound.clone(), "ok"),
        (vec![], "invalid"),
        (sound[..11].to_vec(), "invalid"),
        (sound[..sound.len() - 1].to_vec(), "invalid"),
        (with(8, 0x7f), "invalid"),
        (with(8, 0xff), "corrupt"),
        (with(11, 13), "corrupt"),
        (with(11, 14), "corrupt"),
        (with(16, 1), "invalid"),
        (with(16, 0), "invalid"),
        (with(16, 3), "corrupt"),
        (with(16, 0xff), "corrupt"),
        ([&sound[..], &sound].concat(), "invalid"),
        ([&sound[..], &sound[..30]].concat(), "ok"),
        ([&sound[..], &[0; 20]].concat(), "corrupt"),
        (with(40, 0x55), "corrupt"),
        (with(70, 0x55), "corrupt"),
    ] {
        check(&bytes, &LogConfig::default(), expected);
    }
}

#[test]
fn surplus_bytes_are_cut_off() {
    let sound = build(Compression::None, |_| {});
    let surplus = Bytes::from([&sound[..], &sound[..30]].concat());
    assert_eq!(validate(&surplus, &LogConfig::default(), CLIENT).unwrap().bytes, sound);
}

#[test]
fn headers_of_clients_are_checked() {
    let producer = |header: &mut BatchHeader, sequence| (header.producer_id, header.base_sequence) = (5, sequence);
    type Change = Box<dyn Fn(&mut BatchHeader)>;
    let changes: [(Change, &str, &str); 12] = [
        (Box::new(|header| header.base_offset = 1), "invalid", "ok"),
        (Box::new(|header| header.base_offset = -1), "invalid", "ok"),
        (Box::new(|header| header.records_count = 2), "invalid", "invalid"),
        (Box::new(|header| header.records_count = 0), "invalid", "invalid"),
        (Box::new(|header| header.records_count = -3), "invalid", "invalid"),
        (Box::new(|header| header.records_count = i32::MAX), "invalid", "invalid"),
        (Box::new(|header| header.last_offset_delta = 3), "invalid", "ok"),
        (Box::new(|header| header.last_offset_delta = -1), "invalid", "ok"),
        (Box::new(|header| header.attributes.0 |= Attributes::CONTROL), "invalid", "ok"),
        (Box::new(move |header| producer(header, -1)), "invalid", "ok"),
        (Box::new(move |header| producer(header, 0)), "ok", "ok"),
        (Box::new(|header| header.attributes.0 |= 5), "compression", "compression"),
    ];
    for (number, (change, client, coordinator)) in changes.iter().enumerate() {
        let bytes = build(Compression::None, change);
        assert_eq!(outcome(&bytes, &LogConfig::default(), CLIENT).0, *client, "{number}");
        assert_eq!(outcome(&bytes, &LogConfig::default(), COORDINATOR).0, *coordinator, "{number}");
    }
}

#[test]
fn sizes_are_bounded() {
    let bytes = build(Compression::None, |_| {});
    let exact = bytes.len();
    check(&bytes, &config_with(|config| config.max_message_bytes = exact), "ok");
    check(&bytes, &config_with(|config| config.max_message_bytes = exact - 1), "too large");
    check(&bytes, &config_with(|config| config.segment_bytes = exact as u64), "ok");
    check(&bytes, &config_with(|config| config.segment_bytes = exact as u64 - 1), "larger than a segment");
    // Within the bound as it comes, beyond it as the topic wants it.
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::Zstd(3));
    builder.append(NewRecord { timestamp_ms: NOW, key: None, value: Some(&[7; 1000]), headers: &[] }).unwrap();
    let (small, bound) = (builder.build().unwrap(), 500);
    check(&small, &config_with(|config| config.max_message_bytes = bound), "ok");
    let uncompressed =
        |config: &mut LogConfig| (config.compression, config.max_message_bytes) = (Some(Compression::None), bound);
    check(&small, &config_with(uncompressed), "too large");
}

#[test]
fn zstd_needs_a_request_that_knows_it() {
    let bytes = build(Compression::Zstd(3), |_| {});
    for (produce_version, expected) in [(3, "compression"), (6, "compression"), (7, "ok"), (13, "ok")] {
        assert_eq!(outcome(&bytes, &LogConfig::default(), Source { produce_version, ..CLIENT }).0, expected);
    }
}

#[test]
fn compacted_topics_want_keys_under_every_codec() {
    let compacted = config_with(|config| config.cleanup_compact = true);
    for compression in CompressionType::ALL.map(Compression::with_default_level) {
        assert_eq!(outcome(&build(compression, |_| {}), &compacted, CLIENT), ("invalid", vec![0, 1, 2]));
    }
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for key in [Some(&b""[..]), None, Some(b"k")] {
        builder.append(NewRecord { timestamp_ms: NOW, key, value: None, headers: &[] }).unwrap();
    }
    assert_eq!(outcome(&builder.build().unwrap(), &compacted, CLIENT), ("invalid", vec![1]));
}

#[test]
fn timestamps_stay_within_bounds() {
    let bounded = config_with(|config| {
        (config.message_timestamp_before_max_ms, config.message_timestamp_after_max_ms) = (10, 20)
    });
    for (times, expected, folded) in [
        ([NOW - 10, NOW + 20, NOW], vec![], vec![]),
        ([NOW - 11, NOW, NOW + 21], vec![0, 2], vec![0]),
        ([NOW, NOW - 11, NOW], vec![1], vec![]),
        ([-1, -1, -1], vec![], vec![]),
        ([i64::MIN, NOW, NOW], vec![0], vec![0]),
        ([i64::MAX, NOW, NOW], vec![0], vec![0]),
    ] {
        for (compression, validate_records, expected) in [
            (Compression::None, false, &expected),
            (Compression::Lz4(9), true, &expected),
            (Compression::Lz4(9), false, &folded),
        ] {
            let bounded = LogConfig { validate_records, ..bounded.clone() };
            let kind = if expected.is_empty() { "ok" } else { "timestamp" };
            let got = outcome(&build_at(compression, times, |_| {}), &bounded, CLIENT);
            assert_eq!(got, (kind, expected.clone()), "{times:?} {compression:?}");
        }
    }
}

#[test]
fn a_wrong_timestamp_outweighs_a_missing_key() {
    let both = config_with(|config| (config.cleanup_compact, config.message_timestamp_before_max_ms) = (true, 10));
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for (timestamp_ms, key) in [(NOW, None), (0, Some(&b"k"[..]))] {
        builder.append(NewRecord { timestamp_ms, key, value: None, headers: &[] }).unwrap();
    }
    assert_eq!(outcome(&builder.build().unwrap(), &both, CLIENT), ("timestamp", vec![0, 1]));
}

#[test]
fn only_the_broker_says_log_append_time() {
    let flagged = build(Compression::None, |header| header.attributes.0 |= Attributes::LOG_APPEND_TIME);
    let appended = config_with(|config| config.log_append_time = true);
    check(&flagged, &appended, "timestamp");
    // Kafka takes it under CreateTime, and takes the flag away.
    let validated = validate(&flagged.clone().into(), &LogConfig::default(), CLIENT).unwrap();
    assert_eq!(validated.timestamps, TimestampStamp::Max(NOW + 7));
    let untimed = with_header(flagged, |header| header.max_timestamp = -1);
    check(&untimed, &LogConfig::default(), "timestamp");
}

#[test]
fn uncompressed_records_are_walked_and_compressed_ones_on_request() {
    let strict = config_with(|config| config.validate_records = true);
    for compression in CompressionType::ALL.map(Compression::with_default_level) {
        let mut builder = BatchBuilder::new(BatchHeader::default(), compression);
        for delta in [0, 2] {
            builder.append_at(delta, NewRecord { timestamp_ms: NOW, ..NewRecord::default() }).unwrap();
        }
        let gap = with_header(builder.build().unwrap().to_vec(), |header| header.last_offset_delta = 1);
        assert_eq!(outcome(&gap, &strict, CLIENT), ("invalid", vec![1]), "{compression:?}");
        let garbage = with_header([&gap[..61], &[0x99; 40]].concat(), |header| header.batch_length = 89);
        check(&garbage, &strict, "invalid");
        check(&garbage, &LogConfig::default(), if compression == Compression::None { "invalid" } else { "ok" });
    }
}

#[test]
fn bombs_are_too_large() {
    let zeros = vec![0; DECOMPRESSED_BYTES_MAX];
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::Zstd(1));
    builder.append(NewRecord { timestamp_ms: NOW, key: None, value: Some(&zeros), headers: &[] }).unwrap();
    let bomb = builder.build().unwrap();
    check(&bomb, &config_with(|config| config.validate_records = true), "too large");
    check(&bomb, &LogConfig::default(), "ok");
}

/// The batch as it will be in the log.
fn stamped(bytes: &[u8], config: &LogConfig) -> (Validated, Vec<u8>) {
    let validated = validate(&Bytes::copy_from_slice(bytes), config, CLIENT).unwrap();
    let mut copy = validated.bytes.to_vec();
    validated.stamp(&mut copy, Offset(40), LeaderEpoch(6)).unwrap();
    let batch = BatchView::parse(&copy).unwrap();
    batch.verify_crc().unwrap();
    assert_eq!((batch.header.base_offset, batch.header.partition_leader_epoch), (40, 6));
    assert_eq!(batch.header.max_timestamp, validated.max_timestamp_ms);
    (validated, copy)
}

#[test]
fn what_is_right_stays_as_it_is() {
    for compression in CompressionType::ALL.map(Compression::with_default_level) {
        let bytes = build(compression, |_| {});
        let (validated, copy) = stamped(&bytes, &LogConfig::default());
        assert_eq!(validated.timestamps, TimestampStamp::Keep);
        assert_eq!((&copy[16..], &copy[8..12]), (&bytes[16..], &bytes[8..12]));
        let walked = compression == Compression::None;
        assert_eq!((validated.max_timestamp_ms, validated.max_timestamp_offset_delta), (NOW + 7, walked.then_some(1)));
    }
}

#[test]
fn a_wrong_maximum_is_corrected() {
    let bytes = build(Compression::None, |header| header.max_timestamp = 3);
    let (validated, _) = stamped(&bytes, &LogConfig::default());
    assert_eq!((validated.timestamps, validated.max_timestamp_offset_delta), (TimestampStamp::Max(NOW + 7), Some(1)));
    let untimed = build_at(Compression::None, [-1; 3], |_| {});
    let (validated, _) = stamped(&untimed, &LogConfig::default());
    assert_eq!((validated.timestamps, validated.max_timestamp_ms), (TimestampStamp::Keep, -1));
}

#[test]
fn log_append_time_is_stamped() {
    let appended = config_with(|config| config.log_append_time = true);
    for compression in CompressionType::ALL.map(Compression::with_default_level) {
        let (validated, copy) = stamped(&build_at(compression, [1, i64::MAX, 2], |_| {}), &appended);
        assert_eq!((validated.max_timestamp_ms, validated.max_timestamp_offset_delta), (NOW, Some(0)));
        let batch = BatchView::parse(&copy).unwrap();
        let body = batch.body(1000).unwrap();
        assert!(batch.records(&body).all(|record| record.unwrap().timestamp_ms == NOW));
    }
}

#[test]
fn the_topics_codec_wins() {
    for target in CompressionType::ALL.map(Compression::with_default_level) {
        let config = config_with(|config| config.compression = Some(target));
        for source in CompressionType::ALL.map(Compression::with_default_level) {
            let bytes = build(source, |header| (header.producer_id, header.base_sequence) = (5, 9));
            let (validated, copy) = stamped(&bytes, &config);
            let (batch, original) = (BatchView::parse(&copy).unwrap(), BatchView::parse(&bytes).unwrap());
            assert_eq!(batch.header.attributes.compression_type().unwrap(), target.compression_type());
            assert_eq!(batch.body(1000).unwrap(), original.body(1000).unwrap());
            assert_eq!((validated.header.producer_id, validated.header.last_sequence()), (5, 11));
            assert_eq!(source == target, validated.bytes == bytes);
        }
    }
}

#[test]
fn control_batches_are_the_coordinators_and_stay_uncompressed() {
    let marker = EndTransactionMarker { commit: true, coordinator_epoch: 1 };
    let bytes = end_transaction_batch(5, 1, NOW, marker).unwrap();
    let zstd = config_with(|config| (config.compression, config.cleanup_compact) = (Some(Compression::Zstd(3)), true));
    assert_eq!(outcome(&bytes, &zstd, CLIENT).0, "invalid");
    assert_eq!(validate(&bytes, &zstd, COORDINATOR).unwrap().bytes, bytes);
}

#[test]
fn no_damage_panics() {
    let strict = config_with(|config| config.validate_records = true);
    for compression in CompressionType::ALL.map(Compression::with_default_level) {
        let sound = build(compression, |_| {});
        for at in 0..sound.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = sound.clone();
                bytes[at] = byte;
                let crc = crc32c::crc32c(&bytes[21..]);
                bytes[17..21].copy_from_slice(&crc.to_be_bytes());
                let _ = outcome(&bytes, &strict, CLIENT);
            }
        }
    }
}
