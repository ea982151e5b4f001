//! Creating and deleting topics.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::delete_topics::DeleteTopicsRequest;
use protocol::{ErrorCode, Uuid};

use crate::config::Values;
use crate::metadata::decide::configs::check_topic_configs;
use crate::metadata::decide::{
    ApiError, Cluster, Directories, PARTITIONS_PER_REQUEST_MAX, Permit, check_replicas, choose_replicas,
};
use crate::metadata::image::{MetadataImage, is_internal_topic};
use crate::metadata::log::METADATA_TOPIC;
use crate::metadata::record::{MetadataRecord, PartitionRecord, ResourceId};
use crate::topic_name;

/// A topic that is being created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: i32,
    /// Replicas of each.
    pub replication_factor: i16,
    /// What was set on it.
    pub configs: Values,
}

/// Results in the order of the request, topics named twice at the end.
pub type TopicResults = Vec<(String, Result<CreatedTopic, ApiError>)>;

/// Decides on a CreateTopics request. `new_id` makes random ids. The records are to be dropped for `validate_only`.
pub fn create_topics(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    request: &CreateTopicsRequest,
    mut new_id: impl FnMut() -> Uuid,
    permit: Permit<'_>,
) -> (Vec<MetadataRecord>, TopicResults) {
    let (topics, doubles) = without_doubles(&request.topics);
    if partitions_asked_for(&topics, cluster) > PARTITIONS_PER_REQUEST_MAX {
        let error = ApiError::new(ErrorCode::POLICY_VIOLATION, "Excessively large number of partitions per request.");
        let results = request.topics.iter().map(|topic| (topic.name.clone(), Err(error.clone()))).collect();
        return (Vec::new(), results);
    }
    let mut records = Vec::new();
    let mut results = TopicResults::new();
    let mut directories = Directories::of(image, cluster);
    let colliding = colliding_names(image, &topics);
    for topic in topics {
        let created = check_name(image, topic, &colliding)
            .and_then(|()| create_topic(image, cluster, topic, &mut directories, &mut new_id, permit, &mut records));
        results.push((topic.name.clone(), created));
    }
    let duplicate = || Err(ApiError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name."));
    results.extend(doubles.into_iter().map(|name| (name, duplicate())));
    (records, results)
}

fn without_doubles(topics: &[CreatableTopic]) -> (Vec<&CreatableTopic>, BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    let doubles: BTreeSet<String> =
        topics.iter().filter(|topic| !seen.insert(&topic.name)).map(|topic| topic.name.clone()).collect();
    (topics.iter().filter(|topic| !doubles.contains(&topic.name)).collect(), doubles)
}

fn partitions_asked_for(topics: &[&CreatableTopic], cluster: &Cluster<'_>) -> i64 {
    let count = |topic: &&CreatableTopic| match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
        -1 => i64::from(cluster.config.num_partitions),
        partitions => i64::from(partitions.max(0)),
    };
    topics.iter().map(count).sum()
}

/// Existing names by their form with '.' as '_', for the wanted names that have such a character: metrics and
/// directories of the two would be mixed up.
fn colliding_names(image: &MetadataImage, topics: &[&CreatableTopic]) -> BTreeMap<String, String> {
    if !topics.iter().any(|topic| topic.name.contains(['.', '_'])) {
        return BTreeMap::new();
    }
    let existing = image.topics().filter(|topic| topic.name.contains(['.', '_']));
    existing.map(|topic| (topic.name.replace('.', "_"), topic.name.to_string())).collect()
}

fn check_name(
    image: &MetadataImage,
    topic: &CreatableTopic,
    colliding: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let name = &topic.name;
    if name == METADATA_TOPIC {
        let message = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
        return Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    }
    if image.topic(name).is_some() {
        return Err(ApiError::new(ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists.")));
    }
    topic_name::check(name).map_err(|error| {
        ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic name is invalid: {error}"))
    })?;
    match colliding.get(&name.replace('.', "_")) {
        Some(other) => Err(ApiError::new(
            ErrorCode::INVALID_TOPIC_EXCEPTION,
            format!("Topic '{name}' collides with existing topic: {other}"),
        )),
        None => Ok(()),
    }
}

fn create_topic(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    topic: &CreatableTopic,
    directories: &mut Directories,
    new_id: &mut impl FnMut() -> Uuid,
    permit: Permit<'_>,
    records: &mut Vec<MetadataRecord>,
) -> Result<CreatedTopic, ApiError> {
    let configs = creation_configs(topic, cluster)?;
    let replicas = if topic.assignments.is_empty() {
        automatic_replicas(image, cluster, topic)?
    } else {
        manual_replicas(image, topic)?
    };
    permit(replicas.len())?;
    let partitions: Vec<PartitionRecord> =
        replicas.iter().map(|replicas| directories.place(replicas, cluster.node_id)).collect();
    let id = new_id();
    let created = CreatedTopic {
        id,
        partitions: partitions.len() as i32,
        replication_factor: partitions.first().map_or(0, |partition| partition.replicas.len() as i16),
        configs: configs.clone(),
    };
    records.push(MetadataRecord::TopicCreated { name: topic.name.clone(), id });
    records.extend(configs.into_iter().map(|(name, value)| MetadataRecord::ConfigChanged {
        resource: ResourceId::topic(&topic.name),
        name,
        value: Some(value),
    }));
    records.push(MetadataRecord::PartitionsAdded { topic: id, partitions });
    Ok(created)
}

fn creation_configs(topic: &CreatableTopic, cluster: &Cluster<'_>) -> Result<Values, ApiError> {
    let nulls: Vec<_> =
        topic.configs.iter().filter(|config| config.value.is_none()).map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
    }
    let values = topic.configs.iter().filter_map(|config| Some((config.name.clone(), config.value.clone()?)));
    check_topic_configs(values.collect(), &cluster.config.settings)
}

fn automatic_replicas(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    topic: &CreatableTopic,
) -> Result<Vec<Vec<i32>>, ApiError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return Err(ApiError::new(
            ErrorCode::INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        return Err(ApiError::new(
            ErrorCode::INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.",
        ));
    }
    let partitions = if topic.num_partitions == -1 { cluster.config.num_partitions } else { topic.num_partitions };
    let factor = match topic.replication_factor {
        -1 => cluster.config.default_replication_factor,
        factor => factor,
    };
    let replicas = choose_replicas(image, cluster, usize::try_from(factor).unwrap_or_default()).map_err(|reason| {
        let message = format!("Unable to replicate the partition {factor} time(s): {reason}");
        ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message)
    })?;
    Ok(vec![replicas; usize::try_from(partitions).unwrap_or_default()])
}

