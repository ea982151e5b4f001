use super::*;

/// Field `number` with bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}

fn varint(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn fixed64(number: u8, bits: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &bits.to_le_bytes()].concat()
}

fn attribute(number: u8, key: &str, value: &[u8]) -> Vec<u8> {
    bytes(number, &[bytes(1, key.as_bytes()), bytes(2, value)].concat())
}

/// One metric of one resource, whose fields stand in the order of `parts`.
fn data(parts: &[Vec<u8>]) -> Vec<u8> {
    let scope = bytes(2, &bytes(2, &parts.concat()));
    // The resource may come behind its metrics.
    let resource = bytes(1, &attribute(1, "client_rack", &bytes(1, b"r1")));
    bytes(1, &[scope, resource].concat())
}

fn seen(data: &[u8]) -> Result<Vec<String>, OtlpError> {
    let mut seen = Vec::new();
    let show = |attributes: Attributes<'_>| {
        attributes.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    };
    walk(data, &mut |point| {
        let Point { metric, kind, value, .. } = point;
        seen.push(format!("{metric} {kind:?} {value} [{}] [{}]", show(point.attributes), show(point.resource)));
    })?;
    Ok(seen)
}

#[test]
fn numbers_are_shown_with_what_tells_them_apart() {
    let check =
        |data: &[u8], expected: &[&str]| assert_eq!(seen(data), Ok(expected.iter().map(|&s| s.to_owned()).collect()));
    let name = bytes(1, b"a.b");
    let point = |parts: &[Vec<u8>]| bytes(1, &parts.concat());
    let plain = point(&[fixed64(6, 7)]);
    check(&[], &[]);
    check(&data(&[name.clone(), bytes(5, &plain)]), &["a.b Gauge 7 [] [client_rack=r1]"]);
    check(&data(&[bytes(5, &plain), name.clone()]), &["a.b Gauge 7 [] [client_rack=r1]"]);
    check(
        &data(&[
            name.clone(),
            bytes(5, &point(&[fixed64(4, 1.5f64.to_bits()), attribute(7, "topic", &bytes(1, b"t"))])),
        ]),
        &["a.b Gauge 1.5 [topic=t] [client_rack=r1]"],
    );
    check(
        &data(&[name.clone(), bytes(7, &[plain.clone(), varint(2, 2), varint(3, 1), plain.clone()].concat())]),
        &["a.b Sum { is_monotonic: true, is_delta: false } 7 [] [client_rack=r1]"; 2],
    );
    check(
        &data(&[name.clone(), bytes(7, &[plain.clone(), varint(2, 1)].concat())]),
        &["a.b Sum { is_monotonic: false, is_delta: true } 7 [] [client_rack=r1]"],
    );
    // A negative whole number, and values that are no text.
    let values = [varint(2, 1), varint(3, 5), fixed64(4, 0.5f64.to_bits()), bytes(5, &[]), vec![]];
    let attributes: Vec<_> = values.iter().flat_map(|value| attribute(7, "k", value)).collect();
    check(
        &data(&[name.clone(), bytes(5, &point(&[fixed64(6, -1i64 as u64), attributes]))]),
        &["a.b Gauge -1 [k=true,k=5,k=0.5,k=,k=] [client_rack=r1]"],
    );
    // Histograms, points without a number, unknown fields.
    check(&data(&[name.clone(), bytes(9, &plain)]), &[]);
    check(&data(&[name.clone(), bytes(5, &point(&[]))]), &[]);
    check(&data(&[name, vec![15 << 3 | 5, 0, 0, 0, 0], bytes(5, &plain)]), &["a.b Gauge 7 [] [client_rack=r1]"]);
}

#[test]
fn what_is_no_message_is_refused() {
    let check = |data: &[u8], error: OtlpError| assert_eq!(seen(data), Err(error));
    check(&[0x0a], OtlpError::Truncated);
    check(&[0x0a, 5, 0], OtlpError::Truncated);
    check(&[0x09, 0, 0], OtlpError::Truncated);
    check(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], OtlpError::Truncated);
    check(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], OtlpError::VarintOverflow);
    check(&[0x0b], OtlpError::WireType(3));
    check(&[0x0e], OtlpError::WireType(6));
    check(&[0x02, 0], OtlpError::FieldNumber(0));
    check(&data(&[bytes(1, &[0xff])]), OtlpError::NotUtf8);
    // Deep inside as well: the attribute of a point.
    check(&data(&[bytes(5, &bytes(1, &bytes(7, &[0x0a, 9])))]), OtlpError::Truncated);
}

#[test]
fn damage_anywhere_ends_in_an_error_or_in_other_points_never_in_a_panic() {
    let name = bytes(1, b"a.b");
    let point = bytes(1, &[fixed64(6, 7), attribute(7, "topic", &bytes(1, b"t"))].concat());
    let whole = data(&[name, bytes(7, &[point.clone(), varint(2, 1), point].concat())]);
    assert_eq!(seen(&whole).map(|points| points.len()), Ok(2));
    for at in 0..whole.len() {
        assert!(at == 0 || seen(&whole[..at]).is_err(), "cut at {at}");
        for value in [0, 1, 2, 7, 0x0a, 0x7f, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            // A point takes eleven bytes at least.
            assert!(seen(&damaged).map_or(0, |points| points.len()) <= whole.len() / 11);
        }
    }
}
