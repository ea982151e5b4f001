//! The records of `__share_group_state`: where each share partition stands (KIP-932).

use crate::Uuid;
use crate::wire::Versions;

message! {
    /// Which share partition, for a full state.
    ShareSnapshotKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        topic_id:  Uuid,   0+;
        partition: i32,    0+;
    }

    /// The full state of a share partition; a null value drops it.
    ShareSnapshotValue(Versions::new(0, 0, 0)) {
        snapshot_epoch:          i32,             0+;
        state_epoch:             i32,             0+;
        leader_epoch:            i32,             0+;
        start_offset:            i64,             0+;
        delivery_complete_count: i32,             0+, tag 0, = -1;
        create_timestamp:        i64,             0+;
        write_timestamp:         i64,             0+;
        state_batches:           Vec<StateBatch>, 0+;
    }

    /// Element of [`ShareSnapshotValue::state_batches`].
    StateBatch {
        first_offset:   i64, 0+;
        last_offset:    i64, 0+;
        delivery_state: i8,  0+;
        delivery_count: i16, 0+;
    }

    /// Which share partition, for a change.
    ShareUpdateKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        topic_id:  Uuid,   0+;
        partition: i32,    0+;
    }

    /// A change to the state since the last snapshot.
    ShareUpdateValue(Versions::new(0, 0, 0)) {
        snapshot_epoch:          i32,             0+;
        leader_epoch:            i32,             0+;
        start_offset:            i64,             0+;
        delivery_complete_count: i32,             0+, tag 0, = -1;
        state_batches:           Vec<StateBatch>, 0+;
    }
}

record_types! {
    ShareSnapshotKey = 0;
    ShareUpdateKey = 1;
}
