//! Client instances: when each asked and pushed last, and whether it may again (ClientMetricsInstance.java).

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::records::CompressionType;
use protocol::{ErrorCode, Uuid};
use storage::runtime::{HashMap, Monotonic};

use super::kept;
use super::subscriptions::Terms;

/// What is looked at before a push is unfolded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push {
    pub(super) subscription_id: i32,
    pub(super) terminating: bool,
    pub(super) compression_type: i8,
    pub(super) bytes: usize,
}

/// One client.
#[derive(Debug)]
pub(super) struct Instance {
    terms: Terms,
    /// Of all subscriptions, when the terms were made.
    version: u64,
    asked: Option<Monotonic>,
    pushed: Option<Monotonic>,
    terminating: bool,
    last_error: ErrorCode,
    used: Monotonic,
}

impl Instance {
    fn new(terms: Terms, version: u64, now: Monotonic) -> Instance {
        let (asked, pushed, last_error) = (None, None, ErrorCode::NONE);
        Instance { terms, version, asked, pushed, terminating: false, last_error, used: now }
    }

    /// It asks what to push: once in an interval, and whenever a push was refused for want of asking.
    pub(super) fn ask(&mut self, now: Monotonic) -> Result<(), ErrorCode> {
        let is_due = self.asked.max(self.pushed).is_none_or(|last| now.since(last) >= self.terms.push_interval);
        if is_due {
            self.asked = Some(now);
        }
        let must_ask =
            [ErrorCode::UNKNOWN_SUBSCRIPTION_ID, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE].contains(&self.last_error);
        if !is_due && !must_ask {
            return Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
        }
        self.last_error = ErrorCode::NONE;
        Ok(())
    }

    /// It pushes: right after it asked, then once in an interval, and once more when it ends.
    pub(super) fn accept(&mut self, push: &Push, bytes_max: usize, now: Monotonic) -> Result<(), ErrorCode> {
        let result = self.check(push, bytes_max, now);
        self.terminating = push.terminating;
        result
    }

    fn check(&mut self, push: &Push, bytes_max: usize, now: Monotonic) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let is_due =
            self.asked > self.pushed || self.pushed.is_none_or(|pushed| now.since(pushed) >= self.terms.push_interval);
        if is_due {
            self.pushed = Some(now);
        }
        if !is_due && !push.terminating {
            return Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
        }
        if push.subscription_id != self.terms.subscription_id {
            return Err(ErrorCode::UNKNOWN_SUBSCRIPTION_ID);
        }
        let codec = u8::try_from(push.compression_type).ok();
        if codec.is_none_or(|codec| CompressionType::from_id(codec).is_err()) {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        }
        if push.bytes > bytes_max {
            return Err(ErrorCode::TELEMETRY_TOO_LARGE);
        }
        Ok(())
    }

    pub(super) fn set_last_error(&mut self, code: ErrorCode) {
        self.last_error = code;
    }

    pub(super) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    pub(super) fn push_interval(&self) -> Duration {
        self.terms.push_interval
    }

    fn is_over(&self, now: Monotonic) -> bool {
        now.since(self.used) >= kept(self.terms.push_interval)
    }
}

/// All of one core.
#[derive(Debug, Default)]
pub(super) struct Instances {
    by_id: HashMap<Uuid, Instance>,
    by_use: BTreeSet<(Monotonic, Uuid)>,
}

impl Instances {
    /// The instance of this id, which is used now. Begins anew when subscriptions have changed since its last request:
    /// it is then told so at once. Beyond `instances_max` the one goes that was not used for longest.
    pub(super) fn visit(
        &mut self,
        id: Uuid,
        version: u64,
        instances_max: usize,
        now: Monotonic,
        terms: impl FnOnce() -> Terms,
    ) -> &mut Instance {
        let is_current = |instance: &Instance| instance.version == version && !instance.is_over(now);
        let current = self.remove(id).filter(is_current);
        while self.by_id.len() >= instances_max.max(1) {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.by_id.remove(&oldest);
        }
        let mut instance = current.unwrap_or_else(|| Instance::new(terms(), version, now));
        instance.used = now;
        self.by_use.insert((now, id));
        self.by_id.entry(id).or_insert(instance)
    }

    fn remove(&mut self, id: Uuid) -> Option<Instance> {
        let instance = self.by_id.remove(&id)?;
        self.by_use.remove(&(instance.used, id));
        Some(instance)
    }

    pub(super) fn forget(&mut self, id: Uuid) {
        self.remove(id);
    }

    pub(super) fn expire(&mut self, now: Monotonic) {
        let Instances { by_id, by_use } = self;
        by_id.retain(|id, instance| {
            let is_over = instance.is_over(now);
            if is_over {
                by_use.remove(&(instance.used, *id));
            }
            !is_over
        });
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
