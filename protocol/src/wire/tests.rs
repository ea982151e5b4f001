use bytes::Bytes;

use super::{Context, DecodeError, LengthPrefix, Message, Nullable, Reader, Versions, Writer};

message! {
    /// Has every kind of row.
    Sample(Versions::new(0, 3, 2)) {
        number:   i32,                  0+, = 7;
        gone:     i8,                   0-1;
        name:     Option<String>,       0+, null 1, = Some(String::new());
        entries:  Vec<Entry>,           1+;
        entry:    Option<Entry>,        3+, null 3;
        late:     Option<Vec<Bytes>>,   2+, null 2, tag 5;
        early:    i64,                  2+, tag 1, = -1;
    }

    /// Has little.
    Entry {
        id: i16, 0+;
    }
}

fn sample() -> Sample {
    Sample {
        number: 1,
        gone: 2,
        name: Some("ab".to_owned()),
        entries: vec![Entry { id: 3 }],
        entry: Some(Entry { id: 4 }),
        late: Some(vec![Bytes::from_static(b"z")]),
        early: 5,
    }
}

#[track_caller]
fn check(value: &Sample, version: i16, bytes: &'static [u8], read_back: &Sample) {
    let mut writer = Writer::new();
    value.encode(&mut writer, version);
    assert_eq!(writer.into_bytes(), bytes, "version {version}");
    let mut reader = Reader::new(Bytes::from_static(bytes));
    assert_eq!(Sample::decode(&mut reader, version).as_ref(), Ok(read_back), "version {version}");
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn a_version_writes_its_own_fields_and_reads_the_rest_as_defaults() {
    let all = sample();
    let v0 = Sample { number: 1, gone: 2, name: Some("ab".to_owned()), ..Sample::default() };
    check(&all, 0, b"\0\0\0\x01\x02\0\x02ab", &v0);
    let v1 = Sample { entries: vec![Entry { id: 3 }], ..v0.clone() };
    check(&all, 1, b"\0\0\0\x01\x02\0\x02ab\0\0\0\x01\0\x03", &v1);
    let v2 = Sample { gone: 0, entry: None, ..all.clone() };
    check(&all, 2, b"\0\0\0\x01\x03ab\x02\0\x03\0\x02\x01\x08\0\0\0\0\0\0\0\x05\x05\x03\x02\x02z", &v2);
    let v3 = Sample { gone: 0, ..all.clone() };
    let bytes = b"\0\0\0\x01\x03ab\x02\0\x03\0\x01\0\x04\0\x02\x01\x08\0\0\0\0\0\0\0\x05\x05\x03\x02\x02z";
    check(&all, 3, bytes, &v3);
}

#[test]
fn defaults_are_kafkas_and_tagged_ones_are_not_written() {
    let default = Sample::default();
    assert_eq!((default.number, default.early, default.name.as_deref()), (7, -1, Some("")));
    check(&default, 3, b"\0\0\0\x07\x01\x01\xff\0", &default);
    let null = Sample { name: None, ..Sample::default() };
    check(&null, 1, b"\0\0\0\x07\0\xff\xff\0\0\0\0", &null);
    check(&null, 0, b"\0\0\0\x07\0\0\0", &default);
}

#[track_caller]
fn refused(version: i16, bytes: &'static [u8], error: DecodeError) {
    assert_eq!(Sample::decode(&mut Reader::new(Bytes::from_static(bytes)), version), Err(error));
}

#[test]
fn bytes_that_lie_are_refused() {
    refused(4, b"", DecodeError::UnsupportedVersion(4));
    refused(0, b"\0\0", DecodeError::Truncated { needed: 4, remaining: 2 });
    refused(0, b"\0\0\0\x01\x02\xff\xff", DecodeError::BadLength(-1));
    refused(1, b"\0\0\0\x01\x02\xff\xfe", DecodeError::BadLength(-2));
    refused(0, b"\0\0\0\x01\x02\0\x03ab", DecodeError::Truncated { needed: 3, remaining: 2 });
    refused(0, b"\0\0\0\x01\x02\0\x01\xff", DecodeError::NotUtf8);
    refused(1, b"\0\0\0\x01\x02\xff\xff\0\0\0\x02\0", DecodeError::ArrayTooLong(2));
    refused(2, b"\0\0\0\x01\x01\x01\xff\xff\xff\xff\x1f", DecodeError::VarintOverflow);
    refused(2, b"\0\0\0\x01\x01\x01\x91\x4e", DecodeError::TooManyTags(10_001));
    refused(2, b"\0\0\0\x01\x01\x01\x01\x01\x09\0\0\0\0\0\0\0\x05\0", DecodeError::TagSize { tag: 1, left: 1 });
    refused(2, b"\0\0\0\x01\x01\x01\x01\x01\x04\0\0\0\0\0\0", DecodeError::Truncated { needed: 8, remaining: 4 });
}

#[test]
fn unknown_tags_are_skipped() {
    let bytes = b"\0\0\0\x07\x01\x01\x02\x03\x02??\x01\x08\0\0\0\0\0\0\0\x05";
    let read = Sample::decode(&mut Reader::new(Bytes::from_static(bytes)), 2);
    assert_eq!(read, Ok(Sample { early: 5, ..Sample::default() }));
}

#[test]
fn elements_are_counted_over_the_whole_message() {
    let mut reader = Reader::new(Bytes::from(vec![0; 1 << 20]));
    let context = Context { version: 0, flexible: false, nullable: false, tagged: false };
    for _ in 0..1000 {
        assert_eq!(Vec::<i8>::read_nullable(&mut reader, context), Ok(Some(vec![])));
    }
    let mut bytes = 600_000i32.to_be_bytes().to_vec();
    bytes.resize(4 + 600_000, 0);
    let mut reader = Reader::new([bytes.clone(), bytes].concat().into());
    assert_eq!(
        Vec::<i8>::read_nullable(&mut reader, context).map(|bytes| bytes.map_or(0, |bytes| bytes.len())),
        Ok(600_000)
    );
    assert_eq!(Vec::<i8>::read_nullable(&mut reader, context), Err(DecodeError::ArrayTooLong(600_000)));
}

#[test]
fn varints_use_as_few_bytes_as_they_can() {
    for (value, length) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u32::MAX, 5)] {
        let mut writer = Writer::new();
        writer.put_unsigned_varint(value);
        assert_eq!(writer.len(), length);
        assert_eq!(Reader::new(writer.into_bytes()).read_unsigned_varint(), Ok(value));
    }
}

#[test]
fn long_bytes_are_written_and_read_by_reference() {
    let long = Bytes::from(vec![9; 4096]);
    let mut writer = Writer::for_frame();
    writer.put_i8(1);
    writer.put_bytes(&long);
    writer.put_bytes(&Bytes::from_static(b"short"));
    let mut nested = Writer::new();
    nested.put_i8(2);
    nested.put_bytes(&long);
    writer.append(nested);
    assert_eq!(writer.len(), 4 + 1 + 4096 + 5 + 1 + 4096);
    let parts = writer.into_parts();
    assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [5, 4096, 6, 4096]);
    assert_eq!(parts[0][..4], 8199u32.to_be_bytes());
    assert_eq!((parts[1].as_ptr(), parts[3].as_ptr()), (long.as_ptr(), long.as_ptr()));

    let mut reader = Reader::new(long.clone());
    assert_eq!(reader.read_bytes(100).unwrap().as_ptr(), long.as_ptr());
    assert_eq!(reader.read_length(LengthPrefix::Int16), Ok(Some(0x0909)));
}
