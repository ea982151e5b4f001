import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions in the newer protocol: partitions join by being written to, and each transaction has its own epoch. */
final class TransactionChecks {
    private final String bootstrap;
    private final String prefix;

    TransactionChecks(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    void addTo(Map<String, Checks.Check> checks) {
        checks.put("features_offer_the_newer_transactions", this::features);
        checks.put("committed_transactions_are_seen_and_aborted_are_not", this::commitAndAbort);
        checks.put("each_transaction_has_its_own_epoch", this::epochs);
        checks.put("a_newer_producer_fences_the_older", this::fencing);
        checks.put("an_empty_transaction_ends", this::empty);
        checks.put("offsets_are_committed_with_the_transaction", this::offsets);
        checks.put("admin_fences_producers", this::adminFences);
        checks.put("many_partitions_join_one_transaction", this::manyPartitions);
    }

    private String topic(String name, int partitions) throws Exception {
        try (Admin admin = admin()) {
            String full = prefix + name;
            admin.createTopics(List.of(new NewTopic(full, partitions, (short) 1))).all().get();
            return full;
        }
    }

    private Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private KafkaProducer<byte[], byte[]> producer(String id) {
        Map<String, Object> more = new HashMap<>(Map.of("transactional.id", prefix + id, "linger.ms", 0, "max.block.ms", 30000));
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(Settings.producer(bootstrap, more));
        producer.initTransactions();
        return producer;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int partition, String value) {
        return new ProducerRecord<>(topic, partition, null, value.getBytes(UTF_8));
    }

    private List<String> read(String topic, int partitions, int count) {
        Map<String, Object> more = Map.of("isolation.level", "read_committed");
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(Settings.consumer(bootstrap, null, more))) {
            List<TopicPartition> all = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) all.add(new TopicPartition(topic, partition));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long deadline = System.currentTimeMillis() + 20_000;
            while (values.size() < count && System.currentTimeMillis() < deadline) poll(consumer, values, 500);
            poll(consumer, values, 700);
        }
        return values;
    }

    private static void poll(KafkaConsumer<byte[], byte[]> consumer, List<String> values, long millis) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(millis))) values.add(new String(record.value(), UTF_8));
    }

    private void features() throws Exception {
        try (Admin admin = admin()) {
            var features = admin.describeFeatures().featureMetadata().get();
            var finalized = features.finalizedFeatures().get("transaction.version");
            Checks.that(finalized != null && finalized.maxVersionLevel() == 2, "transaction.version is " + finalized);
        }
    }

    private void commitAndAbort() throws Exception {
        String topic = topic("txn-ends", 1);
        try (KafkaProducer<byte[], byte[]> producer = producer("ends")) {
            for (int number = 0; number < 6; number++) {
                producer.beginTransaction();
                for (int index = 0; index < 3; index++) producer.send(record(topic, 0, number + "-" + index));
                if (number % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
        }
        List<String> expected = new ArrayList<>();
        for (int number = 0; number < 6; number += 2) for (int index = 0; index < 3; index++) expected.add(number + "-" + index);
        Checks.equal(expected, read(topic, 1, 9), "what is seen");
        try (Admin admin = admin()) {
            TopicPartition at = new TopicPartition(topic, 0);
            ListOffsetsOptions committed = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);
            long deadline = System.currentTimeMillis() + 10_000;
            long end = -1;
            while (end != 24 && System.currentTimeMillis() < deadline) {
                end = admin.listOffsets(Map.of(at, OffsetSpec.latest()), committed).partitionResult(at).get().offset();
            }
            Checks.equal(24L, end, "the last stable offset");
        }
    }

    private void epochs() throws Exception {
        String topic = topic("txn-epochs", 1);
        try (KafkaProducer<byte[], byte[]> producer = producer("epochs"); Admin admin = admin()) {
            for (int number = 0; number < 3; number++) {
                producer.beginTransaction();
                producer.send(record(topic, 0, "v" + number));
                producer.flush();
                var described = admin.describeTransactions(List.of(prefix + "epochs")).description(prefix + "epochs").get();
                Checks.equal(TransactionState.ONGOING, described.state(), "the state");
                Checks.equal(number, described.producerEpoch(), "the epoch");
                Checks.equal(Set.of(new TopicPartition(topic, 0)), described.topicPartitions(), "the partitions");
                producer.commitTransaction();
            }
        }
        Checks.equal(List.of("v0", "v1", "v2"), read(topic, 1, 3), "what is seen");
    }

    private void fencing() throws Exception {
        String topic = topic("txn-fencing", 1);
        try (KafkaProducer<byte[], byte[]> first = producer("fencing")) {
            first.beginTransaction();
            first.send(record(topic, 0, "lost"));
            first.flush();
            try (KafkaProducer<byte[], byte[]> second = producer("fencing")) {
                Throwable failure = Checks.failure(first::commitTransaction);
                boolean fenced = failure instanceof ProducerFencedException || failure instanceof InvalidProducerEpochException;
                Checks.that(fenced, "fenced, not " + failure);
                second.beginTransaction();
                second.send(record(topic, 0, "kept"));
                second.commitTransaction();
            }
        }
        Checks.equal(List.of("kept"), read(topic, 1, 1), "what is seen");
    }

    private void empty() throws Exception {
        String topic = topic("txn-empty", 1);
        try (KafkaProducer<byte[], byte[]> producer = producer("empty")) {
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(record(topic, 0, "one"));
            producer.commitTransaction();
        }
        Checks.equal(List.of("one"), read(topic, 1, 1), "what is seen");
    }

    private void offsets() throws Exception {
        String source = topic("txn-source", 1);
        String group = prefix + "txn-group";
        TopicPartition at = new TopicPartition(source, 0);
        try (KafkaProducer<byte[], byte[]> producer = producer("offsets"); Admin admin = admin()) {
            for (int number = 1; number <= 4; number++) {
                boolean commit = number % 2 == 1;
                producer.beginTransaction();
                producer.sendOffsetsToTransaction(Map.of(at, new OffsetAndMetadata(number * 10L, "m")), new ConsumerGroupMetadata(group));
                if (commit) producer.commitTransaction();
                else producer.abortTransaction();
                long expected = commit ? number * 10L : (number - 1) * 10L;
                long found = -1;
                long deadline = System.currentTimeMillis() + 10_000;
                while (found != expected && System.currentTimeMillis() < deadline) {
                    Map<TopicPartition, OffsetAndMetadata> all = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                    found = all.get(at) == null ? -1 : all.get(at).offset();
                }
                Checks.equal(expected, found, "the offset after transaction " + number);
            }
        }
    }

    private void adminFences() throws Exception {
        String topic = topic("txn-admin", 1);
        try (KafkaProducer<byte[], byte[]> producer = producer("admin"); Admin admin = admin()) {
            producer.beginTransaction();
            producer.send(record(topic, 0, "lost"));
            producer.flush();
            admin.fenceProducers(List.of(prefix + "admin")).all().get();
            Throwable failure = Checks.failure(producer::commitTransaction);
            boolean fenced = failure instanceof ProducerFencedException || failure instanceof InvalidProducerEpochException;
            Checks.that(fenced, "fenced, not " + failure);
        }
        Checks.equal(List.of(), read(topic, 1, 0), "what is seen");
    }

    private void manyPartitions() throws Exception {
        String topic = topic("txn-many", 12);
        try (KafkaProducer<byte[], byte[]> producer = producer("many")) {
            for (int round = 0; round < 10; round++) {
                producer.beginTransaction();
                for (int number = 0; number < 240; number++) producer.send(record(topic, number % 12, round + "-" + number));
                if (round % 3 == 2) producer.abortTransaction();
                else producer.commitTransaction();
            }
        }
        Checks.equal(7 * 240, read(topic, 12, 7 * 240).size(), "how many are seen");
    }
}
