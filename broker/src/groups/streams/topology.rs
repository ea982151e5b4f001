//! What an application is made of: subtopologies, each with the topics it reads, writes and keeps its state in, as its
//! members say when they join (StreamsTopology.java). Which partitions those come to is [`super::topics`]'s part.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::streams_group_describe as describe;
use protocol::messages::streams_group_heartbeat as heartbeat;
use protocol::messages::streams_group_records::{
    CopartitionGroup, StreamsGroupTopologyValue, Subtopology, TopicConfig, TopicInfo,
};

use super::record::topology_bytes;
use crate::metadata::decide::ApiError;
use crate::metadata::is_internal_topic;
use crate::topic_name;

/// Largest topology, as a record: it must fit into a batch of the log.
const TOPOLOGY_BYTES_MAX: usize = 512 * 1024;
/// Most subtopologies: to find the partitions of repartition topics may take a look at all of them for each of them.
const SUBTOPOLOGIES_MAX: usize = 1_000;

/// The topology of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// Counts the versions of the application's topology.
    pub epoch: i32,
    /// Subtopologies by id.
    pub subtopologies: BTreeMap<Rc<str>, Subtopology>,
    /// The subtopology that reads each topic.
    readers: BTreeMap<String, Rc<str>>,
}

fn invalid(message: String) -> ApiError {
    ApiError::new(ErrorCode::STREAMS_INVALID_TOPOLOGY, message)
}

/// What Kafka answers where it does not check and an exception ends the request.
fn broken(message: String) -> ApiError {
    ApiError::new(ErrorCode::UNKNOWN_SERVER_ERROR, message)
}

/// Checks the names of all topics of a topology (KafkaApis.handleStreamsGroupHeartbeat).
pub fn check_names(topology: &heartbeat::Topology) -> Result<(), ApiError> {
    let names: BTreeSet<&str> = topology.subtopologies.iter().flat_map(names_of).collect();
    let all = |wrong: &dyn Fn(&str) -> bool| {
        names.iter().copied().filter(|name| wrong(name)).collect::<Vec<&str>>().join(",")
    };
    let internal = all(&is_internal_topic);
    if !internal.is_empty() {
        let message = format!("Use of Kafka internal topics {internal} in a Kafka Streams topology is prohibited.");
        return Err(invalid(message));
    }
    let illegal = all(&|name| topic_name::check(name).is_err());
    if names.iter().any(|name| topic_name::check(name).is_err()) {
        return Err(invalid(format!("Topic names {illegal} are not valid topic names.")));
    }
    Ok(())
}

fn names_of(subtopology: &heartbeat::Subtopology) -> impl Iterator<Item = &str> {
    let plain = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics).map(String::as_str);
    let infos = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
    plain.chain(infos.map(|info| info.name.as_str()))
}

impl Topology {
    /// Reads and checks what a joining member says.
    pub fn of_heartbeat(said: &heartbeat::Topology) -> Result<Topology, ApiError> {
        if said.epoch < 0 {
            return Err(broken("Topology epoch must be non-negative.".to_owned()));
        }
        if said.subtopologies.len() > SUBTOPOLOGIES_MAX {
            return Err(invalid(format!("The topology has more than {SUBTOPOLOGIES_MAX} subtopologies.")));
        }
        let value = StreamsGroupTopologyValue {
            epoch: said.epoch,
            subtopologies: said.subtopologies.iter().map(recorded).collect(),
        };
        let bytes = topology_bytes(&value);
        if bytes > TOPOLOGY_BYTES_MAX {
            return Err(broken(format!("The topology takes {bytes} bytes, more than {TOPOLOGY_BYTES_MAX}.")));
        }
        let topology = Topology::of_record(&value);
        if topology.subtopologies.len() < value.subtopologies.len() {
            return Err(broken("Two subtopologies have the same id.".to_owned()));
        }
        topology.subtopologies.values().try_for_each(check_copartitions)?;
        Ok(topology)
    }

    /// Reads [`Topology::to_record`].
    pub fn of_record(value: &StreamsGroupTopologyValue) -> Topology {
        let subtopologies: BTreeMap<Rc<str>, Subtopology> = value
            .subtopologies
            .iter()
            .map(|subtopology| (subtopology.subtopology_id.as_str().into(), subtopology.clone()))
            .collect();
        let mut readers = BTreeMap::new();
        for (id, subtopology) in &subtopologies {
            readers.extend(sources(subtopology).map(|topic| (topic.to_owned(), id.clone())));
        }
        Topology { epoch: value.epoch, subtopologies, readers }
    }

