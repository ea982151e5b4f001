//! One table a message. Skeleton.
