//! StreamsGroupTopologyDescriptionUpdate (key 93): takes the topology description of a Kafka Streams group (KIP-1331).

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The description, when the broker asked for it.
    StreamsGroupTopologyDescriptionUpdateRequest(ApiKey::StreamsGroupTopologyDescriptionUpdate.versions()) {
        group_id:             String,              0+;
        member_id:            String,              0+;
        topology_epoch:       i32,                 0+;
        topology_description: TopologyDescription, 0+;
    }

    /// Value of [`StreamsGroupTopologyDescriptionUpdateRequest::topology_description`].
    TopologyDescription {
        subtopologies: Vec<TopologyDescriptionSubtopology>, 0+;
        global_stores: Vec<TopologyDescriptionGlobalStore>, 0+;
    }

    /// Element of [`TopologyDescription::subtopologies`].
    TopologyDescriptionSubtopology {
        subtopology_id: String,                       0+;
        nodes:          Vec<TopologyDescriptionNode>, 0+;
    }

    /// Element of [`TopologyDescriptionSubtopology::nodes`].
    TopologyDescriptionNode {
        name:          String,         0+;
        node_type:     i8,             0+;
        source_topics: Vec<String>,    0+;
        sink_topic:    Option<String>, 0+, null 0;
        stores:        Vec<String>,    0+;
        successors:    Vec<String>,    0+;
    }

    /// Element of [`TopologyDescription::global_stores`].
    TopologyDescriptionGlobalStore {
        source:    TopologyDescriptionNode, 0+;
        processor: TopologyDescriptionNode, 0+;
    }

    /// How it went.
    StreamsGroupTopologyDescriptionUpdateResponse(ApiKey::StreamsGroupTopologyDescriptionUpdate.versions()) {
        throttle_time_ms: i32,            0+;
        error_code:       ErrorCode,      0+;
        error_message:    Option<String>, 0+, null 0;
    }
}
