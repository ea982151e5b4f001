import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/** Consumer groups of KIP-848 (group.protocol=consumer), on a broker whose heartbeats are a fraction of a second. */
final class ConsumerProtocol extends GroupSuite {
    ConsumerProtocol(String bootstrap, String prefix) {
        super(bootstrap, prefix);
    }

    void addTo(Map<String, Checks.Check> checks) {
        checks.put("members_share_uniform", () -> shares("uniform", Map.of()));
        checks.put("members_share_range", () -> shares("range", Map.of("group.remote.assignor", "range")));
        checks.put("only_what_moves_is_revoked", this::movesLittle);
        checks.put("positions_outlive_members", this::goesOn);
        checks.put("static_member_returns_to_its_partitions", () -> staticMember(Map.of(), other -> epoch("static")));
        checks.put("second_static_member_is_refused", this::unreleased);
        checks.put("stuck_member_is_replaced", this::stuckMember);
        checks.put("pattern_sees_new_topics", this::pattern);
        checks.put("bad_pattern_is_refused", this::badPattern);
        checks.put("unknown_assignor_is_refused", this::badAssignor);
        checks.put("new_partitions_are_assigned", this::newPartitions);
        checks.put("classic_members_migrate_and_return", this::migrate);
        checks.put("groups_are_described_and_listed", this::described);
        checks.put("group_configs_have_bounds", this::configs);
    }

    static void run(String bootstrap, String prefix) {
        Map<String, Checks.Check> checks = new LinkedHashMap<>();
        new ConsumerProtocol(bootstrap, prefix).addTo(checks);
        checks.forEach(Checks::report);
    }

