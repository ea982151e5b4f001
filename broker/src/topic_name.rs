//! What a topic may be called (common/internals/Topic.java).

use thiserror::Error;

/// Longest name, in bytes: a directory is called after it.
pub const NAME_BYTES_MAX: usize = 249;

/// Why a name cannot be a topic's; the sentences are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicNameError {
    /// No name.
    #[error("the empty string is not allowed")]
    Empty,
    /// The names of directories.
    #[error("'{0}' is not allowed")]
    Dots(String),
    /// Above [`NAME_BYTES_MAX`].
    #[error("the length of '{0}' is longer than the max allowed length {NAME_BYTES_MAX}")]
    TooLong(String),
    /// Anything but ASCII letters and digits, '.', '_' and '-'.
    #[error("'{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    Characters(String),
}

/// Checks a name.
pub fn check(name: &str) -> Result<(), TopicNameError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => Err(TopicNameError::Empty),
        "." | ".." => Err(TopicNameError::Dots(name.to_owned())),
        _ if name.len() > NAME_BYTES_MAX => Err(TopicNameError::TooLong(name.to_owned())),
        _ if !name.bytes().all(is_legal) => Err(TopicNameError::Characters(name.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "a.b_c-D9", "...", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "ü", "a\0", &"x".repeat(250)] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
