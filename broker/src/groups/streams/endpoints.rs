//! Whom a member can ask for what: the endpoints members have named (`application.server`), each with the partitions whose
//! state is there (EndpointToPartitionsManager.java).

use std::collections::BTreeMap;

use protocol::messages::streams_group_heartbeat::{Endpoint, EndpointToPartitions, TopicPartition};

use super::tasks::TaskId;
use super::topology::sources;
use super::{StreamsGroup, StreamsMember};
use crate::metadata::MetadataImage;

impl StreamsGroup {
    /// All endpoints. Tasks that warm up are told as standby copies, as which clients run them.
    pub(super) fn partitions_by_endpoint(&self, image: &MetadataImage) -> Vec<EndpointToPartitions> {
        let endpoint = |member: &StreamsMember| {
            let at = member.about.user_endpoint.as_ref()?;
            let assigned = &member.assigned;
            Some(EndpointToPartitions {
                user_endpoint: Endpoint { host: at.host.clone(), port: at.port },
                active_partitions: self.partitions_of(assigned.active.keys(), image),
                standby_partitions: self.partitions_of(assigned.standby.union(&assigned.warmup), image),
            })
        };
        self.members.values().filter_map(endpoint).collect()
    }

    fn partitions_of<'a>(&self, tasks: impl Iterator<Item = &'a TaskId>, image: &MetadataImage) -> Vec<TopicPartition> {
        let mut by_subtopology: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for task in tasks {
            by_subtopology.entry(&task.subtopology).or_default().push(task.partition);
        }
        let mut partitions = Vec::new();
        for (id, numbers) in by_subtopology {
            let subtopology = self.topology.as_ref().and_then(|topology| topology.subtopologies.get(id));
            for topic in subtopology.into_iter().flat_map(sources).filter_map(|name| image.topic(name)) {
                // A smaller topic has no partition for the tasks of the largest.
                let exists = |number: &i32| topic.partition(*number).is_some();
                let numbers: Vec<i32> = numbers.iter().copied().filter(exists).collect();
                if !numbers.is_empty() {
                    partitions.push(TopicPartition { topic: topic.name.to_string(), partitions: numbers });
                }
            }
        }
        partitions
    }
}
