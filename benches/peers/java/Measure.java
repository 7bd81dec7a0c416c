import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/** The stopwatch and the record. */
final class Measure {
    private Measure() {}

    /**
     * What a run gives when its result is right. Its fields are those of the same name in
     * benches/src/measurement.rs, in nanoseconds; what a workload does not tell is null.
     */
    record Measurement(
            long ops,
            long elapsed,
            long cpu,
            List<Long> rounds,
            Held held,
            Lateness lateness,
            Lateness latency) {
        Measurement with(Held held) {
            return new Measurement(ops, elapsed, cpu, rounds, held, lateness, latency);
        }

        Measurement late(Lateness lateness) {
            return new Measurement(ops, elapsed, cpu, rounds, held, lateness, latency);
        }

        Measurement answered(Lateness latency) {
            return new Measurement(ops, elapsed, cpu, rounds, held, lateness, latency);
        }
    }

    /** What threads held while all of them waited. */
    record Held(long resident, double residentPerThread, double pageTablesPerThread, long mappings) {}

    /** How late threads woke that slept, or how long requests took, in nanoseconds. */
    record Lateness(long p50, long p99, long last) {
        /** The ranks among these, none of which may be early. */
        static Lateness of(long[] late) {
            Arrays.sort(late);
            if (late[0] < 0) {
                throw new IllegalStateException("wrong result: a sleep ended early");
            }
            return new Lateness(rank(late, 50), rank(late, 99), rank(late, 100));
        }

        private static long rank(long[] sorted, int percent) {
            return sorted[Math.max((sorted.length * percent + 99) / 100, 1) - 1];
        }
    }

    /** Runs from its making until it is stopped. */
    static final class Stopwatch {
        private long cpu = Usage.cpuTime();
        // The clock last: asking for the usage is no part of the work.
        private long start = System.nanoTime();
        private long round = start;
        private final List<Long> rounds = new ArrayList<>();

        long start() {
            return start;
        }

        long elapsed() {
            return System.nanoTime() - start;
        }

        /** Leaves out what was done since then: it was no part of the work. */
        void leaveOut(long cpuThen, long then) {
            cpu += Usage.cpuTime() - cpuThen;
            long elapsed = System.nanoTime() - then;
            start += elapsed;
            round += elapsed;
        }

        /** Ends a round, and begins the next one. */
        void endRound() {
            long now = System.nanoTime();
            rounds.add(now - round);
            round = now;
        }

        Measurement stop(long ops) {
            return stopAfter(ops, elapsed());
        }

        /** Stops, where the time is another one. */
        Measurement stopAfter(long ops, long elapsed) {
            return new Measurement(ops, elapsed, Usage.cpuTime() - cpu, rounds, null, null, null);
        }
    }

    /** The record as one line. Its fields are those of the same name in benches/src/record.rs. */
    static String toLine(Main.Order order, Measurement measured) {
        StringJoiner line = new StringJoiner(",", "{", "}");
        line.add(text("runtime", "java"));
        line.add(text("workload", order.workload()));
        line.add("\"params\":" + parameters(order));
        line.add("\"workers\":" + workers());
        line.add("\"ops\":" + measured.ops());
        line.add(number("seconds", measured.elapsed() / 1e9));
        line.add(number("ns_per_op", (double) measured.elapsed() / measured.ops()));
        line.add(number("cpu_seconds", measured.cpu() / 1e9));
        line.add(number("cpu_ns_per_op", (double) measured.cpu() / measured.ops()));
        line.add("\"peak_bytes\":" + Usage.peak());
        if (!measured.rounds().isEmpty()) {
            line.add("\"rounds\":" + rounds(measured));
        }
        if (measured.held() != null) {
            line.add("\"resident_bytes\":" + measured.held().resident());
            line.add(number("resident_bytes_per_thread", measured.held().residentPerThread()));
            line.add(number("page_table_bytes_per_thread", measured.held().pageTablesPerThread()));
            line.add("\"mappings\":" + measured.held().mappings());
        }
        if (measured.lateness() != null) {
            line.add("\"lateness\":" + ranks(measured.lateness()));
        }
        if (measured.latency() != null) {
            line.add("\"latency\":" + ranks(measured.latency()));
        }
        return line.toString();
    }

    private static String workers() {
        String set = System.getProperty("jdk.virtualThreadScheduler.parallelism");
        return set == null ? "" + Runtime.getRuntime().availableProcessors() : set;
    }

    private static String parameters(Main.Order order) {
        StringJoiner pairs = new StringJoiner(",", "{", "}");
        order.parameters().forEach((name, value) -> pairs.add("\"" + name + "\":" + value));
        return pairs.toString();
    }

    private static String rounds(Measurement measured) {
        StringJoiner times = new StringJoiner(",", "[", "]");
        double ops = (double) measured.ops() / measured.rounds().size();
        measured.rounds().forEach(round -> times.add(written(round / ops)));
        return times.toString();
    }

    private static String ranks(Lateness late) {
        return String.format(
                "{\"p50_ns\":%d,\"p99_ns\":%d,\"last_ns\":%d}", late.p50(), late.p99(), late.last());
    }

    private static String text(String name, String value) {
        return "\"" + name + "\":\"" + value + "\"";
    }

    private static String number(String name, double value) {
        return "\"" + name + "\":" + written(value);
    }

    private static String written(double value) {
        return String.format(Locale.ROOT, "%.9f", value);
    }
}
