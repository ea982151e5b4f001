//! What is checked of a StreamsGroupHeartbeat request before its group is looked for (GroupCoordinatorService.java).

use protocol::ErrorCode;
use protocol::messages::StreamsGroupHeartbeatRequest;
use protocol::messages::streams_group_heartbeat::{TaskIds, Topology};

use super::member::LEAVE_STATIC_EPOCH;
use super::topology::check_names;
use crate::metadata::decide::ApiError;

/// Longest texts of a member, together: they must fit into a record.
const MEMBER_BYTES_MAX: usize = 512 * 1024;

/// Checks a request in itself.
pub fn check_streams_heartbeat(request: &StreamsGroupHeartbeatRequest) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    if let Some(topology) = &request.topology {
        check_names(topology)?;
        if topology.subtopologies.iter().any(|subtopology| !subtopology.source_topic_regex.is_empty()) {
            return invalid("Regular expressions for source topics are not supported yet.");
        }
    }
    let blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
    for (text, message) in [
        (Some(request.member_id.as_str()), "MemberId can't be empty."),
        (Some(request.group_id.as_str()), "GroupId can't be empty."),
        (request.instance_id.as_deref(), "InstanceId can't be empty."),
        (request.rack_id.as_deref(), "RackId can't be empty."),
    ] {
        if blank(text) {
            return invalid(message);
        }
    }
    match request.member_epoch {
        0 => check_join(request)?,
        LEAVE_STATIC_EPOCH if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        epoch if epoch < LEAVE_STATIC_EPOCH => {
            return invalid(&format!("MemberEpoch is {epoch}, but must be greater than or equal to -2."));
        }
        _ => {}
    }
    if text_bytes(request) > MEMBER_BYTES_MAX {
        // As Kafka, whose log refuses the record.
        return Err(ErrorCode::UNKNOWN_SERVER_ERROR.into());
    }
    let roles = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    if roles.iter().any(|tasks| tasks.is_some()) && roles.iter().any(|tasks| tasks.is_none()) {
        return invalid("If one task-type is non-null, all must be non-null.");
    }
    if request.member_epoch != 0 && request.topology.is_some() {
        return invalid("Topology can only be provided when (re-)joining.");
    }
    Ok(())
}

fn text_bytes(request: &StreamsGroupHeartbeatRequest) -> usize {
    let texts = [&request.instance_id, &request.rack_id, &request.process_id];
    let tags = request.client_tags.iter().flatten().map(|tag| 16 + tag.key.len() + tag.value.len());
    request.member_id.len()
        + request.user_endpoint.as_ref().map_or(0, |endpoint| endpoint.host.len())
        + texts.iter().map(|text| text.as_ref().map_or(0, String::len)).sum::<usize>()
        + tags.sum::<usize>()
}

fn check_join(request: &StreamsGroupHeartbeatRequest) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let none = |tasks: &Option<Vec<TaskIds>>| tasks.as_ref().is_some_and(Vec::is_empty);
    if request.rebalance_timeout_ms == -1 {
        return invalid("RebalanceTimeoutMs must be provided in first request.");
    }
    if !none(&request.active_tasks) {
        return invalid("ActiveTasks must be empty when (re-)joining.");
    }
    if !none(&request.standby_tasks) {
        return invalid("StandbyTasks must be empty when (re-)joining.");
    }
    if !none(&request.warmup_tasks) {
        return invalid("WarmupTasks must be empty when (re-)joining.");
    }
    match &request.topology {
        None => invalid("Topology must be non-null when (re-)joining."),
        Some(topology) => check_changelogs(topology),
    }
}

