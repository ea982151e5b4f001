import java.nio.file.Path;
import java.util.Arrays;

/** The Java client behind the contract of harness/line_clients.py, and its own checks: produce | consume | checks | consumer-protocol | streams. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
        switch (arguments[0]) {
            case "produce" -> Lines.produce(rest[0], rest[1], rest[2]);
            case "consume" -> Lines.consume(rest[0], rest[1], Long.parseLong(rest[2]));
            case "consumer-protocol" -> ConsumerProtocol.run(rest[0], rest[1]);
            case "streams" -> Streams.run(rest[0], rest[1], Path.of(rest[2]));
            case "checks" -> System.exit(Checks.run(rest[0], rest[1]));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }
}
