use std::collections::BTreeMap;

use protocol::messages::streams_group_heartbeat as heartbeat;

use super::*;
use crate::groups::streams::topology::tests::{info, reading, said, words};
use crate::groups::tests::World;

/// A subtopology in a few words: what it reads and writes; a repartition topic may have partitions of its own
/// (`"r=3"`).
struct Sub {
    sources: &'static str,
    repartitions: &'static str,
    sinks: &'static str,
    changelogs: &'static str,
    /// Places of topics that are read together: of sources, of repartition topics.
    together: &'static [(&'static [i16], &'static [i16])],
}

const NONE: Sub = Sub { sources: "", repartitions: "", sinks: "", changelogs: "", together: &[] };

fn topics(words: &str) -> Vec<heartbeat::TopicInfo> {
    let topic = |word: &str| {
        let (name, partitions) = word.split_once('=').unwrap_or((word, "0"));
        info(name, partitions.parse().expect("a number"))
    };
    words.split_whitespace().map(topic).collect()
}

fn topology(subs: &[Sub]) -> Topology {
    let subtopology = |(id, sub): (usize, &Sub)| heartbeat::Subtopology {
        repartition_source_topics: topics(sub.repartitions),
        repartition_sink_topics: words(sub.sinks),
        state_changelog_topics: topics(sub.changelogs),
        copartition_groups: sub
            .together
            .iter()
            .map(|(sources, repartitions)| heartbeat::CopartitionGroup {
                source_topics: sources.to_vec(),
                repartition_source_topics: repartitions.to_vec(),
                ..Default::default()
            })
            .collect(),
        ..reading(&id.to_string(), sub.sources)
    };
    Topology::of_heartbeat(&said(subs.iter().enumerate().map(subtopology).collect())).expect("valid")
}

/// Topics there are, as `"a=3"`.
fn world(existing: &str) -> World {
    let mut world = World::new();
    for word in existing.split_whitespace() {
        let (name, partitions) = word.split_once('=').expect("name=partitions");
        world.topic(name, partitions.parse().expect("a number"));
    }
    world
}

/// What a topology comes to: tasks of each subtopology, topics to be made, status and sentence.
fn told(subs: &[Sub], existing: &str) -> Result<String, (ErrorCode, String)> {
    let configured = Configured::of(&topology(subs), &world(existing).image);
    let configured = configured.map_err(|error| (error.code, error.message))?;
    let tasks: Vec<String> = configured.subtopologies.values().map(|sub| sub.tasks.to_string()).collect();
    let missing = configured.missing.iter().map(|topic| format!("{}={}", topic.name, topic.num_partitions));
    let mut lines = vec![tasks.join(" "), missing.collect::<Vec<_>>().join(" ")];
    lines.extend(configured.problem.iter().map(|problem| format!("{} {}", problem.status().0, problem.status().1)));
    Ok(lines.join(" | "))
}

#[test]
fn own_topics_get_the_partitions_of_what_they_are_made_of() {
    let check = |name: &str, subs: &[Sub], existing: &str, expected: &str| {
        assert_eq!(told(subs, existing), Ok(expected.to_owned()), "{name}");
    };
    check("stateless", &[Sub { sources: "a b", ..NONE }], "a=3 b=2", "3 | ");
    check(
        "missing sources",
        &[Sub { sources: "d c b a", ..NONE }],
        "",
        " |  | 1 Source topics a, b, c and 1 additional topics are missing.",
    );
    check(
        "a changelog has a partition for each task",
        &[Sub { sources: "a", changelogs: "c", ..NONE }],
        "a=3",
        "3 | c=3 | 3 Internal topics are missing: c",
    );
    check("it is there", &[Sub { sources: "a", changelogs: "c", ..NONE }], "a=3 c=3", "3 | ");
    check(
        "it is there with other partitions",
        &[Sub { sources: "a", changelogs: "c", ..NONE }],
        "a=3 c=2",
        " |  | 2 Existing topic c has different number of partitions: expected 3, found 2",
    );
    let chain = || {
        [
            Sub { repartitions: "r2", sinks: "r3", ..NONE },
            Sub { repartitions: "r1", sinks: "r2", changelogs: "c", ..NONE },
            Sub { sources: "a b", sinks: "r1", ..NONE },
            Sub { repartitions: "r3", ..NONE },
        ]
    };
    check(
        "repartition topics of repartition topics",
        &chain(),
        "a=3 b=5",
        "5 5 5 5 | c=5 r1=5 r2=5 r3=5 | 3 Internal topics are missing: c, r1, r2 and 1 additional topics",
    );
    check(
        "one with partitions of its own",
        &[Sub { sources: "a", sinks: "r", ..NONE }, Sub { repartitions: "r=7", changelogs: "c", ..NONE }],
        "a=3",
        "3 7 | c=7 r=7 | 3 Internal topics are missing: c, r",
    );
}

