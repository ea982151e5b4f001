import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;

/**
 * Kafka Streams applications that harness/streams_app.py starts and kills: `streams word-count|join NAME SETTINGS-FILE`. They read NAME-in,
 * or NAME-left and NAME-right, and write NAME-out; each change of their state is a line, so that a check knows when they run.
 */
final class Streams {
    /** The join pairs what lies at most this far apart; how late something may be is bounded by no check. */
    private static final Duration WINDOW = Duration.ofSeconds(5);
    private static final Duration GRACE = Duration.ofDays(1);
    private static final Duration CLOSE = Duration.ofSeconds(20);

    private Streams() {}

    static void run(String kind, String name, Path settings) throws Exception {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(settings)) {
            properties.load(reader);
        }
        Topology topology = kind.equals("join") ? join(name) : wordCount(name);
        KafkaStreams streams = new KafkaStreams(topology, properties);
        streams.setStateListener((now, before) -> say("state " + now));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace(System.out);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE)));
        streams.start();
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** Every count of a word is written, as a word's record, so a word that was seen three times must read 1, 2, 3. */
    private static Topology wordCount(String name) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(name + "-in", Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count()
            .toStream()
            .mapValues(count -> count.toString())
            .to(name + "-out", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private static Topology join(String name) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> left = builder.stream(name + "-left", Consumed.with(Serdes.String(), Serdes.String()));
        KStream<String, String> right = builder.stream(name + "-right", Consumed.with(Serdes.String(), Serdes.String()));
        left.join(
                right,
                (one, other) -> one + "|" + other,
                JoinWindows.ofTimeDifferenceAndGrace(WINDOW, GRACE),
                StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String()))
            .to(name + "-out", Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }
}
