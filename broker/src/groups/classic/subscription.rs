//! The one look into a member's metadata: the topic names of a consumer's subscription.

use std::collections::BTreeSet;

use super::ClassicGroup;

impl ClassicGroup {
    /// The topics the members of a group of consumers read; `None` if it is none or they cannot be told.
    pub(super) fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(topics_of(&member.metadata(Some(protocol)))?);
        }
        Some(topics)
    }
}

/// Reads the topic names of a ConsumerProtocolSubscription of any version: version 0 is a prefix of them all. `None`
/// if the bytes are no subscription.
fn topics_of(metadata: &[u8]) -> Option<Vec<String>> {
    let (version, mut rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let count = take_i32(&mut rest)?;
    // Each name takes two bytes at least: no memory is set aside for names that are not there.
    let count = usize::try_from(count).ok().filter(|count| *count <= rest.len() / 2)?;
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, tail) = tail.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?.to_owned());
        rest = tail;
    }
    let user_data = take_i32(&mut rest)?;
    (user_data < 0 || user_data as usize <= rest.len()).then_some(topics)
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (value, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(i32::from_be_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::topics_of;

    #[test]
    fn topic_names_are_read_and_anything_else_is_not_trusted() {
        let two = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(topics_of(two), Some(vec!["a".to_owned(), "bc".to_owned()]), "later versions have more behind");
        let none: &[&[u8]] = &[
            b"",
            b"\0",
            b"\xff\xff\0\0\0\0\xff\xff\xff\xff",
            b"\0\0\x7f\xff\xff\xff",
            b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x09ab",
            b"\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x01\xff\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\0\x01a",
            b"\0\0\0\0\0\0\0\0\0\x09ab",
        ];
        for metadata in none {
            assert_eq!(topics_of(metadata), None, "{metadata:?}");
        }
    }
}
