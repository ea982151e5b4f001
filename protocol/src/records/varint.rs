//! Zigzag varints (`ByteUtils.readVarint`, `readVarlong`): at most 5 and 10 bytes, excess bits of the last are dropped.

/// Takes up to `bytes_max` bytes off the front; `None` when they end early or the last still says "more".
#[inline]
fn take(input: &mut &[u8], bytes_max: usize) -> Option<u64> {
    let mut value = 0u64;
    for (index, byte) in input.iter().take(bytes_max).enumerate() {
        value |= u64::from(byte & 0x7f).wrapping_shl(7 * index as u32);
        if byte & 0x80 == 0 {
            *input = &input[index + 1..];
            return Some(value);
        }
    }
    None
}

/// Reads a 32-bit varint.
#[inline]
pub(super) fn take_i32(input: &mut &[u8]) -> Option<i32> {
    let raw = take(input, 5)? as u32;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads a 64-bit varint.
#[inline]
pub(super) fn take_i64(input: &mut &[u8]) -> Option<i64> {
    let raw = take(input, 10)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// Appends a 64-bit varint; a 32-bit one is the same bytes.
pub(super) fn put(output: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        output.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    output.push(raw as u8);
}

/// Bytes that [`put`] appends.
pub(super) fn size(value: i64) -> usize {
    let bits = 64 - zigzag(value).leading_zeros() as usize;
    bits.div_ceil(7).max(1)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_and_sizes_are_told() {
        for value in [0, 1, -1, 63, -64, 64, 8191, -8192, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN]
        {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(bytes.len(), size(value), "{value}");
            assert_eq!(take_i64(&mut &bytes[..]), Some(value));
            if let Ok(small) = i32::try_from(value) {
                let mut input = &bytes[..];
                assert_eq!(take_i32(&mut input), Some(small));
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn unending_varints_are_refused() {
        assert_eq!(take_i32(&mut &[0x80; 5][..]), None);
        assert_eq!(take_i64(&mut &[0xff; 10][..]), None);
        assert_eq!(take_i32(&mut &[][..]), None);
        assert_eq!(take_i32(&mut &[0x80][..]), None);
    }
}
