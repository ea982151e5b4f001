//! Our messages against bytes that Kafka's own Java serializers wrote (`golden/messages.txt`).
//!
//! Every API, direction and version, and every internal record: Kafka's bytes are read to the end and written back as
//! they were, and an untouched message of ours has Kafka's defaults.

mod codec;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use codec::{Codec, field_names};
use protocol::wire::Generator;

/// One row of the file.
struct Golden {
    versions: RangeInclusive<i16>,
    kind: &'static str,
    content: &'static str,
}

fn rows_by_message() -> BTreeMap<&'static str, Vec<Golden>> {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("golden/messages.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, versions, kind, content] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (first, last) = versions.split_once('-').expect("a range");
        let versions = first.parse().expect("a version")..=last.parse().expect("a version");
        rows.entry(name).or_default().push(Golden { versions, kind, content });
    }
    rows
}

fn bytes_of(hex: &str) -> Bytes {
    let digits = if hex == "-" { "" } else { hex };
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex")).collect()
}

fn check(codec: &Codec, rows: &[Golden]) {
    let name = codec.name;
    assert!(rows.iter().all(|row| *row.versions.end() <= codec.versions.max), "{name}: Kafka has more versions");
    for version in codec.versions.min..=codec.versions.max {
        let of_kind = |kind| rows.iter().find(|row| row.kind == kind && row.versions.contains(&version));
        let full = of_kind("full").unwrap_or_else(|| panic!("{name} {version}: no bytes"));
        check_bytes(codec, version, full);
        if let Some(null) = of_kind("null") {
            check_bytes(codec, version, null);
        }
        let default = of_kind("default").unwrap_or_else(|| panic!("{name} {version}: no default"));
        check_bytes(codec, version, default);
        assert_eq!((codec.default)(version), bytes_of(default.content), "{name} {version}: defaults");
        if let Some(element) = of_kind("element") {
            check_bytes(codec, version, element);
            let ours = (codec.generate)(&mut Generator::elements(), version);
            // Our Fetch response has empty records where Kafka's has null; see its table.
            let expected = if name == "FetchResponse" { ours.clone() } else { bytes_of(element.content) };
            assert_eq!(ours, expected, "{name} {version}: defaults of elements");
        }
        if let Some(fields) = of_kind("fields") {
            check_fields(codec, version, full, fields);
        }
    }
}

fn check_bytes(codec: &Codec, version: i16, row: &Golden) {
    let (name, kind, bytes) = (codec.name, row.kind, bytes_of(row.content));
    let (recoded, debug) =
        (codec.recode)(bytes.clone(), version).unwrap_or_else(|error| panic!("{name} {version} {kind}: {error}"));
    assert_eq!(recoded, bytes, "{name} {version} {kind}: {debug}");
}

fn check_fields(codec: &Codec, version: i16, full: &Golden, fields: &Golden) {
    let (_, debug) = (codec.recode)(bytes_of(full.content), version).expect("checked before");
    let ours: Vec<String> = field_names(&debug).iter().map(|name| name.replace('_', "")).collect();
    let kafkas: Vec<String> = fields.content.split(',').map(str::to_lowercase).collect();
    assert_eq!(ours, kafkas, "{} {version}", codec.name);
}

#[test]
fn kafkas_bytes_are_read_and_written_back() {
    let mut rows = rows_by_message();
    for codec in codec::all() {
        let rows = rows.remove(codec.name).unwrap_or_else(|| panic!("no bytes of {}", codec.name));
        check(&codec, &rows);
    }
    assert!(rows.is_empty(), "nobody checks {:?}", rows.keys());
}
