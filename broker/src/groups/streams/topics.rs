//! From a topology to partitions: whether the topics an application reads are there and fit together, how many partitions
//! its own topics need, and which of those are still to be made (streams/topics/InternalTopicManager.java).
//!
//! The application's own topics are *repartition* topics, which one subtopology writes and another reads, and *changelogs*,
//! which keep the state of a subtopology.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::streams_group_records::{Subtopology, TopicInfo};

use super::topology::{Topology, copartitioned, sources};
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;

/// Names shown in one message.
const NAMES_SHOWN_MAX: usize = 3;

/// Why an application cannot work yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicsProblem {
    /// Topics it reads are not there.
    MissingSource(String),
    /// Topics that belong together have different numbers of partitions.
    IncorrectlyPartitioned(String),
    /// Its own topics are not there yet.
    MissingInternal(String),
}

/// What a subtopology comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredSubtopology {
    /// One for each partition of the largest topic it reads.
    pub tasks: i32,
    /// Whether it keeps state: only such tasks have standby copies.
    pub is_stateful: bool,
}

/// What a topology comes to with the topics there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Configured {
    /// By id; empty if partitions cannot be decided.
    pub subtopologies: BTreeMap<Rc<str>, ConfiguredSubtopology>,
    /// Partitions of the application's own topics.
    partitions: BTreeMap<String, i32>,
    /// Its own topics that are to be made.
    pub missing: Vec<CreatableTopic>,
    /// Why it cannot work yet.
    pub problem: Option<TopicsProblem>,
}

impl TopicsProblem {
    /// As members are told: the number of the status and its sentence.
    pub fn status(&self) -> (i8, &str) {
        match self {
            TopicsProblem::MissingSource(detail) => (1, detail),
            TopicsProblem::IncorrectlyPartitioned(detail) => (2, detail),
            TopicsProblem::MissingInternal(detail) => (3, detail),
        }
    }
}

/// Why a topology cannot be configured: it is wrong, or its topics are.
enum Obstacle {
    Invalid(ApiError),
    Topics(TopicsProblem),
}

impl Configured {
    /// What `topology` comes to; an error if it cannot come to anything, whatever the topics.
    pub fn of(topology: &Topology, image: &MetadataImage) -> Result<Configured, ApiError> {
        match configure(topology, image) {
            Ok(configured) => Ok(configured),
            Err(Obstacle::Invalid(error)) => Err(error),
            Err(Obstacle::Topics(problem)) => Ok(Configured {
                subtopologies: BTreeMap::new(),
                partitions: BTreeMap::new(),
                missing: Vec::new(),
                problem: Some(problem),
            }),
        }
    }

    /// Whether tasks can be assigned.
    pub fn is_ready(&self) -> bool {
        self.problem.is_none()
    }

    /// Partitions one of the application's own topics is to have.
    pub fn partitions_of(&self, topic: &TopicInfo) -> i32 {
        if topic.partitions != 0 {
            return topic.partitions;
        }
        self.partitions.get(&topic.name).copied().unwrap_or(topic.partitions)
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        let missing = |topic: &CreatableTopic| {
            let configs = topic.configs.iter().map(|config| 64 + config.name.len());
            128 + topic.name.len() + configs.sum::<usize>()
        };
        96 * self.subtopologies.len()
            + self.partitions.keys().map(|name| 64 + name.len()).sum::<usize>()
            + self.missing.iter().map(missing).sum::<usize>()
    }
}

fn configure(topology: &Topology, image: &MetadataImage) -> Result<Configured, Obstacle> {
    check_sources(topology, image)?;
    let mut counts = Counts { image, decided: repartition_counts(topology, image)? };
    enforce_copartitions(topology, &mut counts)?;
    let mut subtopologies = BTreeMap::new();
    for (id, subtopology) in &topology.subtopologies {
        let tasks = tasks_of(subtopology, &counts)?;
        let is_stateful = !subtopology.state_changelog_topics.is_empty();
        subtopologies.insert(id.clone(), ConfiguredSubtopology { tasks, is_stateful });
    }
    for (id, subtopology) in &topology.subtopologies {
        let tasks = subtopologies.get(id).map_or(0, |configured| configured.tasks);
        counts.decided.extend(subtopology.state_changelog_topics.iter().map(|topic| (topic.name.clone(), tasks)));
    }
    let decided = counts.decided;
    let mut configured = Configured { subtopologies, partitions: decided, missing: Vec::new(), problem: None };
    let missing = missing_topics(topology, &configured, image)?;
    if !missing.is_empty() {
        let detail = format!("Internal topics are missing: {}", summary(missing.keys().map(String::as_str)));
        configured.problem = Some(TopicsProblem::MissingInternal(detail));
    }
    configured.missing = missing.into_values().collect();
    Ok(configured)
}

