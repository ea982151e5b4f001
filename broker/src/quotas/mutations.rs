//! The quota on changes of metadata (KIP-599): partitions created and deleted in a second.
//!
//! Newer versions of CreateTopics, CreatePartitions and DeleteTopics are refused topic by topic once the quota is used up;
//! to older ones the changes are made and the client is told to pause. Counted on the core that decides on metadata.

use std::time::Duration;

use protocol::ErrorCode;

use super::bucket::Exhausted;
use super::limits::{QuotaKind, Sharer};
use super::rate::Window;
use super::{Pause, limit_of};
use crate::context::RequestContext;
use crate::metadata::decide::ApiError;
use crate::shard::Shard;

/// Pays for the changes of one request; travels to the core that decides on them.
#[derive(Debug)]
pub struct MutationQuota {
    limit: Option<(Sharer, f64)>,
    exhausted: Exhausted,
    window: Window,
    pause: Duration,
}

impl MutationQuota {
    /// The quota of the request's client, which refuses from version `strict_since` on.
    pub fn of(context: &RequestContext, strict_since: i16) -> MutationQuota {
        let config = context.shard.config();
        MutationQuota {
            limit: limit_of(context, QuotaKind::ControllerMutation),
            exhausted: if context.api_version >= strict_since { Exhausted::Refuses } else { Exhausted::Lends },
            window: Window {
                samples: config.controller_quota_samples,
                sample_seconds: config.controller_quota_sample_seconds,
            },
            pause: Duration::ZERO,
        }
    }

    /// Pays for `partitions` made or deleted, or refuses with THROTTLING_QUOTA_EXCEEDED. To be called on the core that
    /// has the metadata log.
    pub fn take(&mut self, shard: &Shard, partitions: usize) -> Result<(), ApiError> {
        let Some((sharer, limit)) = &self.limit else { return Ok(()) };
        let now = shard.runtime().now();
        let pause = shard.quotas().take(sharer, *limit, partitions as f64, self.exhausted, self.window, now);
        self.pause = self.pause.max(pause);
        match self.exhausted {
            Exhausted::Refuses if !pause.is_zero() => Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED.into()),
            Exhausted::Refuses | Exhausted::Lends => Ok(()),
        }
    }

    /// What the client owes in the end.
    pub fn settle(&self, pause: &Pause) {
        pause.at_least(self.pause);
    }
}