fn manual_replicas(image: &MetadataImage, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, ApiError> {
    let wrong = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    if topic.replication_factor != -1 {
        return wrong("A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if topic.num_partitions != -1 {
        return wrong("A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    let mut by_partition = BTreeMap::new();
    let mut factor = None;
    for assignment in &topic.assignments {
        check_replicas(image, &assignment.broker_ids, factor)?;
        factor = Some(assignment.broker_ids.len());
        if by_partition.insert(assignment.partition_index, assignment.broker_ids.clone()).is_some() {
            let message =
                format!("Found multiple manual partition assignments for partition {}", assignment.partition_index);
            return Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
    }
    if !by_partition.keys().copied().eq(0..by_partition.len() as i32) {
        return Err(ApiError::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    Ok(by_partition.into_values().collect())
}

/// One answer of DeleteTopics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The name that was given, or that belongs to the id.
    pub name: Option<String>,
    /// The id that was given, or that belongs to the name.
    pub id: Uuid,
    /// How it went.
    pub result: Result<(), ApiError>,
}

/// Decides on a DeleteTopics request by names (up to version 5), or names and ids (ControllerApis.deleteTopics).
pub fn delete_topics(
    image: &MetadataImage,
    request: &DeleteTopicsRequest,
    permit: Permit<'_>,
) -> (Vec<MetadataRecord>, Vec<Deletion>) {
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let mut answers = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ids: BTreeMap<Uuid, usize> = BTreeMap::new();
    request.topic_names.iter().for_each(|name| *names.entry(name).or_default() += 1);
    for topic in &request.topics {
        match (&topic.name, topic.topic_id) {
            (None, Uuid::ZERO) => {
                let result = invalid("Neither topic name nor id were specified.");
                answers.push(Deletion { name: None, id: Uuid::ZERO, result });
            }
            (None, id) => *ids.entry(id).or_default() += 1,
            (Some(name), Uuid::ZERO) => *names.entry(name).or_default() += 1,
            (Some(name), id) => {
                let result = invalid("You may not specify both topic name and topic id.");
                answers.push(Deletion { name: Some(name.clone()), id, result });
            }
        }
    }
    let mut doomed: BTreeMap<Uuid, String> = BTreeMap::new();
    for (&id, &times) in &ids {
        let topic = image.topic_by_id(id);
        match topic {
            _ if times > 1 => answers.push(Deletion { name: None, id, result: invalid("Duplicate topic id.") }),
            None => answers.push(Deletion { name: None, id, result: Err(ErrorCode::UNKNOWN_TOPIC_ID.into()) }),
            Some(topic) => drop(doomed.insert(id, topic.name.to_string())),
        }
    }
    for (name, times) in names {
        let named = |id, result| Deletion { name: Some(name.to_owned()), id, result };
        match image.topic(name) {
            _ if times > 1 => answers.push(named(Uuid::ZERO, invalid("Duplicate topic name."))),
            None => answers.push(named(Uuid::ZERO, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into()))),
            Some(topic) if ids.contains_key(&topic.id) => {
                doomed.remove(&topic.id);
                let result = invalid("The provided topic name maps to an ID that was already supplied.");
                answers.push(named(topic.id, result));
            }
            Some(topic) => drop(doomed.insert(topic.id, name.to_owned())),
        }
    }
    let mut records = Vec::new();
    for (id, name) in doomed {
        let result = permit(image.topic_by_id(id).map_or(0, |topic| topic.partitions.len()));
        if result.is_ok() {
            records.push(MetadataRecord::TopicDeleted { id });
        }
        answers.push(Deletion { name: Some(name), id, result });
    }
    (records, answers)
}

/// A request that creates a topic the broker itself needs, with settings of its own: `__consumer_offsets` and the like.
/// Replicas beyond the brokers there are, as the defaults of these topics ask for, are left out.
pub fn internal_topic(
    image: &MetadataImage,
    name: &str,
    partitions: i32,
    replication_factor: i16,
    configs: &[(&str, String)],
) -> CreateTopicsRequest {
    debug_assert!(is_internal_topic(name));
    let brokers = i16::try_from(image.brokers.len().max(1)).unwrap_or(i16::MAX);
    let config = |(name, value): &(&str, String)| protocol::messages::create_topics::CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some(value.clone()),
    };
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: replication_factor.min(brokers),
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() }
}
