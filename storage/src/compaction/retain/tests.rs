//! Batches in words before and after a pass.

use std::fmt::Write;

use protocol::records::{Batches, CompressionType, EndTransactionMarker, end_transaction_batch};

use super::*;
use crate::ids::Offset;

const NOW: i64 = 1_000_000;
const RETENTION: i64 = 500;

/// A batch in words: `<base offset>[flags] key=value key key=value ...`, a key without a value is a tombstone, `=v` a
/// record without a key. Flags: `@n` written by producer n (its sequence is the offset), `t` transactional, `h<ms>` a
/// delete horizon. `<base>@n commit` and `abort` are markers, `+<delta>` the last offset delta where records are missing.
fn batch(text: &str, compression: CompressionType) -> Bytes {
    let mut words = text.split(' ');
    let place = words.next().unwrap();
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<i64>();
    let flag = |flag: &str| place.split_once(flag).map(|(_, rest)| digits(rest).unwrap_or(0));
    let base_offset = digits(place).unwrap();
    let words: Vec<&str> = words.collect();
    let mut header = BatchHeader { base_offset, ..BatchHeader::default() };
    if let Some(producer_id) = flag("@") {
        header = BatchHeader { producer_id, producer_epoch: 0, base_sequence: base_offset as i32, ..header };
    }
    if let [marker @ ("commit" | "abort")] = words[..] {
        let marker = EndTransactionMarker { commit: marker == "commit", coordinator_epoch: 7 };
        let mut bytes = end_transaction_batch(header.producer_id, 0, 10, marker).unwrap().to_vec();
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        return bytes.into();
    }
    header.attributes = header.attributes.with(Attributes::TRANSACTIONAL, flag("t").is_some());
    if let Some(horizon_ms) = flag("h") {
        header.attributes = header.attributes.with(Attributes::DELETE_HORIZON, true);
        header.base_timestamp = horizon_ms;
    }
    header.last_offset_delta = flag("+").unwrap_or(0) as i32;
    let mut builder = BatchBuilder::new(header, Compression::with_default_level(compression));
    for (word, timestamp_ms) in words.iter().zip(10..) {
        let (key, value) = word.split_once('=').map_or((*word, None), |(key, value)| (key, Some(value.as_bytes())));
        let headers = [Header { key: b"k", value: None }, Header { key: b"k", value: Some(word.as_bytes()) }];
        let key = Some(key.as_bytes()).filter(|key| !key.is_empty());
        builder.append(NewRecord { timestamp_ms, key, value, headers: &headers }).unwrap();
    }
    builder.build().unwrap()
}

/// The other way: `<base>..<last>[h<horizon>] <offset>:key=value ...`, checking what must never change.
fn words(bytes: &Bytes, compression: CompressionType) -> String {
    let batch = BatchView::parse(bytes).unwrap();
    batch.verify_crc().unwrap();
    let header = &batch.header;
    let mut text = format!("{}..{}", header.base_offset, header.last_offset());
    if let Some(horizon_ms) = header.delete_horizon_ms() {
        write!(text, "h{horizon_ms}").unwrap();
    }
    if header.has_producer_id() && !header.is_control() {
        assert_eq!(i64::from(header.base_sequence), header.base_offset);
        assert_eq!(i64::from(header.last_sequence()), header.last_offset(), "the producer's last sequence is kept");
    }
    let body = batch.body(1 << 20).unwrap();
    let mut largest = None;
    for record in batch.records(&body) {
        let record = record.unwrap();
        if header.is_control() {
            text.push_str(" marker");
            continue;
        }
        assert_eq!(header.attributes.compression_type().unwrap(), compression);
        let key = record.key.map_or(String::new(), |key| String::from_utf8_lossy(key).into_owned());
        let value = record.value.map_or(String::new(), |value| format!("={}", String::from_utf8_lossy(value)));
        write!(text, " {}:{key}{value}", record.offset).unwrap();
        let headers: Vec<_> = record.headers.collect();
        assert_eq!(headers[1].value.unwrap(), format!("{key}{value}").as_bytes(), "headers and timestamps are kept");
        assert_eq!(headers[0], Header { key: b"k", value: None });
        assert_eq!(record.timestamp_ms, 10 + record.offset - header.base_offset);
        largest = largest.max(Some(record.timestamp_ms));
    }
    assert!(largest.is_none_or(|largest| header.max_timestamp == largest), "{text}");
    text
}

