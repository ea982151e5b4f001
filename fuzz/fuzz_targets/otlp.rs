//! Metrics as a client pushes them, unfolded already: nothing panics, and what is shown is of the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::otlp::{Attributes, walk};

fn texts(attributes: Attributes<'_>) -> usize {
    attributes.iter().map(|(key, value)| key.len() + value.to_string().len()).sum()
}

fuzz_target!(|data: &[u8]| {
    let (mut points, mut names) = (0, 0);
    let walked = walk(data, &mut |point| {
        points += 1;
        names = names.max(point.metric.len() + point.attributes.iter().count());
        let _ = (texts(point.attributes), texts(point.resource));
    });
    // A point takes a tag, a length, and nine bytes for its number.
    assert!(points * 11 <= data.len() && names <= data.len());
    assert!(walked.is_ok() || !data.is_empty());
});
