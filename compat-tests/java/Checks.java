import java.util.LinkedHashMap;
import java.util.Map;

/** All checks of the Java client in one JVM: prints `ok NAME` or `FAIL NAME reason`, a line a check. */
final class Checks {
    interface Check {
        void run() throws Exception;
    }

    private Checks() {}

    static int run(String bootstrap, String prefix) {
        Map<String, Check> checks = new LinkedHashMap<>();
        new RecordChecks(bootstrap, prefix).addTo(checks);
        new GroupChecks(bootstrap, prefix).addTo(checks);
        new AdminChecks(bootstrap, prefix).addTo(checks);
        new TransactionChecks(bootstrap, prefix).addTo(checks);
        checks.forEach(Checks::report);
        return 0;
    }

    static void report(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable failure) {
            System.out.println("FAIL " + name + " " + reason(failure));
        }
        System.out.flush();
    }

    private static String reason(Throwable failure) {
        StringBuilder text = new StringBuilder();
        for (Throwable t = failure; t != null; t = t.getCause()) text.append(t).append(" <- ");
        for (StackTraceElement at : failure.getStackTrace()) {
            if (at.getClassName().endsWith("Checks")) text.append(at.getFileName()).append(':').append(at.getLineNumber()).append(' ');
        }
        return text.toString().replace('\n', ' ');
    }

    static void equal(Object expected, Object found, String what) {
        if (!expected.equals(found)) throw new AssertionError(what + ": expected " + expected + ", found " + found);
    }

    static void that(boolean condition, String what) {
        if (!condition) throw new AssertionError(what);
    }

    /** Runs `action` and returns the failure it must end with, unwrapped from ExecutionException. */
    static Throwable failure(Check action) {
        try {
            action.run();
        } catch (java.util.concurrent.ExecutionException wrapped) {
            return wrapped.getCause();
        } catch (Exception direct) {
            return direct;
        }
        throw new AssertionError("no failure where one was due");
    }
}