struct Case<'a> {
    batches: &'a [&'a str],
    /// Of the part whose keys are collected.
    dirty_from: i64,
    keys_max: usize,
    aborted: &'a [AbortedTxn],
    producers: &'a [(i64, LastRecord)],
    high_watermark: i64,
}

const CASE: Case<'_> =
    Case { batches: &[], dirty_from: 0, keys_max: 1000, aborted: &[], producers: &[], high_watermark: 1_000_000 };

/// Runs a pass over the batches, under every codec. Returns how far it is clean.
fn check(case: &Case<'_>, expected: &[&str]) -> i64 {
    let mut end = 0;
    for compression in CompressionType::ALL {
        let batches: Vec<Bytes> = case.batches.iter().map(|text| batch(text, compression)).collect();
        let transactions = || CleanedTransactions::new(case.aborted.iter().copied());
        let keys = KeyMap::new([3, 4], 0, case.keys_max * 24, 1.0);
        let mut collected = Collected::new(keys, case.dirty_from, transactions());
        for bytes in &batches {
            collected.add(&Batches::new(bytes).next().unwrap().unwrap()).unwrap();
        }
        let rules = Rules {
            now_ms: NOW,
            delete_retention_ms: RETENTION,
            high_watermark: case.high_watermark,
            producers: case.producers.iter().copied().collect(),
        };
        end = collected.end;
        let mut pass = Pass::new(collected.keys, end, rules, transactions());
        let kept: Vec<Kept> = batches.iter().filter_map(|bytes| pass.filter(bytes).unwrap()).collect();
        let found: Vec<String> = kept.iter().map(|kept| words(&kept.bytes, compression)).collect();
        assert_eq!(found, expected, "{compression:?}");
        for kept in &kept {
            let header = BatchHeader::parse(&kept.bytes).unwrap();
            assert_eq!((kept.base_offset, kept.last_offset), (header.base_offset, header.last_offset()));
            assert_eq!(kept.max_timestamp_ms, header.max_timestamp);
        }
    }
    end
}

fn aborted(producer_id: i64, first: i64, last: i64) -> AbortedTxn {
    let [first_offset, last_offset, last_stable_offset] = [first, last, last + 1].map(Offset);
    AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset }
}

#[test]
fn the_newest_record_of_a_key_stays_at_its_offset() {
    let case = Case { batches: &["0 a=1 b=1 c=1", "3 a=2", "4 b=2 d=1"], ..CASE };
    assert_eq!(check(&case, &["0..2 2:c=1", "3..3 3:a=2", "4..5 4:b=2 5:d=1"]), 6);
    let case = Case { batches: &["0 a=1 a=2", "2 a=3 a=4 b=1", "5 a=5"], ..CASE };
    check(&case, &["2..4 4:b=1", "5..5 5:a=5"]);
    // The clean part has each key once, and loses those that the dirty one has.
    let case = Case { batches: &["0+9 a=1 b=1", "10 b=2 c=1", "12 c=2"], dirty_from: 10, ..CASE };
    check(&case, &["0..9 0:a=1", "10..11 10:b=2", "12..12 12:c=2"]);
    // Records without a key came before the topic was compacted.
    check(&Case { batches: &["0 =1 a=1", "2 =2"], ..CASE }, &["0..1 1:a=1"]);
}

#[test]
fn a_tombstone_stays_until_its_horizon_and_is_then_forgotten() {
    let horizon = NOW + RETENTION;
    let set = format!("1..1h{horizon} 1:a");
    check(&Case { batches: &["0 a=1", "1 a", "2 b=1"], ..CASE }, &[&set, "2..2 2:b=1"]);
    // Its time has begun in an earlier pass: it is not set again, and ends.
    check(&Case { batches: &["1h1000001 a", "2 b=1"], dirty_from: 2, ..CASE }, &["1..1h1000001 1:a", "2..2 2:b=1"]);
    check(
        &Case { batches: &["1h1000000 a x=1", "3 b=1"], dirty_from: 3, ..CASE },
        &["1..2h1000000 2:x=1", "3..3 3:b=1"],
    );
    // A newer record of the key makes it superfluous at once; a value in its batch keeps its timestamp.
    check(&Case { batches: &["0 a b=1", "2 a=2"], ..CASE }, &["0..1 1:b=1", "2..2 2:a=2"]);
    let both = format!("0..1h{horizon} 0:a 1:b=1");
    check(&Case { batches: &["0 a b=1"], ..CASE }, &[&both]);
}

