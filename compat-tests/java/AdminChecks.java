import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** The Java Admin client: create, describe, alter, delete; and the exact error for what cannot be done. */
final class AdminChecks {
    private final String bootstrap;
    private final String prefix;
    private Admin admin;

    AdminChecks(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    void addTo(Map<String, Checks.Check> checks) {
        put(checks, "admin_creates_describes_and_deletes_a_topic", this::lifeOfATopic);
        put(checks, "admin_refuses_wrong_topics", this::wrongTopics);
        put(checks, "admin_validates_without_creating", this::validateOnly);
        put(checks, "admin_adds_partitions", this::addsPartitions);
        put(checks, "admin_alters_and_resets_topic_configs", this::topicConfigs);
        put(checks, "admin_describes_broker_configs", this::brokerConfigs);
        put(checks, "admin_describes_cluster_and_log_dirs", this::cluster);
        put(checks, "admin_deletes_records", this::deletesRecords);
        put(checks, "admin_lists_offsets", this::listsOffsets);
        put(checks, "admin_describes_alters_and_deletes_groups", this::groups);
        put(checks, "admin_removes_members", this::removesMembers);
        put(checks, "admin_learns_that_nothing_is_authorized", this::noAuthorizer);
    }

    private void put(Map<String, Checks.Check> checks, String name, Checks.Check check) {
        checks.put(name, () -> {
            try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", 15_000, "default.api.timeout.ms", 20_000))) {
                admin = opened;
                check.run();
            }
        });
    }

