//! What a group subscribes to: topics by name and by pattern, and whether they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::messages::consumer_group_records::ConsumerGroupRegularExpressionValue;
use protocol::{ErrorCode, Uuid};

use super::pattern::{Pattern, matching};
use super::{ConsumerGroup, ConsumerRecord, Member, Turn};
use crate::groups::topic_hash;
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;

/// Shortest time between two looks at all topics for a group's patterns (GroupMetadataManager.java): each is a walk over
/// all names.
const PATTERNS_REFRESH_MS_MIN: i64 = 10_000;

/// The topics a pattern stood for when it was last matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    topics: BTreeSet<String>,
    /// Version of the metadata.
    version: i64,
    at_ms: i64,
}

impl Resolved {
    /// Reads [`Resolved::to_record`].
    pub fn of_record(value: &ConsumerGroupRegularExpressionValue) -> Resolved {
        Resolved { topics: value.topics.iter().cloned().collect(), version: value.version, at_ms: value.timestamp }
    }

    /// As it is recorded.
    pub fn to_record(&self) -> ConsumerGroupRegularExpressionValue {
        ConsumerGroupRegularExpressionValue {
            topics: self.topics.iter().cloned().collect(),
            version: self.version,
            timestamp: self.at_ms,
        }
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        128 + self.topics.iter().map(|name| 32 + name.len()).sum::<usize>()
    }
}

/// Checks a pattern before anything is changed for it.
pub fn check_pattern(pattern: &str) -> Result<(), ApiError> {
    Pattern::compile(pattern).map(drop).map_err(|error| {
        let message = format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {error}.");
        ApiError::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
    })
}