/// Partitions by topic: of those there are, else as decided.
struct Counts<'a> {
    image: &'a MetadataImage,
    decided: BTreeMap<String, i32>,
}

fn existing(image: &MetadataImage, topic: &str) -> Option<i32> {
    image.topic(topic).map(|topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
}

impl Counts<'_> {
    fn of(&self, topic: &str) -> Option<i32> {
        existing(self.image, topic).or_else(|| self.decided.get(topic).copied())
    }

    /// Of a topic that must have been decided by now.
    fn decided(&self, topic: &str) -> Result<i32, Obstacle> {
        self.of(topic).ok_or_else(|| broken(format!("Number of partitions is not set for topic: {topic}")))
    }
}

fn invalid(message: &str) -> Obstacle {
    Obstacle::Invalid(ApiError::new(ErrorCode::STREAMS_INVALID_TOPOLOGY, message))
}

/// What Kafka answers where it does not expect such a topology.
fn broken(message: String) -> Obstacle {
    Obstacle::Invalid(ApiError::new(ErrorCode::UNKNOWN_SERVER_ERROR, message))
}

fn incorrect(message: String) -> Obstacle {
    Obstacle::Topics(TopicsProblem::IncorrectlyPartitioned(message))
}

fn summary<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let shown: Vec<&str> = names.take(NAMES_SHOWN_MAX).collect();
    let more = if count > NAMES_SHOWN_MAX {
        format!(" and {} additional topics", count - NAMES_SHOWN_MAX)
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

fn check_sources(topology: &Topology, image: &MetadataImage) -> Result<(), Obstacle> {
    let names = topology.subtopologies.values().flat_map(|subtopology| &subtopology.source_topics);
    let missing: BTreeSet<&str> = names.map(String::as_str).filter(|name| image.topic(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let detail = format!("Source topics {} are missing.", summary(missing.iter().copied()));
    Err(Obstacle::Topics(TopicsProblem::MissingSource(detail)))
}

/// Partitions of repartition topics (RepartitionTopics.java): those they come with, else as many as the largest topic has
/// that is read by who writes them. Several rounds, since that may be a repartition topic as well.
fn repartition_counts(topology: &Topology, image: &MetadataImage) -> Result<BTreeMap<String, i32>, Obstacle> {
    let read = || topology.subtopologies.values().flat_map(|subtopology| &subtopology.repartition_source_topics);
    let fixed = read().filter(|topic| topic.partitions != 0);
    let mut counts: BTreeMap<String, i32> = fixed.map(|topic| (topic.name.clone(), topic.partitions)).collect();
    let mut undecided: Vec<&Subtopology> = topology
        .subtopologies
        .values()
        .filter(|subtopology| subtopology.repartition_sink_topics.iter().any(|topic| !counts.contains_key(topic)))
        .collect();
    while !undecided.is_empty() {
        let before = undecided.len();
        undecided.retain(|subtopology| match largest_read(subtopology, &counts, image) {
            Some(count) => {
                for topic in &subtopology.repartition_sink_topics {
                    counts.entry(topic.clone()).or_insert(count);
                }
                false
            }
            None => true,
        });
        if undecided.len() == before {
            return Err(invalid(
                "Failed to compute number of partitions for all repartition topics. There may be loops in the topology \
                 that cannot be resolved.",
            ));
        }
    }
    if read().any(|topic| !counts.contains_key(&topic.name)) {
        return Err(invalid(
            "Failed to compute number of partitions for all repartition topics, because a repartition source topic is \
             never used as a sink topic.",
        ));
    }
    Ok(counts)
}

fn largest_read(subtopology: &Subtopology, counts: &BTreeMap<String, i32>, image: &MetadataImage) -> Option<i32> {
    let repartitions =
        subtopology.repartition_source_topics.iter().filter_map(|topic| counts.get(&topic.name).copied());
    let plain = subtopology.source_topics.iter().filter_map(|topic| existing(image, topic));
    repartitions.chain(plain).max()
}

/// Topics that are read together must have equally many partitions; repartition topics that may are made to fit
/// (CopartitionedTopicsEnforcer.java).
fn enforce_copartitions(topology: &Topology, counts: &mut Counts<'_>) -> Result<(), Obstacle> {
    let read = || topology.subtopologies.values().flat_map(|subtopology| &subtopology.repartition_source_topics);
    let fixed: BTreeSet<&str> = read().filter(|topic| topic.partitions != 0).map(|topic| topic.name.as_str()).collect();
    let repartitions: BTreeSet<&str> = read().map(|topic| topic.name.as_str()).collect();
    for subtopology in topology.subtopologies.values() {
        for group in &subtopology.copartition_groups {
            let topics = copartitioned(subtopology, group)
                .ok_or_else(|| broken("A copartition group names a topic that is not there.".to_owned()))?;
            enforce(&topics, &repartitions, &fixed, counts)?;
        }
    }
    Ok(())
}

fn enforce(
    topics: &BTreeSet<&str>,
    repartitions: &BTreeSet<&str>,
    fixed: &BTreeSet<&str>,
    counts: &mut Counts<'_>,
) -> Result<(), Obstacle> {
    let (own, plain): (Vec<&str>, Vec<&str>) = topics.iter().copied().partition(|topic| repartitions.contains(topic));
    let count = if !plain.is_empty() {
        same_count(&plain, &plain, counts)?
    } else if own.is_empty() {
        return Ok(());
    } else if !fixed.is_empty() {
        // Kafka compares all topics with partitions of their own, also those of other groups.
        same_count(&fixed.iter().copied().collect::<Vec<_>>(), &own, counts)?
    } else {
        let all: Result<Vec<i32>, Obstacle> = own.iter().map(|topic| counts.decided(topic)).collect();
        all?.into_iter().max().unwrap_or(0)
    };
    for topic in own {
        let known = counts.decided(topic)?;
        if fixed.contains(topic) && known != count {
            return Err(incorrect(format!(
                "Number of partitions [{known}] of repartition topic [{topic}] doesn't match number of partitions \
                 [{count}] of the source topic."
            )));
        }
        counts.decided.insert(topic.to_owned(), count);
    }
    Ok(())
}

/// How many partitions each of `topics` has; the message names `shown`.
fn same_count(topics: &[&str], shown: &[&str], counts: &Counts<'_>) -> Result<i32, Obstacle> {
    let mut first = None;
    for topic in topics {
        let count = counts.decided(topic)?;
        if *first.get_or_insert(count) != count {
            let of = |topic: &&str| format!("{topic}={}", counts.of(topic).unwrap_or(0));
            let list: Vec<String> = shown.iter().map(of).collect();
            let list = list.join(", ");
            return Err(incorrect(format!("Following topics do not have the same number of partitions: [{{{list}}}]")));
        }
    }
    Ok(first.unwrap_or(0))
}

fn tasks_of(subtopology: &Subtopology, counts: &Counts<'_>) -> Result<i32, Obstacle> {
    let mut tasks = 0;
    for topic in sources(subtopology) {
        tasks = tasks.max(counts.decided(topic)?);
    }
    if tasks <= 0 {
        let message = format!("No source topics found for subtopology {}", subtopology.subtopology_id);
        return Err(invalid(&message));
    }
    Ok(tasks)
}

/// The application's own topics that are not there; those that are must have the partitions that were decided.
fn missing_topics(
    topology: &Topology,
    configured: &Configured,
    image: &MetadataImage,
) -> Result<BTreeMap<String, CreatableTopic>, Obstacle> {
    let mut missing = BTreeMap::new();
    for subtopology in topology.subtopologies.values() {
        for topic in subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics) {
            let partitions = configured.partitions_of(topic);
            if partitions < 1 {
                return Err(broken("Number of partitions must be at least 1.".to_owned()));
            }
            match existing(image, &topic.name) {
                Some(found) if found != partitions => {
                    return Err(incorrect(format!(
                        "Existing topic {} has different number of partitions: expected {partitions}, found {found}",
                        topic.name
                    )));
                }
                Some(_) => {}
                None => {
                    missing.insert(topic.name.clone(), creatable(topic, partitions));
                }
            }
        }
    }
    Ok(missing)
}

fn creatable(topic: &TopicInfo, partitions: i32) -> CreatableTopic {
    let config =
        |(name, value): (&str, &str)| CreatableTopicConfig { name: name.to_owned(), value: Some(value.to_owned()) };
    let configs: BTreeMap<&str, &str> =
        topic.topic_configs.iter().map(|config| (config.key.as_str(), config.value.as_str())).collect();
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: partitions,
        // 0: as the broker has it.
        replication_factor: if topic.replication_factor == 0 { -1 } else { topic.replication_factor },
        configs: configs.into_iter().map(config).collect(),
        ..CreatableTopic::default()
    }
}

#[cfg(test)]
mod tests;
