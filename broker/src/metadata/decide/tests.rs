use protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};

use super::partitions::create_partitions;
use super::topics::{create_topics, delete_topics};
use super::*;
use crate::config::Settings;
use crate::metadata::record::MetadataRecord;

const ID: Uuid = Uuid([7; 16]);

fn image() -> MetadataImage {
    let mut image = MetadataImage::default();
    image.apply(&MetadataRecord::BrokerRegistered { node_id: 1, rack: None }).expect("fits");
    let (records, results) = decide(&image, &[topic("old.name", 2, 1)]);
    assert!(results[0].1.is_ok());
    records.iter().for_each(|record| image.apply(record).expect("fits"));
    image
}

fn topic(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: factor,
        ..CreatableTopic::default()
    }
}

fn decide(image: &MetadataImage, topics: &[CreatableTopic]) -> (Vec<MetadataRecord>, topics::TopicResults) {
    let config = BrokerConfig::new(Settings::default()).expect("valid");
    let directories = [Uuid::from_random(1, 1), Uuid::from_random(2, 2)];
    let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
    let request = CreateTopicsRequest { topics: topics.to_vec(), ..CreateTopicsRequest::default() };
    let mut ids = 0;
    let new_id = || {
        ids += 1;
        if ids == 1 { ID } else { Uuid::from_random(5, ids) }
    };
    create_topics(image, &cluster, &request, new_id, &mut unbounded)
}

fn words<T>(result: &Result<T, ApiError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{}: {}", error.code.name(), error.message),
    }
}

#[test]
fn a_created_topic_has_all_its_records_and_spreads_over_directories() {
    let mut wanted = topic("new", 3, -1);
    wanted.configs.push(CreatableTopicConfig { name: "retention.ms".to_owned(), value: Some(" 5 ".to_owned()) });
    let mut image = image();
    let (records, results) = decide(&image, &[wanted]);
    let created = results[0].1.clone().expect("created");
    assert_eq!((created.partitions, created.replication_factor), (3, 1));
    // The image has one topic under the first id already; a real source of ids never repeats.
    image = MetadataImage::default();
    records.iter().for_each(|record| image.apply(record).expect("fits"));
    let topic = image.topic("new").expect("there");
    let mut used: Vec<Uuid> = topic.partitions.iter().flat_map(|partition| partition.directories.clone()).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 2, "both directories");
    assert_eq!(topic.partitions[0].leader, 1);
    assert_eq!(image.topic_config("new")["retention.ms"], "5");
}

