import static java.util.Map.entry;

import java.util.Map;
import java.util.TreeMap;

/**
 * The workloads of trefoil-bench, on Java's virtual threads: one run of one workload, whose record is
 * printed as one line of JSON.
 *
 * <pre>java -cp CLASSES Main WORKLOAD [-set=KEY=VALUE]… [-client PROGRAM]</pre>
 *
 * It is started by trefoil-bench, which knows the defaults and limits of all parameters and sets each
 * of them. On how many OS threads virtual threads run is the property
 * jdk.virtualThreadScheduler.parallelism. Every workload does the same as the one of that name in
 * benches/workloads, in the idiom of Java, and checks its own result: a wrong one is an error with exit
 * code 1, never a time.
 *
 * <p>The sources are of Java 17: its compiler is the one that more systems have. See Threads.java for
 * what is newer. Everything else of the virtual machine is as it is by itself: its collector, and its
 * compiler, which works while the workload runs.
 *
 * <pre>
 * Main.java      arguments, and which method a workload is
 * Measure.java   the stopwatch and the record
 * Usage.java     what the kernel says this process has used
 * Threads.java   how a virtual thread is started and joined
 * Spawn.java     spawn_join, spawn_batch, primes, fib
 * Skynet.java    skynet_channel, skynet_join
 * Switch.java    yield, ping_pong, timers_cancelled, ring
 * Share.java     mpmc, mutex
 * Sieve.java     sieve
 * Wait.java      parked, sleepers, blocking
 * BlockingCall.java  the call of the last one
 * Fairness.java  fairness
 * Server.java    echo, echo_compute, echo_pipelined, accept_churn, idle_connections
 * Load.java      the client process of these
 * </pre>
 */
final class Main {
    /** What a workload is. */
    interface Workload {
        Measure.Measurement run(Order order) throws Exception;
    }

    private static final Map<String, Workload> WORKLOADS =
            Map.ofEntries(
                    entry("spawn_join", Spawn::spawnJoin),
                    entry("spawn_batch", Spawn::spawnBatch),
                    entry("skynet_channel", Skynet::byChannel),
                    entry("skynet_join", Skynet::byJoin),
                    entry("yield", Switch::giveWay),
                    entry("ping_pong", Switch::pingPong),
                    entry("timers_cancelled", Switch::timersCancelled),
                    entry("ring", Switch::ring),
                    entry("sieve", Sieve::sieve),
                    entry("mpmc", Share::mpmc),
                    entry("mutex", Share::mutex),
                    entry("primes", Spawn::primes),
                    entry("fib", Spawn::fib),
                    entry("blocking", Wait::blocking),
                    entry("parked", Wait::parked),
                    entry("sleepers", Wait::sleepers),
                    entry("fairness", Fairness::fairness));

    /** Those whose driver waits for a process: it is no virtual thread. */
    private static final Map<String, Workload> SERVERS =
            Map.of(
                    "echo", Server::echo,
                    "echo_compute", Server::echoCompute,
                    "echo_pipelined", Server::echoPipelined,
                    "accept_churn", Server::acceptChurn,
                    "idle_connections", Server::idleConnections);

    /** What a workload is told. The client is the program that plays the client of the echo workloads. */
    record Order(String workload, Map<String, Long> parameters, String client) {
        /** A parameter. trefoil-bench sets all that a workload has. */
        long get(String name) {
            Long value = parameters.get(name);
            if (value == null) {
                throw new IllegalArgumentException("the parameter " + name + " is not set");
            }
            return value;
        }
    }

    public static void main(String[] arguments) {
        try {
            Order order = read(arguments);
            System.out.println(Measure.toLine(order, run(order)));
        } catch (Throwable failure) {
            fail(failure);
        }
        // Virtual threads that are left end with the program.
        System.exit(0);
    }

    private static Measure.Measurement run(Order order) throws Exception {
        Workload server = SERVERS.get(order.workload());
        if (server != null) {
            return server.run(order);
        }
        Workload workload = WORKLOADS.get(order.workload());
        if (workload == null) {
            throw new IllegalArgumentException("java cannot do " + order.workload());
        }
        return Threads.join(Threads.spawn(() -> workload.run(order)));
    }

    private static Order read(String[] arguments) {
        if (arguments.length == 0) {
            throw new IllegalArgumentException("which workload? It is the first argument");
        }
        Map<String, Long> parameters = new TreeMap<>();
        String client = "";
        for (int i = 1; i < arguments.length; i++) {
            String[] words = arguments[i].split("=", 3);
            if (words[0].equals("-set") && words.length == 3) {
                parameters.put(words[1], Long.parseLong(words[2]));
            } else if (arguments[i].equals("-client") && i + 1 < arguments.length) {
                client = arguments[++i];
            } else {
                throw new IllegalArgumentException("what is " + arguments[i] + "?");
            }
        }
        return new Order(arguments[0], parameters, client);
    }

    /** Says why there is no record, and ends the program. trefoil-bench reads the line. */
    static void fail(Throwable failure) {
        String message = failure.getMessage();
        System.err.println("error: " + (message == null ? failure.toString() : message));
        // Without a hook that could wait for something.
        Runtime.getRuntime().halt(1);
    }

    /** Throws unless what was found is what was expected. */
    static void unlessEqual(String what, long expected, long found) {
        if (found != expected) {
            throw new IllegalStateException(
                    "wrong result: " + what + " is " + found + " and must be " + expected);
        }
    }
}