    /// As it is recorded.
    pub fn to_record(&self) -> StreamsGroupTopologyValue {
        StreamsGroupTopologyValue { epoch: self.epoch, subtopologies: self.subtopologies.values().cloned().collect() }
    }

    /// The subtopology that reads `topic`.
    pub fn reader_of(&self, topic: &str) -> Option<&Rc<str>> {
        self.readers.get(topic)
    }

    /// Every topic the application cannot do without.
    pub fn required_topics(&self) -> BTreeSet<&str> {
        let of = |subtopology| sources(subtopology).chain(changelogs(subtopology));
        self.subtopologies.values().flat_map(of).collect()
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        2 * topology_bytes(&self.to_record()) + self.readers.keys().map(|name| 96 + name.len()).sum::<usize>()
    }

    /// As StreamsGroupDescribe tells it; `partitions` is how many a topic is to have, where that is decided.
    pub fn described(&self, partitions: impl Fn(&TopicInfo) -> i32) -> describe::Topology {
        let infos = |topics: &[TopicInfo]| {
            let mut infos: Vec<_> = topics.iter().map(|topic| described_topic(topic, partitions(topic))).collect();
            infos.sort_by(|a, b| a.name.cmp(&b.name));
            infos
        };
        let subtopology = |subtopology: &Subtopology| describe::Subtopology {
            subtopology_id: subtopology.subtopology_id.clone(),
            source_topics: sorted(&subtopology.source_topics),
            repartition_sink_topics: sorted(&subtopology.repartition_sink_topics),
            state_changelog_topics: infos(&subtopology.state_changelog_topics),
            repartition_source_topics: infos(&subtopology.repartition_source_topics),
        };
        let subtopologies = self.subtopologies.values().map(subtopology).collect();
        describe::Topology { epoch: self.epoch, subtopologies: Some(subtopologies) }
    }
}

/// Topics a subtopology reads.
pub fn sources(subtopology: &Subtopology) -> impl Iterator<Item = &str> {
    let repartitions = subtopology.repartition_source_topics.iter().map(|topic| topic.name.as_str());
    subtopology.source_topics.iter().map(String::as_str).chain(repartitions)
}

fn changelogs(subtopology: &Subtopology) -> impl Iterator<Item = &str> {
    subtopology.state_changelog_topics.iter().map(|topic| topic.name.as_str())
}

/// The topics a copartition group names by their places.
pub fn copartitioned<'a>(subtopology: &'a Subtopology, group: &CopartitionGroup) -> Option<BTreeSet<&'a str>> {
    let place = |number: &i16| usize::try_from(*number).ok();
    let plain = group.source_topics.iter().map(|at| subtopology.source_topics.get(place(at)?).map(String::as_str));
    let repartitions = group.repartition_source_topics.iter();
    let repartitions =
        repartitions.map(|at| subtopology.repartition_source_topics.get(place(at)?).map(|topic| topic.name.as_str()));
    plain.chain(repartitions).collect()
}

fn check_copartitions(subtopology: &Subtopology) -> Result<(), ApiError> {
    let known = |group: &CopartitionGroup| copartitioned(subtopology, group).is_some();
    if subtopology.copartition_groups.iter().all(known) {
        return Ok(());
    }
    let id = &subtopology.subtopology_id;
    Err(broken(format!("A copartition group of subtopology {id} names a topic that the subtopology does not have.")))
}

fn recorded(said: &heartbeat::Subtopology) -> Subtopology {
    let info = |topic: &heartbeat::TopicInfo| TopicInfo {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic
            .topic_configs
            .iter()
            .map(|config| TopicConfig { key: config.key.clone(), value: config.value.clone() })
            .collect(),
    };
    let copartitions = said.copartition_groups.iter().map(|group| CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_source_topics: group.repartition_source_topics.clone(),
    });
    Subtopology {
        subtopology_id: said.subtopology_id.clone(),
        source_topics: said.source_topics.clone(),
        source_topic_regex: said.source_topic_regex.clone(),
        state_changelog_topics: said.state_changelog_topics.iter().map(info).collect(),
        repartition_sink_topics: said.repartition_sink_topics.clone(),
        repartition_source_topics: said.repartition_source_topics.iter().map(info).collect(),
        copartition_groups: copartitions.collect(),
    }
}

