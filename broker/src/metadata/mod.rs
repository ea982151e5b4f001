//! The cluster's metadata: an immutable image of it, replaced as a whole when a record is applied.

pub mod image;

pub use image::{MetadataImage, PartitionImage, TopicImage};
