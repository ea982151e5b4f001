import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** What groups of both protocols are checked with, and the checks that are the same for both. */
abstract class GroupSuite {
    static final int PARTITIONS = 6;
    final String bootstrap;
    final String prefix;

    /** What must not change when a static member returns, as another member of its group sees it. */
    interface Generation {
        int of(KafkaConsumer<byte[], byte[]> other) throws Exception;
    }

    GroupSuite(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    abstract KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more);

    Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    String topic(String name) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(prefix + name, PARTITIONS, (short) 1))).all().get();
        }
        return prefix + name;
    }

    void fill(String topic, int count) {
        try (var producer = new KafkaProducer<byte[], byte[]>(Settings.producer(bootstrap, Map.of()))) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, Integer.toString(i).getBytes(UTF_8)));
        }
    }

    /** Polls until the members own all partitions of one topic, none twice, each at least `least`. */
    static void settle(List<KafkaConsumer<byte[], byte[]>> members, int least) {
        settle(members, PARTITIONS, least);
    }

    /** The same with `count` partitions. */
    static void settle(List<KafkaConsumer<byte[], byte[]>> members, int count, int least) {
        long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
        while (System.nanoTime() < deadline) {
            for (var member : members) member.poll(Duration.ofMillis(50));
            Set<TopicPartition> owned = new HashSet<>();
            int sum = 0;
            boolean fair = true;
            for (var member : members) {
                owned.addAll(member.assignment());
                sum += member.assignment().size();
                fair &= member.assignment().size() >= least;
            }
            if (fair && sum == count && owned.size() == count) return;
        }
        throw new AssertionError("members never shared the partitions: " + members.stream().map(m -> m.assignment().toString()).toList());
    }

    void goesOn() throws Exception {
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

    /** Three members come one by one, two go. */
    void shares(String name, Map<String, Object> settings) throws Exception {
        String topic = topic("shares-" + name);
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                members.add(member("shares-" + name, settings));
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

    /** A static member that leaves and returns finds its partitions, and nobody is disturbed. */
    void staticMember(Map<String, Object> settings, Generation generation) throws Exception {
        String topic = topic("static");
        var other = member("static", instance("other", settings));
        var mine = member("static", instance("mine", settings));
        try {
            other.subscribe(List.of(topic));
            mine.subscribe(List.of(topic));
            settle(List.of(other, mine), 3);
            int before = generation.of(other);
            Set<TopicPartition> owned = mine.assignment();
            mine.close();
            mine = member("static", instance("mine", settings));
            mine.subscribe(List.of(topic));
            settle(List.of(other, mine), 3);
            Checks.equal(owned, mine.assignment(), "assignment of the returned member");
            Checks.equal(before, generation.of(other), "generation or epoch");
        } finally {
            other.close();
            mine.close();
        }
    }

    private static Map<String, Object> instance(String id, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("group.instance.id", id);
        return all;
    }
}
