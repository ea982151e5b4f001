import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Classic consumer groups: members share the partitions, come and go, and positions outlive them. */
final class GroupChecks extends GroupSuite {
    GroupChecks(String bootstrap, String prefix) {
        super(bootstrap, prefix);
    }

    void addTo(Map<String, Checks.Check> checks) {
        checks.put("group_goes_on_where_it_committed", this::goesOn);
        checks.put("group_shares_partitions_range", () -> shares("range", assignor(RangeAssignor.class)));
        checks.put("group_shares_partitions_roundrobin", () -> shares("roundrobin", assignor(RoundRobinAssignor.class)));
        checks.put("group_shares_partitions_cooperative", () -> shares("cooperative", assignor(CooperativeStickyAssignor.class)));
        checks.put("static_member_returns_without_rebalance", () -> staticMember(Map.of("session.timeout.ms", 30_000), other -> other.groupMetadata().generationId()));
        checks.put("second_static_member_fences_the_first", this::fencedInstance);
        checks.put("group_by_pattern_sees_new_topics", this::pattern);
        checks.put("dead_member_is_replaced", this::deadMember);
        checks.put("committed_metadata_returns", this::committedMetadata);
    }

    private static Map<String, Object> assignor(Class<?> assignor) {
        return Map.of("partition.assignment.strategy", assignor.getName());
    }

    @Override
    KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more) {
        Map<String, Object> settings = Settings.consumer(bootstrap, prefix + group, more);
        settings.putIfAbsent("session.timeout.ms", 10_000);
        settings.putIfAbsent("heartbeat.interval.ms", 300);
        return new KafkaConsumer<>(settings);
    }

    private void fencedInstance() throws Exception {
        String topic = topic("fenced");
        var first = member("fenced", Map.of("group.instance.id", "same"));
        var second = member("fenced", Map.of("group.instance.id", "same"));
        try {
            first.subscribe(List.of(topic));
            settle(List.of(first), PARTITIONS);
            second.subscribe(List.of(topic));
            settle(List.of(second), PARTITIONS);
            Throwable failure = Checks.failure(() -> {
                for (int i = 0; i < 100; i++) first.poll(Duration.ofMillis(100));
            });
            Checks.equal(FencedInstanceIdException.class, failure.getClass(), "failure of the first member");
        } finally {
            first.close();
            second.close();
        }
    }

    private void pattern() throws Exception {
        topic("pattern-one");
        try (var member = member("pattern", Map.of("metadata.max.age.ms", 500))) {
            member.subscribe(Pattern.compile(Pattern.quote(prefix) + "pattern-.*"));
            settle(List.of(member), PARTITIONS);
            topic("pattern-two");
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (member.assignment().size() < 2 * PARTITIONS && System.nanoTime() < deadline) member.poll(Duration.ofMillis(100));
            Checks.equal(2 * PARTITIONS, member.assignment().size(), "partitions of both topics");
        }
    }

    private void deadMember() throws Exception {
        String topic = topic("dead");
        var silent = member("dead", Map.of("session.timeout.ms", 6_000, "max.poll.interval.ms", 6_000));
        var lively = member("dead", Map.of("session.timeout.ms", 6_000));
        try {
            silent.subscribe(List.of(topic));
            lively.subscribe(List.of(topic));
            settle(List.of(silent, lively), 3);
            settle(List.of(lively), PARTITIONS);
        } finally {
            lively.close();
            silent.close();
        }
    }

    private void committedMetadata() throws Exception {
        TopicPartition at = new TopicPartition(topic("metadata"), 2);
        try (var member = member("metadata", Map.of())) {
            member.assign(List.of(at));
            member.commitSync(Map.of(at, new OffsetAndMetadata(41, java.util.Optional.of(0), "where I was")));
            OffsetAndMetadata found = member.committed(Set.of(at)).get(at);
            Checks.equal(41L, found.offset(), "offset");
            Checks.equal("where I was", found.metadata(), "metadata");
            Checks.equal(0, found.leaderEpoch().orElse(-1), "leader epoch");
        }
    }
}
