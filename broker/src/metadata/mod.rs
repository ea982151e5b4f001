//! The cluster's metadata: typed records ([`record`]) in a log of their own ([`log`]), applied to an immutable
//! [`MetadataImage`] that every core shares; [`change`] says what a new image means for a node.

pub mod change;
mod codec;
pub mod decide;
pub mod features;
pub mod image;
pub mod log;
pub mod quota;
pub mod record;
pub mod replay;
pub mod scram;

pub use change::{ImageChange, NewPartition, change_between};
pub use image::{BrokerImage, MetadataImage, PartitionImage, TopicImage, is_internal_topic};
pub use log::{
    METADATA_LOG_ID, METADATA_TOPIC, METADATA_TOPIC_ID, MetadataError, MetadataLog, Publish, metadata_log_spec,
};
pub use quota::{EntityType, QuotaEntity, QuotaValue, Quotas};
pub use record::{MetadataRecord, PartitionRecord, RecordError, ResourceId, ResourceKind};
pub use replay::ReplayError;
pub use scram::{ScramCredential, ScramMechanism};
