//! The cluster's metadata: typed records ([`record`]) in a log of their own, applied to an immutable [`MetadataImage`].

mod codec;
pub mod image;
pub mod record;

pub use image::{BrokerImage, MetadataImage, PartitionImage, TopicImage, is_internal_topic};
pub use record::{MetadataRecord, PartitionRecord, RecordError, ResourceId, ResourceKind};
