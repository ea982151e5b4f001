//! Kafka's error codes, one table (clients/.../common/protocol/Errors.java).

/// A Kafka error code. Skeleton: the full table replaces this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct ErrorCode(pub i16);
