import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Client settings: the defaults of a new Java client, and what a check adds. */
final class Settings {
    private Settings() {}

    static Map<String, Object> producer(String bootstrap, Map<String, Object> more) {
        Map<String, Object> all = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap,
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class));
        all.putAll(more);
        return all;
    }

    static Map<String, Object> consumer(String bootstrap, String group, Map<String, Object> more) {
        Map<String, Object> all = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap,
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class));
        if (group != null) all.put("group.id", group);
        all.putAll(more);
        return all;
    }
}