#[test]
fn what_does_not_fit_into_memory_waits_for_the_next_pass() {
    // 64 slots are the least; all but one may be used.
    let many: Vec<String> = (0..100).map(|key| format!("{key} k{key}=1")).collect();
    let mut batches: Vec<&str> = many.iter().map(String::as_str).collect();
    batches.extend(["100 k1", "101 k99=2 k0=2"]);
    let expected: Vec<String> = (0..100).map(|key| format!("{key}..{key} {key}:k{key}=1")).collect();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    // Beyond the end nothing changes: no horizon begins, because the older record of the key is still there.
    expected.extend(["100..100 100:k1", "101..102 101:k99=2 102:k0=2"]);
    let end = check(&Case { batches: &batches, keys_max: 0, ..CASE }, &expected);
    assert!((55..70).contains(&end), "{end} keys fit into 64 slots");
    let rest: Vec<&str> = expected[1..99].to_vec();
    let mut rest: Vec<&str> = rest.into_iter().filter(|batch| !batch.ends_with(":k1=1")).collect();
    let tombstone = format!("100..100h{} 100:k1", NOW + RETENTION);
    rest.extend([tombstone.as_str(), "101..102 101:k99=2 102:k0=2"]);
    assert_eq!(check(&Case { batches: &batches, dirty_from: end, ..CASE }, &rest), 103);
}

#[test]
fn the_end_of_a_pass_may_be_within_a_batch() {
    let keys: Vec<String> = (0..70).map(|key| format!("k{key}=1")).collect();
    let whole = format!("0 {}", keys.join(" "));
    let case = Case { batches: &[&whole, "70 k0=2 k69=2"], keys_max: 0, ..CASE };
    let kept: Vec<String> = (0..70).map(|key| format!("{key}:k{key}=1")).collect();
    let end = check(&case, &[&format!("0..69 {}", kept.join(" ")), "70..71 70:k0=2 71:k69=2"]);
    assert!((55..70).contains(&end));
    let rest = format!("0..69 {}", kept[1..69].join(" "));
    let case = Case { dirty_from: end, ..case };
    assert_eq!(check(&case, &[&rest, "70..71 70:k0=2 71:k69=2"]), 72);
}

#[test]
fn an_active_producers_last_batch_stays_without_its_records() {
    let last = |offset| LastRecord { data_offset: Some(offset), epoch: 0 };
    let batches = &["0@1 a=1 b=1", "2@1 a=2", "3@2 b=2", "4 a=3 b=3"];
    check(&Case { batches, producers: &[(1, last(2))], ..CASE }, &["2..2", "4..5 4:a=3 5:b=3"]);
    check(&Case { batches, producers: &[(1, last(1)), (2, last(3))], ..CASE }, &["0..1", "3..3", "4..5 4:a=3 5:b=3"]);
    // Such a batch is still such a batch the next time, and goes with its producer.
    let again = &["0@1+1", "4 a=3 b=3"];
    check(&Case { batches: again, producers: &[(1, last(1))], ..CASE }, &["0..1", "4..5 4:a=3 5:b=3"]);
    check(&Case { batches: again, ..CASE }, &["4..5 4:a=3 5:b=3"]);
    check(&Case { batches: &["0h1 a", "1h1 a"], high_watermark: 2, ..CASE }, &["1..1"]);
}