    private String create(String name, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(prefix + name, partitions, (short) 1).configs(configs))).all().get();
        return prefix + name;
    }

    private void fill(String topic, int count) {
        try (var producer = new KafkaProducer<byte[], byte[]>(Settings.producer(bootstrap, Map.of()))) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, 0, 1000L + i, null, Integer.toString(i).getBytes(UTF_8)));
        }
    }

    private TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private void refused(Class<?> expected, NewTopic wrong) {
        Throwable failure = Checks.failure(() -> admin.createTopics(List.of(wrong)).all().get());
        Checks.equal(expected, failure.getClass(), "failure for " + wrong);
    }

    private void lifeOfATopic() throws Exception {
        String topic = create("life", 3, Map.of("retention.ms", "3600000"));
        Checks.that(admin.listTopics().names().get().contains(topic), "listed");
        TopicDescription found = describe(topic);
        Checks.equal(3, found.partitions().size(), "partitions");
        Checks.that(!found.isInternal(), "not internal");
        Checks.that(found.partitions().stream().allMatch(p -> p.leader() != null && p.replicas().equals(p.isr())), "leader and replicas");
        Checks.equal(topic, admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(found.topicId())))
            .allTopicIds().get().get(found.topicId()).name(), "by id");
        admin.deleteTopics(List.of(topic)).all().get();
        Checks.that(!admin.listTopics().names().get().contains(topic), "gone");
        Checks.equal(UnknownTopicOrPartitionException.class, Checks.failure(() -> describe(topic)).getClass(), "describe after delete");
        Checks.equal(UnknownTopicOrPartitionException.class,
            Checks.failure(() -> admin.deleteTopics(List.of(topic)).all().get()).getClass(), "delete again");
        create("life", 1, Map.of());
        Checks.that(!describe(topic).topicId().equals(found.topicId()), "created again under another id");
    }

    private void wrongTopics() throws Exception {
        String topic = create("wrong", 1, Map.of());
        refused(TopicExistsException.class, new NewTopic(topic, 1, (short) 1));
        refused(InvalidTopicException.class, new NewTopic("wrong/name", 1, (short) 1));
        refused(InvalidTopicException.class, new NewTopic("..", 1, (short) 1));
        refused(InvalidTopicException.class, new NewTopic("", 1, (short) 1));
        refused(InvalidTopicException.class, new NewTopic("x".repeat(250), 1, (short) 1));
        refused(InvalidPartitionsException.class, new NewTopic(prefix + "none", 0, (short) 1));
        refused(InvalidReplicationFactorException.class, new NewTopic(prefix + "many", 1, (short) 3));
        refused(InvalidConfigurationException.class, new NewTopic(prefix + "config", 1, (short) 1).configs(Map.of("no.such.config", "1")));
        refused(InvalidConfigurationException.class, new NewTopic(prefix + "config", 1, (short) 1).configs(Map.of("retention.ms", "soon")));
    }

    private void validateOnly() throws Exception {
        String topic = prefix + "validated";
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        Checks.that(!admin.listTopics().names().get().contains(topic), "not created");
    }

    private void addsPartitions() throws Exception {
        String topic = create("grows", 2, Map.of());
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        Checks.equal(5, describe(topic).partitions().size(), "partitions");
        Checks.equal(InvalidPartitionsException.class,
            Checks.failure(() -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get()).getClass(), "fewer");
        try (var producer = new KafkaProducer<byte[], byte[]>(Settings.producer(bootstrap, Map.of()))) {
            Checks.equal(4, producer.send(new ProducerRecord<>(topic, 4, null, new byte[1])).get().partition(), "the new one takes records");
        }
    }

    private ConfigEntry topicConfig(String topic, String key) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return config.get(key);
    }

    private void alter(String topic, String key, String value, AlterConfigOp.OpType kind) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(key, value), kind)))).all().get();
    }

    private void topicConfigs() throws Exception {
        String topic = create("configs", 1, Map.of("retention.ms", "1000000"));
        Checks.equal("1000000", topicConfig(topic, "retention.ms").value(), "at creation");
        Checks.equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, topicConfig(topic, "retention.ms").source(), "source");
        Checks.equal(ConfigEntry.ConfigSource.DEFAULT_CONFIG, topicConfig(topic, "segment.bytes").source(), "source of a default");
        alter(topic, "retention.ms", "2000000", AlterConfigOp.OpType.SET);
        alter(topic, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
        Checks.equal("2000000", topicConfig(topic, "retention.ms").value(), "altered");
        Checks.equal(Set.of("delete", "compact"), Set.of(topicConfig(topic, "cleanup.policy").value().split(",")), "appended");
        alter(topic, "retention.ms", null, AlterConfigOp.OpType.DELETE);
        Checks.equal("604800000", topicConfig(topic, "retention.ms").value(), "back at the default");
        Checks.equal(InvalidConfigurationException.class,
            Checks.failure(() -> alter(topic, "no.such.config", "1", AlterConfigOp.OpType.SET)).getClass(), "unknown config");
        Checks.equal(InvalidConfigurationException.class,
            Checks.failure(() -> alter(topic, "segment.bytes", "-1", AlterConfigOp.OpType.SET)).getClass(), "out of range");
    }

    private void brokerConfigs() throws Exception {
        String node = admin.describeCluster().controller().get().idString();
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, node);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.equal("1048588", config.get("message.max.bytes").value(), "message.max.bytes");
        Checks.equal("604800000", config.get("log.retention.ms").value() == null ? "604800000" : config.get("log.retention.ms").value(), "log.retention.ms");
        Checks.that(config.get("log.dirs").isReadOnly(), "log.dirs is read-only");
    }

    private void cluster() throws Exception {
        var cluster = admin.describeCluster();
        Checks.equal(1, cluster.nodes().get().size(), "nodes");
        Checks.equal(22, cluster.clusterId().get().length(), "length of the cluster id");
        String topic = create("log-dirs", 2, Map.of());
        fill(topic, 100);
        int node = cluster.controller().get().id();
        var directories = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
        var sizes = directories.values().stream().flatMap(d -> d.replicaInfos().entrySet().stream())
            .filter(e -> e.getKey().topic().equals(topic)).collect(Collectors.toMap(e -> e.getKey().partition(), e -> e.getValue().size()));
        Checks.equal(Set.of(0, 1), sizes.keySet(), "partitions in log directories");
        Checks.that(sizes.get(0) > 0 && sizes.get(1) == 0, "sizes " + sizes);
        Checks.that(directories.values().stream().allMatch(d -> d.totalBytes().orElse(0) > 0), "size of the disk");
    }

    private void deletesRecords() throws Exception {
        TopicPartition at = new TopicPartition(create("deletes", 1, Map.of()), 0);
        fill(at.topic(), 100);
        Checks.equal(40L, admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(40))).lowWatermarks().get(at).get().lowWatermark(), "low watermark");
        Checks.equal(40L, offset(at, OffsetSpec.earliest()), "earliest");
        Checks.equal(100L, admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(at).get().lowWatermark(), "all");
        Checks.equal(OffsetOutOfRangeException.class,
            Checks.failure(() -> admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(101))).all().get()).getClass(), "beyond the end");
    }

    private long offset(TopicPartition at, OffsetSpec which) throws Exception {
        return admin.listOffsets(Map.of(at, which)).partitionResult(at).get().offset();
    }

    private void listsOffsets() throws Exception {
        TopicPartition at = new TopicPartition(create("offsets", 1, Map.of()), 0);
        Checks.equal(0L, offset(at, OffsetSpec.latest()), "latest of an empty topic");
        Checks.equal(-1L, offset(at, OffsetSpec.maxTimestamp()), "max timestamp of an empty topic");
        fill(at.topic(), 100);
        Checks.equal(0L, offset(at, OffsetSpec.earliest()), "earliest");
        Checks.equal(100L, offset(at, OffsetSpec.latest()), "latest");
        Checks.equal(99L, offset(at, OffsetSpec.maxTimestamp()), "max timestamp");
        Checks.equal(17L, offset(at, OffsetSpec.forTimestamp(1017)), "for a timestamp");
        Checks.equal(-1L, offset(at, OffsetSpec.forTimestamp(5000)), "after the last timestamp");
        Checks.equal(0L, offset(at, OffsetSpec.earliestLocal()), "earliest local");
    }

    private void groups() throws Exception {
        TopicPartition at = new TopicPartition(create("groups", 1, Map.of()), 0);
        String group = prefix + "described";
        fill(at.topic(), 10);
        try (var member = new KafkaConsumer<byte[], byte[]>(Settings.consumer(bootstrap, group, Map.of("client.id", "the-client")))) {
            member.subscribe(List.of(at.topic()));
            RecordChecks.take(member, 10);
            member.commitSync();
            ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            Checks.equal("STABLE", found.groupState().name(), "state");
            Checks.equal("range", found.partitionAssignor(), "assignor");
            var description = found.members().iterator().next();
            Checks.equal("the-client", description.clientId(), "client id");
            Checks.equal(Set.of(at), description.assignment().topicPartitions(), "assignment");
        }
        Checks.that(admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)), "listed");
        Checks.equal(10L, committed(group, at), "committed");
        admin.alterConsumerGroupOffsets(group, Map.of(at, new OffsetAndMetadata(3))).all().get();
        Checks.equal(3L, committed(group, at), "altered");
        admin.deleteConsumerGroupOffsets(group, Set.of(at)).all().get();
        Checks.that(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(at) == null, "offset deleted");
        admin.alterConsumerGroupOffsets(group, Map.of(at, new OffsetAndMetadata(3))).all().get();
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Checks.equal(GroupIdNotFoundException.class,
            Checks.failure(() -> admin.deleteConsumerGroups(List.of(group)).all().get()).getClass(), "delete again");
    }

    private long committed(String group, TopicPartition at) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(at).offset();
    }

    private void removesMembers() throws Exception {
        String topic = create("members", 1, Map.of());
        String group = prefix + "members";
        try (var member = new KafkaConsumer<byte[], byte[]>(Settings.consumer(bootstrap, group, Map.of("group.instance.id", "one")))) {
            member.subscribe(List.of(topic));
            for (int i = 0; i < 100 && member.assignment().isEmpty(); i++) member.poll(java.time.Duration.ofMillis(100));
            var gone = List.of(new org.apache.kafka.clients.admin.MemberToRemove("one"));
            admin.removeMembersFromConsumerGroup(group, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions(gone)).all().get();
            Checks.equal(0, admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), "members left");
        }
    }

    private void noAuthorizer() throws Exception {
        AclBinding rule = new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, prefix + "acls", PatternType.LITERAL),
            new AccessControlEntry("User:somebody", "*", AclOperation.READ, AclPermissionType.ALLOW));
        Map<String, Checks.Check> asked = Map.of(
            "No Authorizer is configured on the broker", () -> admin.describeAcls(AclBindingFilter.ANY).values().get(),
            "No Authorizer is configured.", () -> admin.createAcls(List.of(rule)).all().get());
        asked.forEach((said, ask) -> {
            Throwable refused = Checks.failure(ask);
            Checks.that(refused instanceof SecurityDisabledException, "security is disabled, not " + refused);
            Checks.equal(said, refused.getMessage(), "the message");
        });
        Throwable refused = Checks.failure(() -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get());
        Checks.that(refused instanceof SecurityDisabledException, "security is disabled, not " + refused);
    }
}