#[test]
fn topics_that_are_read_together_have_equally_many_partitions() {
    let check = |name: &str, subs: &[Sub], existing: &str, expected: &str| {
        assert_eq!(told(subs, existing), Ok(expected.to_owned()), "{name}");
    };
    let joined = |repartitions: &'static str| {
        [
            Sub { sources: "a", sinks: "r s", ..NONE },
            Sub { sources: "b", repartitions, together: &[(&[0], &[0])], ..NONE },
        ]
    };
    check("as the topic it is joined with", &joined("r"), "a=3 b=5", "3 5 | r=5 | 3 Internal topics are missing: r");
    check(
        "unless it has its own",
        &joined("r=4"),
        "a=3 b=5",
        " |  | 2 Number of partitions [4] of repartition topic [r] doesn't match number of partitions [5] of the source \
         topic.",
    );
    check(
        "plain topics",
        &[Sub { sources: "b a", together: &[(&[0, 1], &[])], ..NONE }],
        "a=3 b=5",
        " |  | 2 Following topics do not have the same number of partitions: [{a=3, b=5}]",
    );
    let two = |repartitions: &'static str| {
        [
            Sub { sources: "a", sinks: "r", ..NONE },
            Sub { sources: "b", sinks: "s", ..NONE },
            Sub { repartitions, together: &[(&[], &[0, 1])], ..NONE },
        ]
    };
    check("the larger of two", &two("r s"), "a=3 b=5", "3 5 5 | r=5 s=5 | 3 Internal topics are missing: r, s");
    check("the one that is fixed", &two("r=4 s"), "a=3 b=5", "3 5 4 | r=4 s=4 | 3 Internal topics are missing: r, s");
    check(
        "two that are fixed",
        &two("r=4 s=6"),
        "a=3 b=5",
        " |  | 2 Following topics do not have the same number of partitions: [{r=4, s=6}]",
    );
}

#[test]
fn topologies_that_can_never_work_are_refused() {
    let check = |name: &str, subs: &[Sub], expected: ErrorCode| {
        assert_eq!(told(subs, "a=3").map_err(|(code, _)| code), Err(expected), "{name}");
    };
    let a_loop = [Sub { repartitions: "r", sinks: "s", ..NONE }, Sub { repartitions: "s", sinks: "r", ..NONE }];
    check("a loop", &a_loop, ErrorCode::STREAMS_INVALID_TOPOLOGY);
    check("never written", &[Sub { sources: "a", repartitions: "r", ..NONE }], ErrorCode::STREAMS_INVALID_TOPOLOGY);
    check("reads nothing", &[Sub { changelogs: "c", ..NONE }], ErrorCode::STREAMS_INVALID_TOPOLOGY);
    check("negative", &[Sub { sources: "a", repartitions: "r=-1", ..NONE }], ErrorCode::UNKNOWN_SERVER_ERROR);
}

#[test]
fn topics_are_made_with_their_own_settings() {
    let mut subtopology = reading("0", "a");
    let config = |key: &str, value: &str| heartbeat::KeyValue { key: key.to_owned(), value: value.to_owned() };
    let topic_configs = vec![config("retention.ms", "-1"), config("cleanup.policy", "compact")];
    subtopology.state_changelog_topics =
        vec![heartbeat::TopicInfo { replication_factor: 3, topic_configs, ..info("c", 0) }, info("d", 0)];
    let topology = Topology::of_heartbeat(&said(vec![subtopology])).expect("valid");
    let configured = Configured::of(&topology, &world("a=2").image).expect("fits");
    let made: Vec<_> =
        configured.missing.iter().map(|topic| (topic.num_partitions, topic.replication_factor)).collect();
    assert_eq!(made, [(2, 3), (2, -1)]);
    let configs: BTreeMap<_, _> =
        configured.missing[0].configs.iter().map(|config| (config.name.as_str(), config.value.as_deref())).collect();
    assert_eq!(configs, BTreeMap::from([("cleanup.policy", Some("compact")), ("retention.ms", Some("-1"))]));
}
