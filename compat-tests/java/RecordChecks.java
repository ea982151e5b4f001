import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.internals.RecordHeader;

/** What goes into a record comes out of it, where it was put. */
final class RecordChecks {
    private static final long STAMP = 1_600_000_000_000L;
    private final String bootstrap;
    private final String prefix;

    RecordChecks(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    void addTo(Map<String, Checks.Check> checks) {
        checks.put("every_field_of_a_record_returns", this::everyField);
        checks.put("idempotent_producer_writes_in_order", this::idempotentOrder);
        checks.put("large_message_returns", this::largeMessage);
        checks.put("too_large_message_is_refused", this::tooLarge);
        checks.put("seeks_to_any_offset", this::seek);
        checks.put("finds_offsets_by_time", this::offsetsByTime);
        checks.put("log_append_time_is_the_brokers", this::logAppendTime);
        checks.put("timestamp_far_in_the_future_is_refused", this::timestampRange);
        checks.put("read_committed_reads_plain_records", this::readCommitted);
        checks.put("position_beyond_the_end_resets", this::resets);
    }

    private TopicPartition topic(String name, Map<String, String> configs) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            String full = prefix + name;
            admin.createTopics(List.of(new NewTopic(full, 1, (short) 1).configs(configs))).all().get();
            return new TopicPartition(full, 0);
        }
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) {
        return new KafkaProducer<>(Settings.producer(bootstrap, more));
    }

    private KafkaConsumer<byte[], byte[]> consumer(TopicPartition at, Map<String, Object> more) {
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(Settings.consumer(bootstrap, null, more));
        consumer.assign(List.of(at));
        return consumer;
    }

    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (found.size() < count && System.nanoTime() < deadline) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) found.add(record);
        }
        Checks.equal(count, found.size(), "records polled");
        return found;
    }

    private void fill(TopicPartition at, int count) throws Exception {
        try (var producer = producer(Map.of())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(at.topic(), 0, STAMP + i, null, Integer.toString(i).getBytes(UTF_8)));
            }
        }
    }

    private void everyField() throws Exception {
        TopicPartition at = topic("fields", Map.of());
        var headers = List.<org.apache.kafka.common.header.Header>of(
            new RecordHeader("a", new byte[] {0, (byte) 255}), new RecordHeader("a", new byte[0]), new RecordHeader("nothing", null));
        try (var producer = producer(Map.of()); var consumer = consumer(at, Map.of())) {
            RecordMetadata metadata = producer.send(new ProducerRecord<>(at.topic(), 0, STAMP, "k".getBytes(UTF_8), "v".getBytes(UTF_8), headers)).get();
            producer.send(new ProducerRecord<>(at.topic(), 0, STAMP + 1, "k".getBytes(UTF_8), (byte[]) null)).get();
            producer.send(new ProducerRecord<>(at.topic(), 0, STAMP + 2, null, new byte[0])).get();
            Checks.equal(0L, metadata.offset(), "offset in the answer");
            var found = take(consumer, 3);
            Checks.equal(STAMP, found.get(0).timestamp(), "timestamp");
            Checks.equal("CreateTime", found.get(0).timestampType().toString(), "timestamp type");
            Checks.equal(headers, Arrays.asList(found.get(0).headers().toArray()), "headers");
            Checks.that(found.get(1).value() == null, "null value");
            Checks.that(found.get(2).key() == null && found.get(2).value().length == 0, "null key, empty value");
            Checks.equal(0, found.get(0).leaderEpoch().orElse(-1), "leader epoch of a new partition");
        }
    }

    private void idempotentOrder() throws Exception {
        TopicPartition at = topic("idempotent", Map.of());
        int count = 20_000;
        try (var producer = producer(Map.of("enable.idempotence", true, "batch.size", 1000, "max.in.flight.requests.per.connection", 5))) {
            for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(at.topic(), Integer.toString(i).getBytes(UTF_8)));
        }
        try (var consumer = consumer(at, Map.of())) {
            long next = 0;
            for (var record : take(consumer, count)) {
                Checks.equal(next, record.offset(), "offset");
                Checks.equal(Long.toString(next++), new String(record.value(), UTF_8), "value");
            }
        }
    }

    private void largeMessage() throws Exception {
        TopicPartition at = topic("large", Map.of());
        byte[] value = new byte[1_000_000];
        new Random(7).nextBytes(value);
        try (var producer = producer(Map.of()); var consumer = consumer(at, Map.of("max.partition.fetch.bytes", 1000))) {
            producer.send(new ProducerRecord<>(at.topic(), value)).get();
            Checks.that(Arrays.equals(value, take(consumer, 1).get(0).value()), "same bytes, though larger than the fetch limit");
        }
    }

    private void tooLarge() throws Exception {
        TopicPartition at = topic("too-large", Map.of("max.message.bytes", "10000"));
        try (var producer = producer(Map.of("max.request.size", 5_000_000))) {
            Throwable failure = Checks.failure(() -> producer.send(new ProducerRecord<>(at.topic(), new byte[20_000])).get());
            Checks.equal(RecordTooLargeException.class, failure.getClass(), "failure");
            producer.send(new ProducerRecord<>(at.topic(), new byte[5_000])).get();
        }
    }

    private void seek() throws Exception {
        TopicPartition at = topic("seek", Map.of());
        fill(at, 1000);
        try (var consumer = consumer(at, Map.of())) {
            Checks.equal(Map.of(at, 0L), consumer.beginningOffsets(List.of(at)), "beginning");
            Checks.equal(Map.of(at, 1000L), consumer.endOffsets(List.of(at)), "end");
            for (long offset : new long[] {999, 0, 500, 1, 998}) {
                consumer.seek(at, offset);
                var records = consumer.poll(Duration.ofSeconds(10)).records(at);
                Checks.equal(offset, records.get(0).offset(), "first record after seek");
            }
        }
    }

    private void offsetsByTime() throws Exception {
        TopicPartition at = topic("times", Map.of());
        fill(at, 1000);
        try (var consumer = consumer(at, Map.of())) {
            Map<Long, Long> expected = Map.of(STAMP - 5, 0L, STAMP, 0L, STAMP + 1, 1L, STAMP + 777, 777L, STAMP + 999, 999L);
            for (var entry : expected.entrySet()) {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(at, entry.getKey())).get(at);
                Checks.equal(entry.getValue(), found.offset(), "offset at " + entry.getKey());
            }
            Checks.that(consumer.offsetsForTimes(Map.of(at, STAMP + 1000)).get(at) == null, "no offset after the last timestamp");
        }
    }

    private void logAppendTime() throws Exception {
        TopicPartition at = topic("append-time", Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis() - 1000;
        fill(at, 2);
        try (var consumer = consumer(at, Map.of("check.crcs", true))) {
            for (var record : take(consumer, 2)) {
                Checks.equal("LogAppendTime", record.timestampType().toString(), "timestamp type");
                Checks.that(record.timestamp() >= before, "timestamp is the broker's: " + record.timestamp());
            }
        }
    }

    private void timestampRange() throws Exception {
        TopicPartition at = topic("future", Map.of("message.timestamp.after.max.ms", "60000"));
        long future = System.currentTimeMillis() + 3_600_000;
        try (var producer = producer(Map.of())) {
            Throwable failure = Checks.failure(() -> producer.send(new ProducerRecord<>(at.topic(), 0, future, null, new byte[1])).get());
            Checks.equal(InvalidTimestampException.class, failure.getClass(), "failure");
        }
    }

    private void readCommitted() throws Exception {
        TopicPartition at = topic("committed", Map.of());
        fill(at, 10);
        try (var consumer = consumer(at, Map.of("isolation.level", "read_committed"))) {
            Checks.equal(10, take(consumer, 10).size(), "records");
        }
    }

    private void resets() throws Exception {
        TopicPartition at = topic("resets", Map.of());
        fill(at, 10);
        try (var consumer = consumer(at, Map.of())) {
            consumer.seek(at, 5000);
            Checks.equal(0L, take(consumer, 10).get(0).offset(), "reset to the earliest offset");
        }
    }
}
