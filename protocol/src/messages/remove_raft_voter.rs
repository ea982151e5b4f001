//! RemoveRaftVoter (key 81): removes a voter from the metadata quorum.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The voter.
    RemoveRaftVoterRequest(ApiKey::RemoveRaftVoter.versions()) {
        cluster_id:         Option<String>, 0+, null 0, = Some(String::new());
        voter_id:           i32,            0+;
        voter_directory_id: Uuid,           0+;
    }

    /// How it went.
    RemoveRaftVoterResponse(ApiKey::RemoveRaftVoter.versions()) {
        throttle_time_ms: i32,            0+;
        error_code:       ErrorCode,      0+;
        error_message:    Option<String>, 0+, null 0, = Some(String::new());
    }
}