/// Changelogs get as many partitions as there are tasks: nobody else may say how many.
fn check_changelogs(topology: &Topology) -> Result<(), ApiError> {
    let mut changelogs = topology.subtopologies.iter().flat_map(|subtopology| &subtopology.state_changelog_topics);
    match changelogs.find(|topic| topic.partitions != 0) {
        None => Ok(()),
        Some(topic) => Err(ApiError::new(
            ErrorCode::STREAMS_INVALID_TOPOLOGY,
            format!(
                "Changelog topic {} must have an undefined partition count, but it is set to {}.",
                topic.name, topic.partitions
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::{info, reading, said, words};
    use super::*;

    fn join() -> StreamsGroupHeartbeatRequest {
        StreamsGroupHeartbeatRequest {
            group_id: "g".to_owned(),
            member_id: "m".to_owned(),
            rebalance_timeout_ms: 5,
            topology: Some(said(vec![reading("0", "a")])),
            active_tasks: Some(Vec::new()),
            standby_tasks: Some(Vec::new()),
            warmup_tasks: Some(Vec::new()),
            ..Default::default()
        }
    }

    #[test]
    fn wrong_requests_get_kafkas_codes() {
        use ErrorCode as E;
        type Change = fn(&mut StreamsGroupHeartbeatRequest);
        let cases: &[(&str, Change, ErrorCode)] = &[
            ("a join", |_| {}, E::NONE),
            ("no member id", |r| r.member_id = " ".to_owned(), E::INVALID_REQUEST),
            ("much to say", |r| r.process_id = Some("p".repeat(MEMBER_BYTES_MAX)), E::UNKNOWN_SERVER_ERROR),
            ("no group id", |r| r.group_id = String::new(), E::INVALID_REQUEST),
            ("blank instance", |r| r.instance_id = Some(String::new()), E::INVALID_REQUEST),
            ("blank rack", |r| r.rack_id = Some(" ".to_owned()), E::INVALID_REQUEST),
            ("no timeout", |r| r.rebalance_timeout_ms = -1, E::INVALID_REQUEST),
            ("says nothing of active tasks", |r| r.active_tasks = None, E::INVALID_REQUEST),
            ("has copies", |r| r.standby_tasks = Some(vec![TaskIds::default()]), E::INVALID_REQUEST),
            ("says nothing of warm-up tasks", |r| r.warmup_tasks = None, E::INVALID_REQUEST),
            ("no topology", |r| r.topology = None, E::INVALID_REQUEST),
            ("topology later", |r| r.member_epoch = 1, E::INVALID_REQUEST),
            ("alive", |r| (r.member_epoch, r.topology) = (1, None), E::NONE),
            (
                "half of its tasks",
                |r| (r.member_epoch, r.topology, r.warmup_tasks) = (1, None, None),
                E::INVALID_REQUEST,
            ),
            ("leaves", |r| (r.member_epoch, r.topology) = (-1, None), E::NONE),
            ("leaves for now", |r| (r.member_epoch, r.topology) = (-2, None), E::INVALID_REQUEST),
            (
                "a static member leaves for now",
                |r| (r.member_epoch, r.topology, r.instance_id) = (-2, None, Some("i".to_owned())),
                E::NONE,
            ),
            ("no epoch", |r| (r.member_epoch, r.topology) = (-3, None), E::INVALID_REQUEST),
            (
                "a pattern",
                |r| r.topology.iter_mut().for_each(|t| t.subtopologies[0].source_topic_regex = words("a.*")),
                E::INVALID_REQUEST,
            ),
            (
                "a changelog with partitions",
                |r| r.topology.iter_mut().for_each(|t| t.subtopologies[0].state_changelog_topics = vec![info("c", 1)]),
                E::STREAMS_INVALID_TOPOLOGY,
            ),
            (
                "an internal topic",
                |r| r.topology.iter_mut().for_each(|t| t.subtopologies[0].source_topics = words("__consumer_offsets")),
                E::STREAMS_INVALID_TOPOLOGY,
            ),
        ];
        for (name, change, expected) in cases {
            let mut request = join();
            change(&mut request);
            let code = check_streams_heartbeat(&request).map_or_else(|error| error.code, |()| E::NONE);
            assert_eq!(code, *expected, "{name}");
        }
    }
}
