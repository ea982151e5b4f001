import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** KEY-tab-VALUE lines in, PARTITION-tab-OFFSET-tab-KEY-tab-VALUE lines out; an empty key is a null key. */
final class Lines {
    private Lines() {}

    static void produce(String bootstrap, String topic, String codec) throws Exception {
        AtomicReference<Exception> failure = new AtomicReference<>();
        Map<String, Object> settings = Settings.producer(bootstrap, Map.of("compression.type", codec, "linger.ms", 20));
        try (var producer = new KafkaProducer<byte[], byte[]>(settings);
                var lines = new BufferedReader(new InputStreamReader(new BufferedInputStream(System.in), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int tab = line.indexOf('\t');
                byte[] key = tab == 0 ? null : line.substring(0, tab).getBytes(StandardCharsets.UTF_8);
                byte[] value = line.substring(tab + 1).getBytes(StandardCharsets.UTF_8);
                producer.send(new ProducerRecord<>(topic, key, value), (metadata, error) -> {
                    if (error != null) failure.compareAndSet(null, error);
                });
            }
        }
        if (failure.get() != null) throw failure.get();
    }

    static void consume(String bootstrap, String topic, long count) throws Exception {
        try (var consumer = new KafkaConsumer<byte[], byte[]>(Settings.consumer(bootstrap, null, Map.of()));
                var out = new BufferedOutputStream(System.out, 1 << 20)) {
            List<TopicPartition> all = consumer.partitionsFor(topic).stream()
                .map(p -> new TopicPartition(topic, p.partition())).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long found = 0;
            while (found < count) {
                var records = consumer.poll(Duration.ofSeconds(20));
                if (records.isEmpty()) throw new IllegalStateException(found + " of " + count + " records, then nothing for 20 s");
                for (ConsumerRecord<byte[], byte[]> record : records) write(out, record);
                found += records.count();
            }
        }
    }

    private static void write(OutputStream out, ConsumerRecord<byte[], byte[]> record) throws Exception {
        out.write((record.partition() + "\t" + record.offset() + "\t").getBytes(StandardCharsets.UTF_8));
        if (record.key() != null) out.write(record.key());
        out.write('\t');
        out.write(record.value());
        out.write('\n');
    }
}