    @Override
    KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("group.protocol", "consumer", "metadata.max.age.ms", 500));
        settings.putAll(more);
        return new KafkaConsumer<>(Settings.consumer(bootstrap, prefix + group, settings));
    }

    private KafkaConsumer<byte[], byte[]> classic(String group) {
        Map<String, Object> settings = Map.of(
            "session.timeout.ms", 10_000, "heartbeat.interval.ms", 200,
            "partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        return new KafkaConsumer<>(Settings.consumer(bootstrap, prefix + group, settings));
    }

    private void movesLittle() throws Exception {
        String topic = topic("little");
        Set<TopicPartition> revoked = new HashSet<>();
        Set<TopicPartition> lost = new HashSet<>();
        var listener = new ConsumerRebalanceListener() {
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) { revoked.addAll(partitions); }
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
            public void onPartitionsLost(Collection<TopicPartition> partitions) { lost.addAll(partitions); }
        };
        try (var first = member("little", Map.of()); var second = member("little", Map.of())) {
            first.subscribe(List.of(topic), listener);
            settle(List.of(first), PARTITIONS);
            second.subscribe(List.of(topic));
            settle(List.of(first, second), 3);
            Checks.equal(3, revoked.size(), "partitions the first member gave up");
            Checks.equal(second.assignment(), revoked, "what the second has");
            Checks.equal(Set.of(), lost, "partitions lost");
        }
    }

    private int epoch(String group) throws Exception {
        try (Admin admin = admin()) {
            return admin.describeConsumerGroups(List.of(prefix + group)).all().get().get(prefix + group).groupEpoch().get();
        }
    }

    private void unreleased() throws Exception {
        String topic = topic("unreleased");
        var first = member("unreleased", Map.of("group.instance.id", "same"));
        var second = member("unreleased", Map.of("group.instance.id", "same"));
        try {
            first.subscribe(List.of(topic));
            settle(List.of(first), PARTITIONS);
            second.subscribe(List.of(topic));
            Throwable failure = Checks.failure(() -> {
                for (int i = 0; i < 100; i++) second.poll(Duration.ofMillis(100));
            });
            Checks.equal(UnreleasedInstanceIdException.class, failure.getClass(), "failure of the second member");
        } finally {
            first.close();
            second.close();
        }
    }

    private void stuckMember() throws Exception {
        String topic = topic("stuck");
        var stuck = member("stuck", Map.of("max.poll.interval.ms", 3_000));
        var lively = member("stuck", Map.of());
        try {
            stuck.subscribe(List.of(topic));
            settle(List.of(stuck), PARTITIONS);
            lively.subscribe(List.of(topic));
            settle(List.of(lively), PARTITIONS);
        } finally {
            lively.close();
            stuck.close();
        }
    }

    private void pattern() throws Exception {
        topic("pattern-one");
        topic("other-pattern");
        try (var member = member("pattern", Map.of())) {
            member.subscribe(new SubscriptionPattern("\\Q" + prefix + "\\Epattern-[a-z]+"));
            settle(List.of(member), PARTITIONS);
            topic("pattern-two");
            settle(List.of(member), 2 * PARTITIONS, 2 * PARTITIONS);
        }
    }

    private void badPattern() throws Exception {
        try (var member = member("bad-pattern", Map.of())) {
            member.subscribe(new SubscriptionPattern("(?<=a)b"));
            Throwable failure = Checks.failure(() -> {
                for (int i = 0; i < 100; i++) member.poll(Duration.ofMillis(100));
            });
            Checks.equal(InvalidRegularExpression.class, failure.getClass(), "failure");
        }
    }

    private void badAssignor() throws Exception {
        String topic = topic("bad-assignor");
        try (var member = member("bad-assignor", Map.of("group.remote.assignor", "none-such"))) {
            member.subscribe(List.of(topic));
            Throwable failure = Checks.failure(() -> {
                for (int i = 0; i < 100; i++) member.poll(Duration.ofMillis(100));
            });
            Checks.equal(UnsupportedAssignorException.class, failure.getClass(), "failure");
        }
    }

    private void newPartitions() throws Exception {
        String topic = topic("grows");
        try (var member = member("grows", Map.of()); Admin admin = admin()) {
            member.subscribe(List.of(topic));
            settle(List.of(member), PARTITIONS);
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS + 2))).all().get();
            settle(List.of(member), PARTITIONS + 2, PARTITIONS + 2);
        }
    }

    private GroupType type(String group) throws Exception {
        try (Admin admin = admin()) {
            var listings = admin.listGroups().all().get();
            return listings.stream().filter(l -> l.groupId().equals(prefix + group)).findFirst().orElseThrow().type().orElseThrow();
        }
    }

    private void migrate() throws Exception {
        String topic = topic("migrates");
        var a = classic("migrates");
        var b = classic("migrates");
        KafkaConsumer<byte[], byte[]> c = null;
        try {
            a.subscribe(List.of(topic));
            b.subscribe(List.of(topic));
            settle(List.of(a, b), 3);
            Checks.equal(GroupType.CLASSIC, type("migrates"), "type before");
            fill(topic, 12);
            RecordChecks.take(a, 6);
            a.commitSync();
            c = member("migrates", Map.of());
            c.subscribe(List.of(topic));
            settle(List.of(a, b, c), 2);
            Checks.equal(GroupType.CONSUMER, type("migrates"), "type with a new member");
            a.close();
            settle(List.of(b, c), 3);
            b.close();
            settle(List.of(c), PARTITIONS);
            a = classic("migrates");
            a.subscribe(List.of(topic));
            settle(List.of(a, c), 3);
            c.close();
            settle(List.of(a), PARTITIONS);
            Checks.equal(GroupType.CLASSIC, type("migrates"), "type after");
        } finally {
            a.close();
            b.close();
            if (c != null) c.close();
        }
    }

    private void described() throws Exception {
        String topic = topic("described");
        String group = prefix + "described";
        try (var first = member("described", Map.of("client.id", "first")); var second = member("described", Map.of()); Admin admin = admin()) {
            first.subscribe(List.of(topic));
            second.subscribe(List.of(topic));
            settle(List.of(first, second), 3);
            ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            Checks.equal(GroupType.CONSUMER, found.type(), "type");
            Checks.equal(GroupState.STABLE, found.groupState(), "state");
            Checks.equal("uniform", found.partitionAssignor(), "assignor");
            Checks.equal(found.groupEpoch(), found.targetAssignmentEpoch(), "epochs");
            Checks.equal(2, found.members().size(), "members");
            for (var member : found.members()) {
                Checks.equal(member.assignment(), member.targetAssignment().get(), "assignment");
                Checks.equal(found.groupEpoch(), member.memberEpoch(), "member epoch");
                Checks.equal(false, member.upgraded().map(u -> !u).orElse(true), "speaks the new protocol");
                Checks.equal("/127.0.0.1", member.host(), "host");
            }
            Checks.that(listed(admin, ListGroupsOptions.forConsumerGroups().withTypes(Set.of(GroupType.CONSUMER)), group), "listed by type");
            Checks.that(listed(admin, ListGroupsOptions.forConsumerGroups().inGroupStates(Set.of(GroupState.STABLE)), group), "listed by state");
            Checks.that(!listed(admin, ListGroupsOptions.forConsumerGroups().withTypes(Set.of(GroupType.CLASSIC)), group), "not listed as classic");
            Checks.that(!listed(admin, ListGroupsOptions.forConsumerGroups().inGroupStates(Set.of(GroupState.EMPTY)), group), "not listed as empty");
        }
        try (Admin admin = admin()) {
            admin.deleteConsumerGroups(List.of(group)).all().get();
            Checks.that(!listed(admin, ListGroupsOptions.forConsumerGroups(), group), "deleted");
        }
    }

    private static boolean listed(Admin admin, ListGroupsOptions options, String group) throws Exception {
        return admin.listGroups(options).all().get().stream().anyMatch(listing -> listing.groupId().equals(group));
    }

    private void configs() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, prefix + "configured");
        try (Admin admin = admin()) {
            admin.incrementalAlterConfigs(Map.of(resource, List.of(set("consumer.session.timeout.ms", "7000")))).all().get();
            var found = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            Checks.equal("7000", found.get("consumer.session.timeout.ms").value(), "what was set");
            Checks.equal("300", found.get("consumer.heartbeat.interval.ms").value(), "what the broker has");
            for (var bad : List.of(set("consumer.session.timeout.ms", "100"), set("consumer.heartbeat.interval.ms", "999999"), set("consumer.none.such", "1"))) {
                Throwable failure = Checks.failure(() -> admin.incrementalAlterConfigs(Map.of(resource, List.of(bad))).all().get());
                Checks.equal(InvalidConfigurationException.class, failure.getClass(), bad.configEntry().name());
            }
        }
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }
}
