//! What consumers put into the opaque metadata and assignment bytes of the classic group protocol `consumer`.

use bytes::Bytes;

use crate::wire::{DecodeError, Message, Reader, Versions};

message! {
    /// What a member subscribes to, and owns already.
    ConsumerProtocolSubscription(Versions::classic(0, 3)) {
        topics:           Vec<String>,         0+;
        user_data:        Option<Bytes>,       0+, null 0;
        owned_partitions: Vec<TopicPartition>, 1+;
        generation_id:    i32,                 2+, = -1;
        rack_id:          Option<String>,      3+, null 3;
    }

    /// Partitions of one topic, owned or assigned.
    TopicPartition {
        topic:      String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// The partitions a member was given.
    ConsumerProtocolAssignment(Versions::classic(0, 3)) {
        assigned_partitions: Vec<TopicPartition>, 0+;
        user_data:           Option<Bytes>,       0+, null 0;
    }
}

/// Reads a subscription or an assignment. A version newer than ours is read as our newest, as every consumer does: new
/// versions only add fields at the end.
pub fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.read_i16()?;
    M::decode(&mut reader, version.min(M::VERSIONS.max))
}