impl ConsumerGroup {
    /// Whether some member reads `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.patterns.values().any(|resolved| resolved.topics.contains(topic))
            || self.members.values().any(|member| names_topic(member, topic))
    }

    /// Topics of a member that exist.
    pub(super) fn topics_of(&self, member: &Member, image: &MetadataImage) -> BTreeSet<Uuid> {
        let by_pattern = member.pattern().and_then(|pattern| self.patterns.get(pattern));
        let by_pattern = by_pattern.into_iter().flat_map(|resolved| resolved.topics.iter());
        let names = member.about.subscribed_topic_names.iter().chain(by_pattern);
        names.filter_map(|name| image.topic(name)).map(|topic| topic.id).collect()
    }

    /// Topics of every member, in the order of the members; equal subscriptions share one set.
    pub(super) fn topics_of_all(&self, image: &MetadataImage) -> Vec<Rc<BTreeSet<Uuid>>> {
        let mut known = BTreeMap::<(&[String], Option<&str>), _>::new();
        let topics = |member: &Member| Rc::new(self.topics_of(member, image));
        self.members
            .values()
            .map(|member| {
                let key = (member.about.subscribed_topic_names.as_slice(), member.pattern());
                Rc::clone(known.entry(key).or_insert_with(|| topics(member)))
            })
            .collect()
    }

    /// A number that changes when a subscribed topic does.
    fn hash_of_topics(&self, image: &MetadataImage) -> i64 {
        let by_pattern = self.patterns.values().flat_map(|resolved| &resolved.topics);
        // Members mostly subscribe to the same: each list is looked at once.
        let lists: BTreeSet<&[String]> =
            self.members.values().map(|member| member.about.subscribed_topic_names.as_slice()).collect();
        let names: BTreeSet<&str> = lists.into_iter().flatten().chain(by_pattern).map(String::as_str).collect();
        topic_hash::hash_of_topics(&names, image)
    }

    /// Matches the pattern a member has just brought, forgets the one that nobody has any more, and from time to time
    /// looks for topics that came since. `true` if what the group subscribes to changed.
    pub(super) fn refresh_patterns(&mut self, before: Option<&str>, member_id: &str, turn: &mut Turn<'_>) -> bool {
        let now = self.members.get(member_id).and_then(Member::pattern).map(str::to_owned);
        if self.patterns.is_empty() && now.is_none() {
            return false;
        }
        let mut changed = before != now.as_deref();
        if let Some(before) = before.filter(|before| Some(*before) != now.as_deref()) {
            self.forget_pattern(before, turn);
        }
        if let Some(pattern) = now.filter(|pattern| !self.patterns.contains_key(pattern.as_str())) {
            changed |= self.resolve(&pattern.into(), turn);
        }
        if self.is_refresh_due(turn) {
            let patterns: Vec<Rc<str>> = self.patterns.keys().cloned().collect();
            for pattern in patterns {
                changed |= self.resolve(&pattern, turn);
            }
            self.patterns_looked_at = Some((version_of(turn.image), turn.now_ms));
        }
        changed
    }

    fn is_refresh_due(&self, turn: &Turn<'_>) -> bool {
        let Some((version, at_ms)) = self.patterns_looked_at else { return true };
        let waited_ms = turn.now_ms.saturating_sub(at_ms);
        let new_topics = version != version_of(turn.image) && waited_ms > PATTERNS_REFRESH_MS_MIN;
        new_topics || waited_ms > turn.settings.consumer_regex_refresh_interval_ms
    }

    /// Matches a pattern against all topics; recorded, and `true`, if the result is another one.
    fn resolve(&mut self, pattern: &Rc<str>, turn: &mut Turn<'_>) -> bool {
        let Ok(compiled) = Pattern::compile(pattern) else {
            // Checked when a member brought it; a record of a Kafka that takes more may still get here.
            tracing::warn!(group = &*self.group_id, pattern = &**pattern, "a recorded pattern is not understood");
            return false;
        };
        let topics = matching(&compiled, turn.image.topics().map(|topic| &*topic.name));
        let known = self.patterns.get(pattern);
        if known.is_some_and(|known| known.topics == topics) {
            return false;
        }
        let resolved = Resolved { topics, version: version_of(turn.image), at_ms: turn.now_ms };
        self.record(ConsumerRecord::Pattern(pattern.clone(), Some(resolved.to_record())), turn);
        true
    }

    /// Removes a pattern unless a member still has it.
    pub(super) fn forget_pattern(&mut self, pattern: &str, turn: &mut Turn<'_>) {
        let used = self.members.values().any(|member| member.pattern() == Some(pattern));
        if !used && self.patterns.contains_key(pattern) {
            self.record(ConsumerRecord::Pattern(pattern.into(), None), turn);
        }
    }

    /// The group's next epoch begins if `bump` says so or a subscribed topic is not what it was.
    pub(super) fn compare_topics(&mut self, bump: bool, turn: &mut Turn<'_>) {
        let version = version_of(turn.image);
        if !bump && self.compared_at == Some(version) {
            return;
        }
        self.compared_at = Some(version);
        let hash = self.hash_of_topics(turn.image);
        if bump || hash != self.metadata_hash {
            self.next_epoch(hash, turn);
        }
        if self.has_old_topics {
            self.record(ConsumerRecord::OldTopics(None), turn);
        }
    }

    /// Begins the next epoch whatever the topics look like.
    pub fn bump_epoch(&mut self, turn: &mut Turn<'_>) {
        self.compared_at = Some(version_of(turn.image));
        let hash = self.hash_of_topics(turn.image);
        self.next_epoch(hash, turn);
    }

    fn next_epoch(&mut self, hash: i64, turn: &mut Turn<'_>) {
        // After 2^31 changes there is no next one; the last stays, and members keep what they have.
        self.epoch = self.epoch.saturating_add(1);
        self.metadata_hash = hash;
        self.record(self.epoch_record(), turn);
    }

    /// The hash of a group that was just made of a classic one.
    pub(super) fn adopt_topics(&mut self, image: &MetadataImage) {
        self.metadata_hash = self.hash_of_topics(image);
    }
}

fn names_topic(member: &Member, topic: &str) -> bool {
    // Sorted when the member said them.
    member.about.subscribed_topic_names.binary_search_by(|name| name.as_str().cmp(topic)).is_ok()
}

fn version_of(image: &MetadataImage) -> i64 {
    image.next_offset.0
}