fn described_topic(topic: &TopicInfo, partitions: i32) -> describe::TopicInfo {
    let config = |config: &TopicConfig| describe::KeyValue { key: config.key.clone(), value: config.value.clone() };
    describe::TopicInfo {
        name: topic.name.clone(),
        partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.topic_configs.iter().map(config).collect(),
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().cloned().collect()
}

#[cfg(test)]
pub(in crate::groups) mod tests {
    use super::*;

    /// A subtopology that reads `sources` (separated by blanks).
    pub fn reading(id: &str, sources: &str) -> heartbeat::Subtopology {
        heartbeat::Subtopology { subtopology_id: id.to_owned(), source_topics: words(sources), ..Default::default() }
    }

    pub fn words(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// A topic with partitions of its own, or 0.
    pub fn info(name: &str, partitions: i32) -> heartbeat::TopicInfo {
        heartbeat::TopicInfo { name: name.to_owned(), partitions, ..Default::default() }
    }

    pub fn said(subtopologies: Vec<heartbeat::Subtopology>) -> heartbeat::Topology {
        heartbeat::Topology { epoch: 0, subtopologies }
    }

    #[test]
    fn wrong_topologies_get_kafkas_codes() {
        let copartitions = |at: i16| heartbeat::Subtopology {
            copartition_groups: vec![heartbeat::CopartitionGroup { source_topics: vec![at], ..Default::default() }],
            ..reading("0", "a b")
        };
        let long = "x".repeat(TOPOLOGY_BYTES_MAX);
        let many = (0..=SUBTOPOLOGIES_MAX).map(|number| reading(&number.to_string(), "a")).collect();
        for (name, topology, expected) in [
            ("fine", said(vec![reading("0", "a"), reading("1", "b")]), None),
            ("in place", said(vec![copartitions(1)]), None),
            ("out of place", said(vec![copartitions(2)]), Some(ErrorCode::UNKNOWN_SERVER_ERROR)),
            ("negative place", said(vec![copartitions(-1)]), Some(ErrorCode::UNKNOWN_SERVER_ERROR)),
            ("twice", said(vec![reading("0", "a"), reading("0", "b")]), Some(ErrorCode::UNKNOWN_SERVER_ERROR)),
            ("too large", said(vec![reading("0", &long)]), Some(ErrorCode::UNKNOWN_SERVER_ERROR)),
            ("too many", said(many), Some(ErrorCode::STREAMS_INVALID_TOPOLOGY)),
            ("epoch", heartbeat::Topology { epoch: -1, ..said(vec![]) }, Some(ErrorCode::UNKNOWN_SERVER_ERROR)),
        ] {
            assert_eq!(Topology::of_heartbeat(&topology).err().map(|error| error.code), expected, "{name}");
        }
    }

    #[test]
    fn names_must_be_those_of_topics_that_are_not_the_brokers() {
        let changelog = heartbeat::Subtopology { state_changelog_topics: vec![info("a b", 0)], ..reading("0", "a") };
        let sink = heartbeat::Subtopology { repartition_sink_topics: words("__consumer_offsets"), ..reading("0", "a") };
        for (subtopology, expected) in [
            (reading("0", "a"), None),
            (changelog, Some("Topic names a b are not valid topic names.")),
            (sink, Some("Use of Kafka internal topics __consumer_offsets in a Kafka Streams topology is prohibited.")),
        ] {
            let error = check_names(&said(vec![subtopology])).err();
            assert_eq!(error.as_ref().map(|error| error.message.as_str()), expected);
            assert!(error.is_none_or(|error| error.code == ErrorCode::STREAMS_INVALID_TOPOLOGY));
        }
    }

    #[test]
    fn a_topology_knows_its_topics_and_comes_back_from_its_record() {
        let subtopology = heartbeat::Subtopology {
            state_changelog_topics: vec![info("c", 0)],
            repartition_source_topics: vec![info("r", 4)],
            repartition_sink_topics: words("s"),
            ..reading("1", "b")
        };
        let topology = Topology::of_heartbeat(&said(vec![subtopology, reading("0", "a")])).expect("valid");
        assert_eq!(topology.required_topics(), BTreeSet::from(["a", "b", "c", "r"]));
        let readers = ["a", "b", "r", "c", "s"].map(|topic| topology.reader_of(topic).map(|id| &**id));
        assert_eq!(readers, [Some("0"), Some("1"), Some("1"), None, None]);
        assert_eq!(Topology::of_record(&topology.to_record()), topology);
    }
}
