//! The APIs of Kafka 4.4 and their versions (clients/src/main/resources/common/message/*.json).

use std::fmt;

use crate::wire::Versions;

macro_rules! api_keys {
    ($(
        $name:ident = $key:literal, $min:literal - $max:literal, flexible $flexible:tt $(, unstable $unstable:literal)?;
    )*) => {
        /// The kind of a request; its number is the first field of the request's header.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey { $(
            #[doc = concat!("Key ", $key, ", versions ", $min, " to ", $max, ".")]
            $name = $key,
        )* }

        impl ApiKey {
            /// Every API, by key.
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name),*];

            /// The API of a request header's key.
            pub const fn from_code(key: i16) -> Option<ApiKey> {
                match key {
                    $($key => Some(ApiKey::$name),)*
                    _ => None,
                }
            }

            /// The versions Kafka 4.4 defines.
            pub const fn versions(self) -> Versions {
                match self {
                    $(ApiKey::$name => Versions::new($min, $max, first_flexible!($flexible)),)*
                }
            }

            /// The highest version that is not marked unstable; what a broker advertises.
            pub const fn highest_stable_version(self) -> i16 {
                match self {
                    $($(ApiKey::$name => $unstable - 1,)?)*
                    _ => self.versions().max,
                }
            }

            /// Kafka's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$name => stringify!($name),)*
                }
            }
        }
    };
}

macro_rules! first_flexible {
    (none) => {
        i16::MAX
    };
    ($version:literal) => {
        $version
    };
}

