use std::sync::Arc;

use protocol::Uuid;

use super::*;
use crate::config::{BrokerConfig, Settings};

fn image() -> MetadataImage {
    let mut image = MetadataImage::default();
    for record in [
        MetadataRecord::BrokerRegistered { node_id: 1, rack: None },
        MetadataRecord::TopicCreated { name: "t".to_owned(), id: Uuid::from_random(1, 1) },
        MetadataRecord::ConfigChanged {
            resource: ResourceId::topic("t"),
            name: "retention.ms".to_owned(),
            value: Some("5".to_owned()),
        },
    ] {
        image.apply(&record).expect("fits");
    }
    image
}

/// `kind name op config=value...`, where op is set, delete, append or subtract.
fn request(text: &str) -> incremental_alter_configs::IncrementalAlterConfigsRequest {
    let resource = |line: &str| {
        let mut words = line.split_whitespace();
        let kind = match words.next().expect("kind") {
            "topic" => 2,
            "broker" => 4,
            "metrics" => 16,
            "group" => 32,
            _ => 99,
        };
        let name = words.next().expect("name").replace("default", "");
        let mut configs = Vec::new();
        while let (Some(operation), Some(pair)) = (words.next(), words.next()) {
            let (config, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            let operations = ["set", "delete", "append", "subtract"];
            configs.push(incremental_alter_configs::AlterableConfig {
                name: config.to_owned(),
                config_operation: operations.iter().position(|one| *one == operation).map_or(9, |index| index as i8),
                value: value.map(str::to_owned),
            });
        }
        incremental_alter_configs::AlterConfigsResource { resource_type: kind, resource_name: name, configs }
    };
    let resources = text.split(';').map(resource).collect();
    incremental_alter_configs::IncrementalAlterConfigsRequest { resources, validate_only: false }
}

fn run(text: &str) -> (Vec<String>, Vec<Result<(), String>>) {
    let config = BrokerConfig::new(Settings::default()).expect("valid");
    let directories = [Uuid::from_random(9, 9)];
    let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
    let (records, results) = incremental_alter_configs(&image(), &cluster, request(text));
    let show = |record: &MetadataRecord| match record {
        MetadataRecord::ConfigChanged { name, value, .. } => {
            format!("{name}={}", value.as_deref().unwrap_or("-"))
        }
        other => format!("{other:?}"),
    };
    let words = |error: ApiError| format!("{}: {}", error.code.name(), error.message);
    (records.iter().map(show).collect(), results.into_iter().map(|result| result.map_err(words)).collect())
}

#[test]
fn accepted_changes_become_the_records_that_differ() {
    let check = |text: &str, expected: &[&str]| {
        let (records, results) = run(text);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(records, expected, "{text}");
    };
    check("topic t set retention.ms=7", &["retention.ms=7"]);
    check("topic t set retention.ms=5", &[]);
    check("topic t delete retention.ms", &["retention.ms=-"]);
    check("topic t delete segment.ms", &[]);
    check("topic t append cleanup.policy=compact", &["cleanup.policy=delete,compact"]);
    check("topic t subtract cleanup.policy=delete", &["cleanup.policy="]);
    check("topic t set message.format.version=2.0", &[]);
    check("broker default set message.max.bytes=1000", &["message.max.bytes=1000"]);
    check("broker 1 set log.retention.ms=1000", &["log.retention.ms=1000"]);
    check("group g set consumer.session.timeout.ms=50000", &["consumer.session.timeout.ms=50000"]);
    check("metrics m set interval.ms=1000 set match=client_id=a.*", &["interval.ms=1000", "match=client_id=a.*"]);
    check("topic t set segment.ms=1;broker default set log.roll.ms=2", &["segment.ms=1", "log.roll.ms=2"]);
}

#[test]
fn refused_changes_have_kafkas_code_and_words_and_no_records() {
    let check = |text: &str, expected: &str| {
        let (records, results) = run(text);
        assert_eq!((records.len(), results.last()), (0, Some(&Err(expected.to_owned()))), "{text}");
    };
    check("topic t set nope=1", "INVALID_CONFIG: Unknown topic config name: nope");
    check(
        "topic t set retention.ms=-2",
        "INVALID_CONFIG: Invalid value -2 for configuration retention.ms: Value must be at least -1",
    );
    check("topic t set retention.ms=1 set retention.ms=2", "INVALID_REQUEST: Error due to duplicate config keys");
    check("topic t set retention.ms", "INVALID_REQUEST: Null value not supported for : retention.ms");
    check(
        "topic t append retention.ms=1",
        "INVALID_CONFIG: Can't APPEND to key retention.ms because its type is not LIST.",
    );
    check("topic t what retention.ms=1", "INVALID_REQUEST: Unknown operations type 9");
    check(
        "topic t set min.compaction.lag.ms=2 set max.compaction.lag.ms=1",
        "INVALID_CONFIG: conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)",
    );
    check("topic absent set retention.ms=1", "UNKNOWN_TOPIC_OR_PARTITION: The topic 'absent' does not exist.");
    check("topic default set retention.ms=1", "INVALID_REQUEST: Default topic resources are not allowed.");
    check("broker 2 set log.retention.ms=1", "INVALID_REQUEST: Unexpected broker id, expected 1, but received 2");
    check("broker x set log.retention.ms=1", "INVALID_REQUEST: Node id must be an integer, but it is: x");
    check(
        "broker 1 set num.partitions=2",
        "INVALID_REQUEST: Cannot update these configs dynamically: [num.partitions]",
    );
    check(
        "broker default set max.connections=0",
        "INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Invalid max.connections 0 for \
         configuration Invalid dynamic configuration",
    );
    check(
        "broker 1 set log.retention.ms=0",
        "INVALID_REQUEST: requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    );
    check(
        "broker 1 set ssl.keystore.type=JKS",
        "INVALID_REQUEST: These security configs can be dynamically updated only per-listener using the listener \
         prefix: [ssl.keystore.type]",
    );
    check(
        "broker default set cordoned.log.dirs=/a",
        "INVALID_REQUEST: Cannot update these configs at default cluster level, broker id must be specified: \
         [cordoned.log.dirs]",
    );
    check(
        "group g set consumer.session.timeout.ms=1",
        "INVALID_CONFIG: consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.",
    );
    check("other x set a=1", "INVALID_REQUEST: Unknown resource type 99");
    check(
        "topic t set segment.ms=1;topic t set segment.ms=2",
        "INVALID_REQUEST: Each resource must appear at most once.",
    );
    let long = "x".repeat(40_000);
    check(
        &format!("group g set errors.deadletterqueue.topic.name={long}"),
        "INVALID_CONFIG: The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
    );
}

#[test]
fn the_older_request_unsets_what_it_does_not_name() {
    let config = BrokerConfig::new(Settings::default()).expect("valid");
    let directories = [Uuid::from_random(9, 9)];
    let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
    let request = alter_configs::AlterConfigsRequest {
        resources: vec![alter_configs::AlterConfigsResource {
            resource_type: 2,
            resource_name: "t".to_owned(),
            configs: vec![alter_configs::AlterableConfig {
                name: "segment.ms".to_owned(),
                value: Some("9".to_owned()),
            }],
        }],
        validate_only: false,
    };
    let mut image = image();
    let (records, results) = super::alter_configs(&image, &cluster, request);
    assert_eq!(results, [Ok(())]);
    records.iter().for_each(|record| image.apply(record).expect("fits"));
    let values: Values = [("segment.ms".to_owned(), "9".to_owned())].into();
    assert_eq!(image.topic_config("t"), Arc::new(values));
}
