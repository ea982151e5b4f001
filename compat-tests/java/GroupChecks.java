import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** Classic consumer groups: members share the partitions, come and go, and positions outlive them. */
final class GroupChecks {
    private static final int PARTITIONS = 6;
    private final String bootstrap;
    private final String prefix;

    GroupChecks(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    void addTo(Map<String, Checks.Check> checks) {
        checks.put("group_goes_on_where_it_committed", this::goesOn);
        checks.put("group_shares_partitions_range", () -> shares("range", RangeAssignor.class));
        checks.put("group_shares_partitions_roundrobin", () -> shares("roundrobin", RoundRobinAssignor.class));
        checks.put("group_shares_partitions_cooperative", () -> shares("cooperative", CooperativeStickyAssignor.class));
        checks.put("static_member_returns_without_rebalance", this::staticMember);
        checks.put("second_static_member_fences_the_first", this::fencedInstance);
        checks.put("group_by_pattern_sees_new_topics", this::pattern);
        checks.put("dead_member_is_replaced", this::deadMember);
        checks.put("committed_metadata_returns", this::committedMetadata);
    }

    private String topic(String name) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(prefix + name, PARTITIONS, (short) 1))).all().get();
        }
        return prefix + name;
    }

    private void fill(String topic, int count) {
        try (var producer = new KafkaProducer<byte[], byte[]>(Settings.producer(bootstrap, Map.of()))) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, Integer.toString(i).getBytes(UTF_8)));
        }
    }

    private KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more) {
        Map<String, Object> settings = Settings.consumer(bootstrap, prefix + group, more);
        settings.putIfAbsent("session.timeout.ms", 10_000);
        settings.putIfAbsent("heartbeat.interval.ms", 300);
        return new KafkaConsumer<>(settings);
    }

    private static void pollAll(List<KafkaConsumer<byte[], byte[]>> members) {
        for (var member : members) member.poll(Duration.ofMillis(50));
    }

    /** Polls until the members own all partitions, none twice, each at least `least`. */
    private static void settle(List<KafkaConsumer<byte[], byte[]>> members, int least) {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (System.nanoTime() < deadline) {
            pollAll(members);
            Set<TopicPartition> owned = new HashSet<>();
            int sum = 0;
            boolean fair = true;
            for (var member : members) {
                owned.addAll(member.assignment());
                sum += member.assignment().size();
                fair &= member.assignment().size() >= least;
            }
            if (fair && sum == PARTITIONS && owned.size() == PARTITIONS) return;
        }
        throw new AssertionError("members never shared the partitions: " + members.stream().map(m -> m.assignment().toString()).toList());
    }

    private void goesOn() throws Exception {
        String topic = topic("goes-on");
        fill(topic, 60);
        try (var first = member("goes-on", Map.of())) {
            first.subscribe(List.of(topic));
            RecordChecks.take(first, 60);
            first.commitSync();
        }
        fill(topic, 12);
        try (var second = member("goes-on", Map.of())) {
            second.subscribe(List.of(topic));
            for (var record : RecordChecks.take(second, 12)) Checks.that(record.offset() >= 10, "only what is new: " + record.offset());
        }
    }

    private void shares(String name, Class<?> assignor) throws Exception {
        String topic = topic("shares-" + name);
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                members.add(member("shares-" + name, Map.of("partition.assignment.strategy", assignor.getName())));
                members.get(i).subscribe(List.of(topic));
                settle(members, PARTITIONS / members.size());
            }
            members.remove(1).close();
            settle(members, 3);
            members.remove(0).close();
            settle(members, PARTITIONS);
        } finally {
            for (var member : members) member.close();
        }
    }

    private void staticMember() throws Exception {
        String topic = topic("static");
        var other = member("static", Map.of("group.instance.id", "other", "session.timeout.ms", 30_000));
        var mine = member("static", Map.of("group.instance.id", "mine", "session.timeout.ms", 30_000));
        try {
            other.subscribe(List.of(topic));
            mine.subscribe(List.of(topic));
            settle(List.of(other, mine), 3);
            int generation = other.groupMetadata().generationId();
            Set<TopicPartition> before = mine.assignment();
            mine.close();
            mine = member("static", Map.of("group.instance.id", "mine", "session.timeout.ms", 30_000));
            mine.subscribe(List.of(topic));
            settle(List.of(other, mine), 3);
            Checks.equal(before, mine.assignment(), "assignment of the returned member");
            Checks.equal(generation, other.groupMetadata().generationId(), "generation");
        } finally {
            other.close();
            mine.close();
        }
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
