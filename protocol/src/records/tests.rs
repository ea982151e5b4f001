//! Golden bytes made by Kafka's Java classes, round trips, and input from people who wish us ill.

use super::*;

const BYTES_MAX: usize = 1 << 20;

macro_rules! golden {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../tests/golden/records/", $name, ".bin")).as_slice())
    };
}

/// A record as plain data: offset, timestamp, sequence, key, value, headers.
type Plain = (i64, i64, i32, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn plain(batch: &BatchView<'_>) -> Vec<Plain> {
    let body = batch.body(BYTES_MAX).unwrap();
    let records = batch.records(&body).map(Result::unwrap);
    records
        .map(|record| {
            let headers = record.headers.map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
            let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
            (record.offset, record.timestamp_ms, record.sequence, key, value, headers.collect())
        })
        .collect()
}

/// The four records in every golden file, at given offsets, timestamps and sequence numbers.
fn four(offsets: [i64; 4], timestamp: impl Fn(i64) -> i64, sequences: [i32; 4]) -> Vec<Plain> {
    let big: Vec<u8> = (0..300).map(|index| (index * 7) as u8).collect();
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let headers = vec![(b"dup".to_vec(), text("1")), (b"dup".to_vec(), None), (Vec::new(), text(""))];
    vec![
        (offsets[0], timestamp(1_700_000_000_000), sequences[0], None, None, vec![]),
        (offsets[1], timestamp(1_700_000_000_500), sequences[1], text("k"), text(""), vec![]),
        (offsets[2], timestamp(1_699_999_999_000), sequences[2], text(""), text("value"), headers),
        (offsets[3], timestamp(1_700_000_000_001), sequences[3], text("big"), Some(big), vec![]),
    ]
}

#[test]
fn reads_what_java_wrote_under_each_codec() {
    let files = [
        golden!("idempotent-none"),
        golden!("idempotent-gzip"),
        golden!("idempotent-snappy"),
        golden!("idempotent-lz4"),
        golden!("idempotent-zstd"),
    ];
    for ((name, bytes), compression) in files.into_iter().zip(CompressionType::ALL) {
        let batch = BatchView::parse(bytes).unwrap();
        batch.verify_crc().unwrap();
        let expected = BatchHeader {
            base_offset: 7,
            batch_length: bytes.len() as i32 - 12,
            partition_leader_epoch: 5,
            crc: batch.header.crc,
            attributes: Attributes(compression as i16),
            last_offset_delta: 3,
            base_timestamp: 1_700_000_000_000,
            max_timestamp: 1_700_000_000_500,
            producer_id: 4242,
            producer_epoch: 3,
            base_sequence: i32::MAX - 1,
            records_count: 4,
            ..BatchHeader::default()
        };
        assert_eq!(batch.header, expected, "{name}");
        assert_eq!((batch.header.last_offset(), batch.header.last_sequence()), (10, 1));
        assert_eq!(plain(&batch), four([7, 8, 9, 10], |time| time, [i32::MAX - 1, i32::MAX, 0, 1]), "{name}");
    }
}

#[test]
fn reads_many_blocks_of_each_codec() {
    for (name, bytes) in [golden!("large-gzip"), golden!("large-snappy"), golden!("large-lz4"), golden!("large-zstd")] {
        let batch = BatchView::parse(bytes).unwrap();
        let expected: String = (0..20_000).map(|index| format!("flight {};", index % 97)).collect();
        assert_eq!(plain(&batch)[0].4.as_deref(), Some(expected.as_bytes()), "{name}");
    }
}

#[test]
fn reads_javas_special_batches() {
    let batch = |bytes| BatchView::parse(bytes).unwrap();
    let transactional = batch(golden!("transactional").1);
    assert!(transactional.header.is_transactional() && !transactional.header.is_control());

    let appended = batch(golden!("log-append-time").1);
    assert!(appended.header.is_log_append_time());
    assert_eq!(plain(&appended), four([3, 4, 5, 6], |_| appended.header.max_timestamp, [-1; 4]));

    let horizon = batch(golden!("delete-horizon").1);
    assert_eq!(horizon.header.delete_horizon_ms(), Some(1_700_000_005_000));
    assert_eq!(plain(&horizon), four([50, 53, 56, 59], |time| time, [-1; 4]));

    let empty = batch(golden!("empty").1);
    assert_eq!((empty.header.last_offset(), empty.header.last_sequence(), plain(&empty)), (109, 19, vec![]));
    for (_, bytes) in
        [golden!("transactional"), golden!("log-append-time"), golden!("delete-horizon"), golden!("empty")]
    {
        batch(bytes).verify_crc().unwrap();
    }
}

#[test]
fn markers_are_javas_bytes() {
    for ((_, bytes), offset, timestamp_ms, marker) in [
        (golden!("marker-commit"), 12, 1_700_000_001_234, EndTransactionMarker { commit: true, coordinator_epoch: 17 }),
        (golden!("marker-abort"), 13, 1_700_000_001_235, EndTransactionMarker { commit: false, coordinator_epoch: 18 }),
    ] {
        let mut ours = end_transaction_batch(99, 1, timestamp_ms, marker).unwrap().to_vec();
        let mut stamped = BatchMut::parse(&mut ours).unwrap();
        stamped.set_base_offset(offset);
        stamped.set_partition_leader_epoch(6);
        assert_eq!(ours, bytes);
        let batch = BatchView::parse(bytes).unwrap();
        let record = batch.records(batch.payload()).next().unwrap().unwrap();
        assert_eq!(EndTransactionMarker::parse(&record), Some(marker));
    }
}

/// The golden records again, through our own builder.
fn rebuild(header: BatchHeader, compression: Compression, records: &[Plain]) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(header, compression);
    for (offset, timestamp_ms, _, key, value, headers) in records {
        let headers: Vec<_> = headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let record =
            NewRecord { timestamp_ms: *timestamp_ms, key: key.as_deref(), value: value.as_deref(), headers: &headers };
        builder.append_at((offset - header.base_offset) as i32, record).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn the_builder_writes_javas_bytes() {
    for (name, bytes) in [
        golden!("idempotent-none"),
        golden!("transactional"),
        golden!("delete-horizon"),
        golden!("log-append-time"),
        golden!("empty"),
    ] {
        let batch = BatchView::parse(bytes).unwrap();
        let mut records = plain(&batch);
        if name == "log-append-time" {
            records = four([3, 4, 5, 6], |time| time, [-1; 4]);
        }
        assert_eq!(rebuild(batch.header, Compression::None, &records), bytes, "{name}");
    }
}

#[test]
fn every_codec_and_level_comes_back() {
    let levels =
        [Compression::Gzip(1), Compression::Gzip(9), Compression::Zstd(-5), Compression::Zstd(19), Compression::Lz4(1)];
    let defaults = CompressionType::ALL.map(Compression::with_default_level);
    let source = BatchView::parse(golden!("large-zstd").1).unwrap();
    for compression in defaults.into_iter().chain(levels) {
        let again = recompress(&source, compression, BYTES_MAX).unwrap();
        let again = BatchView::parse(&again).unwrap();
        again.verify_crc().unwrap();
        assert_eq!(again.header.attributes.compression_type().unwrap(), compression.compression_type());
        assert_eq!(plain(&again), plain(&source), "{compression:?}");
        assert_eq!(rebuild(again.header, compression, &plain(&source)), again.bytes(), "{compression:?}");
    }
}

#[test]
fn snappy_is_read_with_and_without_framing() {
    let body = b"raw blocks have no header; ".repeat(50);
    let raw = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    let framed = compress(Compression::Snappy, &body).unwrap();
    let twice = [framed.clone(), framed.clone()].concat();
    for (input, expected) in [(raw, body.clone()), (framed, body.clone()), (twice, body.repeat(2)), (vec![0], vec![])] {
        assert_eq!(decompress(CompressionType::Snappy, &input, 4000).unwrap(), expected);
    }
}

/// Java reads no other: independent blocks (flag bit 5) without a content size, of 64 KiB (block descriptor 4).
#[test]
fn lz4_frames_are_of_the_kind_java_reads() {
    let frame = compress(Compression::Lz4(9), &[7; 200_000]).unwrap();
    assert_eq!((&frame[..4], frame[4] & 0x28, frame[5]), (&b"\x04\x22\x4d\x18"[..], 0x20, 0x40));
}

#[test]
fn sequence_numbers_count_from_the_base_and_wrap() {
    for (base_sequence, expected) in [(-1, [-1, -1]), (0, [0, 1]), (i32::MAX, [i32::MAX, 0])] {
        let mut builder = BatchBuilder::new(BatchHeader { base_sequence, ..BatchHeader::default() }, Compression::None);
        builder.append(NewRecord::default()).unwrap();
        builder.append(NewRecord::default()).unwrap();
        let bytes = builder.build().unwrap();
        let batch = BatchView::parse(&bytes).unwrap();
        let got: Vec<_> = batch.records(batch.payload()).map(|record| record.unwrap().sequence).collect();
        assert_eq!((got, batch.header.last_sequence()), (expected.to_vec(), expected[1]));
    }
}

#[test]
fn bombs_stop_at_the_bound() {
    let zeros = vec![0; 1 << 22];
    for compression in CompressionType::ALL {
        let bomb = compress(Compression::with_default_level(compression), &zeros).unwrap();
        for bytes_max in [0, 1, 1000, zeros.len() - 1] {
            let result = decompress(compression, &bomb, bytes_max);
            assert_eq!(result, Err(BatchError::DecompressedTooLarge { bytes_max }), "{compression:?}");
        }
        let exact = decompress(compression, &bomb, zeros.len()).unwrap();
        assert_eq!(exact.len(), zeros.len());
        assert!(exact.capacity() <= zeros.len() + 64 * 1024, "{compression:?}: {}", exact.capacity());
    }
    // Ten bytes that claim 4 GiB.
    assert!(matches!(
        decompress(CompressionType::Snappy, b"\xff\xff\xff\xff\x0f\x00a", usize::MAX),
        Err(BatchError::Decompress { .. })
    ));
}

#[test]
fn stamping_leaves_the_checksum_right() {
    let mut bytes = golden!("idempotent-zstd").1.to_vec();
    let mut batch = BatchMut::parse(&mut bytes).unwrap();
    batch.set_base_offset(i64::MAX - 3);
    batch.set_partition_leader_epoch(8);
    batch.set_log_append_time(1_800_000_000_000);
    let batch = BatchView::parse(&bytes).unwrap();
    batch.verify_crc().unwrap();
    assert_eq!(
        plain(&batch),
        four([4, 3, 2, 1].map(|left| i64::MAX - left + 1), |_| 1_800_000_000_000, [i32::MAX - 1, i32::MAX, 0, 1])
    );
    assert_eq!((batch.header.partition_leader_epoch, batch.header.last_offset()), (8, i64::MAX));
    BatchMut::parse(&mut bytes).unwrap().set_max_timestamp(1_700_000_000_500);
    let again = BatchView::parse(&bytes).unwrap();
    again.verify_crc().unwrap();
    assert_eq!(again.header.crc, BatchView::parse(golden!("idempotent-zstd").1).unwrap().header.crc);
}

#[test]
fn broken_headers_are_told_apart() {
    let sound = golden!("idempotent-none").1;
    let with = |at: usize, byte: u8| {
        let mut bytes = sound.to_vec();
        bytes[at] = byte;
        bytes
    };
    let available_bytes = sound.len();
    for (bytes, expected) in [
        (vec![], BatchError::Truncated { needed_bytes: 61, available_bytes: 0 }),
        (sound[..60].to_vec(), BatchError::Truncated { needed_bytes: 61, available_bytes: 60 }),
        (sound[..414].to_vec(), BatchError::Truncated { needed_bytes: 415, available_bytes: 414 }),
        (with(8, 0x7f), BatchError::Truncated { needed_bytes: 0x7f00_0193 + 12, available_bytes }),
        (with(8, 0xff), BatchError::Length(0xff00_0193_u32 as i32)),
        (with(16, 1), BatchError::Magic(1)),
    ] {
        assert_eq!(BatchView::parse(&bytes).unwrap_err(), expected);
    }
    for at in (17..61).chain([100, 414]) {
        let bytes = with(at, sound[at] ^ 0x40);
        assert!(matches!(BatchView::parse(&bytes).unwrap().verify_crc(), Err(BatchError::Crc { .. })), "byte {at}");
    }
    for at in [0, 12] {
        BatchView::parse(&with(at, 0x55)).unwrap().verify_crc().unwrap();
    }
    assert_eq!(BatchView::parse(&with(22, 5)).unwrap().body(9).unwrap_err(), BatchError::UnknownCompression(5));
}

#[test]
fn batches_are_walked_and_a_torn_one_ends_the_walk() {
    let bytes = [golden!("empty").1, golden!("marker-abort").1, &golden!("transactional").1[..100]].concat();
    let walked: Vec<_> = Batches::new(&bytes).map(|batch| batch.map(|batch| batch.header.base_offset)).collect();
    assert_eq!(walked, [Ok(100), Ok(13), Err(BatchError::Truncated { needed_bytes: 415, available_bytes: 100 })]);
}

#[test]
fn malformed_records_are_named() {
    let record = |body: &[u8]| [&[(body.len() * 2) as u8], body].concat();
    // attributes, timestamp delta, offset delta, key, value, headers
    let sound = record(&[0, 0, 0, 1, 1, 0]);
    for (count, body, expected) in [
        (1, sound.clone(), Ok(1)),
        (0, vec![], Ok(0)),
        (2, sound.clone(), Err((1, "its length is cut"))),
        (i32::MAX, vec![], Err((0, "its length is cut"))),
        (-1, vec![], Ok(0)),
        (1, [&sound[..], &[0]].concat(), Err((1, "there are bytes after the last record"))),
        (1, vec![1], Err((0, "its length is negative"))),
        (1, vec![0], Err((0, "it is empty"))),
        (1, vec![100, 0, 0], Err((0, "it runs past the end of the batch"))),
        (1, record(&[0, 0x80]), Err((0, "its timestamp is cut"))),
        (1, record(&[0, 0]), Err((0, "its offset is cut"))),
        (1, record(&[0, 0, 0]), Err((0, "a length is cut"))),
        (1, record(&[0, 0, 0, 6, 1]), Err((0, "a key, value or header runs past its end"))),
        (1, record(&[0, 0, 0, 1, 1]), Err((0, "its number of headers is cut"))),
        (1, record(&[0, 0, 0, 1, 1, 2]), Err((0, "its number of headers is impossible"))),
        (1, record(&[0, 0, 0, 1, 1, 1]), Err((0, "its number of headers is impossible"))),
        (1, record(&[0, 0, 0, 1, 1, 2, 1, 1]), Err((0, "a header has no key"))),
        (1, record(&[0, 0, 0, 1, 1, 0, 0]), Err((0, "its fields end before its length"))),
    ] {
        let header = BatchHeader { records_count: count, ..BatchHeader::default() };
        let got = RecordIter::new(&header, &body).collect::<Result<Vec<_>, _>>().map(|records| records.len());
        let expected = expected.map_err(|(index, reason)| BatchError::Record { index, reason });
        assert_eq!(got, expected, "{count} {body:?}");
    }
}

#[test]
fn headers_keep_duplicates_and_keys_that_are_not_text() {
    let headers = [
        Header { key: b"\xff\xfe", value: Some(b"1") },
        Header { key: b"\xff\xfe", value: None },
        Header { key: b"", value: Some(b"") },
    ];
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::Lz4(9));
    builder.append(NewRecord { timestamp_ms: 1, headers: &headers, ..NewRecord::default() }).unwrap();
    let bytes = builder.build().unwrap();
    let batch = BatchView::parse(&bytes).unwrap();
    let body = batch.body(BYTES_MAX).unwrap();
    let record = batch.records(&body).next().unwrap().unwrap();
    assert_eq!(record.headers.len(), 3);
    assert_eq!(record.headers.collect::<Vec<_>>(), headers);
}

/// Every single-byte change of every golden batch, checksum ignored: an error or records, never a panic.
#[test]
fn no_damage_panics() {
    for (_, bytes) in [
        golden!("idempotent-none"),
        golden!("idempotent-gzip"),
        golden!("idempotent-snappy"),
        golden!("idempotent-lz4"),
        golden!("idempotent-zstd"),
        golden!("delete-horizon"),
    ] {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                let Ok(batch) = BatchView::parse(&damaged) else { continue };
                let _ = (batch.header.last_offset(), batch.header.last_sequence());
                let Ok(body) = batch.body(BYTES_MAX) else { continue };
                for record in batch.records(&body).flatten() {
                    let _ = (record.headers.count(), EndTransactionMarker::parse(&record));
                }
            }
        }
    }
}