api_keys! {
    Produce = 0, 3-13, flexible 9;
    Fetch = 1, 4-18, flexible 12;
    ListOffsets = 2, 1-11, flexible 6;
    Metadata = 3, 0-13, flexible 9;
    OffsetCommit = 8, 2-10, flexible 8;
    OffsetFetch = 9, 1-10, flexible 6;
    FindCoordinator = 10, 0-6, flexible 3;
    JoinGroup = 11, 0-9, flexible 6;
    Heartbeat = 12, 0-4, flexible 4;
    LeaveGroup = 13, 0-5, flexible 4;
    SyncGroup = 14, 0-5, flexible 4;
    DescribeGroups = 15, 0-6, flexible 5;
    ListGroups = 16, 0-5, flexible 3;
    SaslHandshake = 17, 0-1, flexible none;
    ApiVersions = 18, 0-5, flexible 3;
    CreateTopics = 19, 2-7, flexible 5;
    DeleteTopics = 20, 1-6, flexible 4;
    DeleteRecords = 21, 0-2, flexible 2;
    InitProducerId = 22, 0-6, flexible 2, unstable 6;
    OffsetForLeaderEpoch = 23, 2-4, flexible 4;
    AddPartitionsToTxn = 24, 0-5, flexible 3;
    AddOffsetsToTxn = 25, 0-4, flexible 3;
    EndTxn = 26, 0-5, flexible 3;
    WriteTxnMarkers = 27, 1-2, flexible 1;
    TxnOffsetCommit = 28, 0-6, flexible 3;
    DescribeAcls = 29, 1-3, flexible 2;
    CreateAcls = 30, 1-3, flexible 2;
    DeleteAcls = 31, 1-3, flexible 2;
    DescribeConfigs = 32, 1-4, flexible 4;
    AlterConfigs = 33, 0-2, flexible 2;
    AlterReplicaLogDirs = 34, 1-2, flexible 2;
    DescribeLogDirs = 35, 1-5, flexible 2;
    SaslAuthenticate = 36, 0-2, flexible 2;
    CreatePartitions = 37, 0-3, flexible 2;
    CreateDelegationToken = 38, 1-3, flexible 2;
    RenewDelegationToken = 39, 1-2, flexible 2;
    ExpireDelegationToken = 40, 1-2, flexible 2;
    DescribeDelegationToken = 41, 1-3, flexible 2;
    DeleteGroups = 42, 0-3, flexible 2;
    ElectLeaders = 43, 0-2, flexible 2;
    IncrementalAlterConfigs = 44, 0-1, flexible 1;
    AlterPartitionReassignments = 45, 0-1, flexible 0;
    ListPartitionReassignments = 46, 0-0, flexible 0;
    OffsetDelete = 47, 0-0, flexible none;
    DescribeClientQuotas = 48, 0-1, flexible 1;
    AlterClientQuotas = 49, 0-1, flexible 1;
    DescribeUserScramCredentials = 50, 0-0, flexible 0;
    AlterUserScramCredentials = 51, 0-0, flexible 0;
    Vote = 52, 0-2, flexible 0;
    BeginQuorumEpoch = 53, 0-1, flexible 1;
    EndQuorumEpoch = 54, 0-1, flexible 1;
    DescribeQuorum = 55, 0-2, flexible 0;
    AlterPartition = 56, 2-3, flexible 0;
    UpdateFeatures = 57, 0-2, flexible 0;
    Envelope = 58, 0-0, flexible 0;
    FetchSnapshot = 59, 0-1, flexible 0;
    DescribeCluster = 60, 0-2, flexible 0;
    DescribeProducers = 61, 0-0, flexible 0;
    BrokerRegistration = 62, 0-4, flexible 0;
    BrokerHeartbeat = 63, 0-2, flexible 0;
    UnregisterBroker = 64, 0-0, flexible 0;
    DescribeTransactions = 65, 0-0, flexible 0;
    ListTransactions = 66, 0-2, flexible 0;
    AllocateProducerIds = 67, 0-0, flexible 0;
    ConsumerGroupHeartbeat = 68, 0-1, flexible 0;
    ConsumerGroupDescribe = 69, 0-1, flexible 0;
    ControllerRegistration = 70, 0-0, flexible 0;
    GetTelemetrySubscriptions = 71, 0-0, flexible 0;
    PushTelemetry = 72, 0-0, flexible 0;
    AssignReplicasToDirs = 73, 0-0, flexible 0;
    ListConfigResources = 74, 0-1, flexible 0;
    DescribeTopicPartitions = 75, 0-0, flexible 0;
    ShareGroupHeartbeat = 76, 1-1, flexible 0;
    ShareGroupDescribe = 77, 1-1, flexible 0;
    ShareFetch = 78, 1-2, flexible 0;
    ShareAcknowledge = 79, 1-2, flexible 0;
    AddRaftVoter = 80, 0-1, flexible 0;
    RemoveRaftVoter = 81, 0-0, flexible 0;
    UpdateRaftVoter = 82, 0-0, flexible 0;
    InitializeShareGroupState = 83, 0-0, flexible 0;
    ReadShareGroupState = 84, 0-0, flexible 0;
    WriteShareGroupState = 85, 0-1, flexible 0;
    DeleteShareGroupState = 86, 0-0, flexible 0;
    ReadShareGroupStateSummary = 87, 0-1, flexible 0;
    StreamsGroupHeartbeat = 88, 0-1, flexible 0;
    StreamsGroupDescribe = 89, 0-1, flexible 0;
    DescribeShareGroupOffsets = 90, 0-1, flexible 0;
    AlterShareGroupOffsets = 91, 0-0, flexible 0;
    DeleteShareGroupOffsets = 92, 0-0, flexible 0;
    StreamsGroupTopologyDescriptionUpdate = 93, 0-0, flexible 0;
    UnregisterController = 94, 0-0, flexible 0;
}

impl ApiKey {
    /// The key as the wire has it.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn keys_are_found_by_code_and_have_a_version() {
        for &key in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(key.code()), Some(key));
            assert!(key.versions().min <= key.highest_stable_version());
        }
        assert_eq!(ApiKey::ALL.len(), 91);
        assert_eq!(ApiKey::from_code(4), None, "LeaderAndIsr went with ZooKeeper");
        assert_eq!(ApiKey::InitProducerId.highest_stable_version(), 5);
    }
}
