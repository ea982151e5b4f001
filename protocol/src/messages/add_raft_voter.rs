//! AddRaftVoter (key 80): adds a voter to the metadata quorum.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The voter and its endpoints.
    AddRaftVoterRequest(ApiKey::AddRaftVoter.versions()) {
        cluster_id:         Option<String>, 0+, null 0, = Some(String::new());
        timeout_ms:         i32,            0+;
        voter_id:           i32,            0+;
        voter_directory_id: Uuid,           0+;
        listeners:          Vec<Listener>,  0+;
        ack_when_committed: bool,           1+, = true;
    }

    /// Element of [`AddRaftVoterRequest::listeners`].
    Listener {
        name: String, 0+;
        host: String, 0+;
        port: u16,    0+;
    }

    /// How it went.
    AddRaftVoterResponse(ApiKey::AddRaftVoter.versions()) {
        throttle_time_ms: i32,            0+;
        error_code:       ErrorCode,      0+;
        error_message:    Option<String>, 0+, null 0, = Some(String::new());
    }
}