#[test]
fn aborted_data_goes_and_markers_follow_when_their_data_is_gone() {
    let horizon = NOW + RETENTION;
    let known = &[aborted(1, 0, 2)];
    let batches = &["0@1t a=1", "1 a=2", "2@1 abort", "3@2t b=1", "4@2 commit"];
    check(&Case { batches, aborted: known, ..CASE }, &["1..1 1:a=2", "2..2 marker", "3..3 3:b=1", "4..4 marker"]);
    // An aborted record is no key's newest.
    let batches = &["0 a=1", "1@1t a=2", "2@1 abort"];
    check(&Case { batches, aborted: &[aborted(1, 1, 2)], ..CASE }, &["0..0 0:a=1", "2..2 marker"]);
    // Nothing of it is left: the marker's time begins, and ends. An emptied one goes as well.
    check(
        &Case { batches: &["2@1 abort", "4@2 commit"], ..CASE },
        &[&format!("2..2h{horizon} marker"), &format!("4..4h{horizon} marker")],
    );
    let marked = |horizon_ms: i64| {
        let mut pass =
            Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 0, rules(horizon_ms - RETENTION), CleanedTransactions::default());
        pass.filter(&batch("4@2 commit", CompressionType::None)).unwrap().unwrap().bytes
    };
    let mut pass = Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 0, rules(NOW), CleanedTransactions::default());
    assert_eq!(pass.filter(&marked(NOW)).unwrap(), None);
    assert_eq!(pass.filter(&marked(NOW + 1)).unwrap().unwrap().bytes, marked(NOW + 1));
    // A producer that has only a marker keeps it, for its epoch, without its record.
    let epoch = LastRecord { data_offset: None, epoch: 0 };
    let mut rules = rules(NOW);
    rules.producers.insert(2, epoch);
    let mut pass = Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 0, rules, CleanedTransactions::default());
    let kept = pass.filter(&marked(NOW)).unwrap().unwrap();
    assert_eq!(words(&kept.bytes, CompressionType::None), "4..4");
    assert_eq!(pass.filter(&kept.bytes).unwrap().unwrap().bytes, kept.bytes);
}

fn rules(now_ms: i64) -> Rules {
    Rules { now_ms, delete_retention_ms: RETENTION, high_watermark: 1_000_000, producers: BTreeMap::new() }
}

#[test]
fn the_index_keeps_an_abort_as_long_as_its_data_was_met() {
    let known = aborted(1, 0, 1);
    let mut pass = Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 2, rules(NOW), CleanedTransactions::new([known]));
    assert_eq!(pass.filter(&batch("0@1t a=1", CompressionType::None)).unwrap(), None);
    let marker = pass.filter(&batch("1@1 abort", CompressionType::None)).unwrap().unwrap();
    assert_eq!(marker.aborted, Some(known));
    let mut pass = Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 2, rules(NOW), CleanedTransactions::new([known]));
    assert_eq!(pass.filter(&marker.bytes).unwrap().unwrap().aborted, None);
}

#[test]
fn records_of_the_brokers_time_keep_it() {
    let mut header = BatchHeader { max_timestamp: 777, ..BatchHeader::default() };
    header.attributes = header.attributes.with(Attributes::LOG_APPEND_TIME, true);
    let mut builder = BatchBuilder::new(header, Compression::None);
    for key in ["a", "b", "a"] {
        let value = Some(&b"v"[..]).filter(|_| key == "a");
        builder.append(NewRecord { timestamp_ms: 1, key: Some(key.as_bytes()), value, headers: &[] }).unwrap();
    }
    let bytes = builder.build().unwrap();
    let mut collected = Collected::new(KeyMap::new([1, 2], 0, 0, 1.0), 0, CleanedTransactions::default());
    collected.add(&BatchView::parse(&bytes).unwrap()).unwrap();
    let mut pass = Pass::new(collected.keys, 3, rules(NOW), CleanedTransactions::default());
    let kept = pass.filter(&bytes).unwrap().unwrap();
    let batch = BatchView::parse(&kept.bytes).unwrap();
    let body = batch.body(1000).unwrap();
    let times: Vec<_> =
        batch.records(&body).map(|record| record.map(|record| (record.offset, record.timestamp_ms)).unwrap()).collect();
    assert_eq!((times, kept.max_timestamp_ms, pass.records), (vec![(1, 777), (2, 777)], 777, (3, 2)));
    assert_eq!(batch.header.delete_horizon_ms(), Some(NOW + RETENTION));
}

#[test]
fn damaged_records_are_an_error_and_nothing_is_dropped_for_them() {
    let mut bytes = batch("0 a=1 b=2", CompressionType::None).to_vec();
    let last = bytes.len() - 1;
    bytes.truncate(last);
    bytes[8..12].copy_from_slice(&(last as i32 - 12).to_be_bytes());
    let bytes = Bytes::from(bytes);
    let mut pass = Pass::new(KeyMap::new([1, 2], 0, 0, 1.0), 9, rules(NOW), CleanedTransactions::default());
    assert!(pass.filter(&bytes).is_err());
    let mut collected = Collected::new(KeyMap::new([1, 2], 0, 0, 1.0), 0, CleanedTransactions::default());
    assert!(collected.add(&BatchView::parse(&bytes).unwrap()).is_err());
}