#[test]
fn topics_are_refused_with_kafkas_codes_and_words() {
    let check = |topics: &[CreatableTopic], expected: &str| {
        let (records, results) = decide(&image(), topics);
        let (_, last) = results.last().expect("one");
        assert_eq!((records.len(), words(last).as_str()), (0, expected));
    };
    let with_config = |name: &str, value: Option<&str>| {
        let config = CreatableTopicConfig { name: name.to_owned(), value: value.map(str::to_owned) };
        CreatableTopic { configs: vec![config], ..topic("x", 1, 1) }
    };
    let with_replicas = |factor: i16, assignments: &[(i32, &[i32])]| {
        let assignments = assignments.iter().map(|(partition, brokers)| CreatableReplicaAssignment {
            partition_index: *partition,
            broker_ids: brokers.to_vec(),
        });
        CreatableTopic { assignments: assignments.collect(), ..topic("x", -1, factor) }
    };
    check(&[topic("old.name", 1, 1)], "TOPIC_ALREADY_EXISTS: Topic 'old.name' already exists.");
    check(
        &[topic("old_name", 1, 1)],
        "INVALID_TOPIC_EXCEPTION: Topic 'old_name' collides with existing topic: old.name",
    );
    check(
        &[topic("a b", 1, 1)],
        "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'a b' contains one or more characters other than ASCII \
         alphanumerics, '.', '_' and '-'",
    );
    check(
        &[topic("__cluster_metadata", 1, 1)],
        "INVALID_REQUEST: Creation of internal topic __cluster_metadata is prohibited.",
    );
    check(&[topic("x", 1, 1), topic("x", 1, 1)], "INVALID_REQUEST: Duplicate topic name.");
    check(&[topic("x", 0, 1)], "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value.");
    check(
        &[topic("x", 1, 0)],
        "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the default value.",
    );
    check(
        &[topic("x", 1, 3)],
        "INVALID_REPLICATION_FACTOR: Unable to replicate the partition 3 time(s): The target replication factor of 3 \
         cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories \
         cordoned.",
    );
    check(&[topic("x", 10_001, 1)], "POLICY_VIOLATION: Excessively large number of partitions per request.");
    check(&[with_config("nope", Some("1"))], "INVALID_CONFIG: Unknown topic config name: nope");
    check(
        &[with_config("retention.ms", None)],
        "INVALID_CONFIG: Null value not supported for topic configs: retention.ms",
    );
    check(
        &[with_replicas(1, &[(0, &[1])])],
        "INVALID_REQUEST: A manual partition assignment was specified, but replication factor was not set to -1.",
    );
    check(
        &[with_replicas(-1, &[(0, &[2])])],
        "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 2, but no such broker is registered.",
    );
    check(
        &[with_replicas(-1, &[(0, &[1, 1])])],
        "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once.",
    );
    check(
        &[with_replicas(-1, &[(0, &[1]), (2, &[1])])],
        "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence",
    );
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let by_name = |name: &str| DeleteTopicState { name: Some(name.to_owned()), topic_id: Uuid::ZERO };
    let by_id = |id: Uuid| DeleteTopicState { name: None, topic_id: id };
    let check = |topics: &[DeleteTopicState], deleted: usize, expected: &[&str]| {
        let request = DeleteTopicsRequest { topics: topics.to_vec(), ..DeleteTopicsRequest::default() };
        let (records, answers) = delete_topics(&image(), &request, &mut unbounded);
        let answers: Vec<_> = answers.iter().map(|answer| words(&answer.result)).collect();
        assert_eq!((records.len(), answers), (deleted, expected.iter().map(|one| (*one).to_owned()).collect()));
    };
    check(&[by_name("old.name")], 1, &["ok"]);
    check(&[by_id(ID)], 1, &["ok"]);
    check(&[by_name("absent")], 0, &["UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition."]);
    check(&[by_id(Uuid([8; 16]))], 0, &["UNKNOWN_TOPIC_ID: This server does not host this topic ID."]);
    check(&[by_name("old.name"), by_name("old.name")], 0, &["INVALID_REQUEST: Duplicate topic name."]);
    check(&[by_id(ID), by_id(ID)], 0, &["INVALID_REQUEST: Duplicate topic id."]);
    check(
        &[by_id(ID), by_name("old.name")],
        0,
        &["INVALID_REQUEST: The provided topic name maps to an ID that was already supplied."],
    );
    check(&[by_id(Uuid::ZERO)], 0, &["INVALID_REQUEST: Neither topic name nor id were specified."]);
    check(
        &[DeleteTopicState { name: Some("old.name".to_owned()), topic_id: ID }],
        0,
        &["INVALID_REQUEST: You may not specify both topic name and topic id."],
    );
}

#[test]
fn topics_grow_and_never_shrink() {
    let check = |name: &str, count: i32, assignments: Option<&[&[i32]]>, expected: &str| {
        let config = BrokerConfig::new(Settings::default()).expect("valid");
        let directories = [Uuid::from_random(1, 1)];
        let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
        let assignments = assignments.map(|all| {
            let assignment = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec() };
            all.iter().map(assignment).collect()
        });
        let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments };
        let request = CreatePartitionsRequest { topics: vec![topic], ..CreatePartitionsRequest::default() };
        let (records, results) = create_partitions(&image(), &cluster, &request, &mut unbounded);
        assert_eq!((words(&results[0].1).as_str(), records.len()), (expected, usize::from(expected == "ok")));
    };
    check("old.name", 5, None, "ok");
    check("old.name", 3, Some(&[&[1]]), "ok");
    check("absent", 5, None, "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.");
    check("old.name", 2, None, "INVALID_PARTITIONS: Topic already has 2 partition(s).");
    check(
        "old.name",
        1,
        None,
        "INVALID_PARTITIONS: The topic old.name currently has 2 partition(s); 1 would not be an increase.",
    );
    check(
        "old.name",
        4,
        Some(&[&[1]]),
        "INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
    );
    check(
        "old.name",
        3,
        Some(&[&[1, 2]]),
        "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 2, but no such broker is registered.",
    );
}
