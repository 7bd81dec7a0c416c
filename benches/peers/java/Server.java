import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;

/** Sends back what arrives on many loopback connections, a virtual thread each. */
final class Server {
    private Server() {}

    /** What the client sends, how often, and what it must get: see benches/src/client.rs. */
    record Plan(
            long connections,
            long requests,
            long size,
            long work,
            long depth,
            long lives,
            long idle,
            long pin) {
        static Plan of(Main.Order order, long work, long depth, long lives) {
            return new Plan(
                    order.get("connections"),
                    order.get("requests"),
                    order.get("size"),
                    work,
                    depth,
                    lives,
                    0,
                    order.get("pin"));
        }

        long opened() {
            return connections * lives + idle;
        }

        Map<String, Long> arguments() {
            Map<String, Long> named = new LinkedHashMap<>();
            named.put("connections", connections);
            named.put("requests", requests);
            named.put("size", size);
            named.put("work", work);
            named.put("depth", depth);
            named.put("lives", lives);
            named.put("idle", idle);
            named.put("pin", pin);
            return named;
        }
    }

    static Measure.Measurement echo(Main.Order order) throws Exception {
        return serve(order, Plan.of(order, 0, 1, 1));
    }

    /** Computes something for each request. */
    static Measure.Measurement echoCompute(Main.Order order) throws Exception {
        return serve(order, Plan.of(order, order.get("work"), 1, 1));
    }

    /** Many requests at once on each connection. */
    static Measure.Measurement echoPipelined(Main.Order order) throws Exception {
        return serve(order, Plan.of(order, 0, order.get("depth"), 1));
    }

    /** Connections end after a few requests. */
    static Measure.Measurement acceptChurn(Main.Order order) throws Exception {
        return serve(order, Plan.of(order, 0, 1, order.get("lives")));
    }

    /** One connection beside very many idle ones. */
    static Measure.Measurement idleConnections(Main.Order order) throws Exception {
        long idle = order.get("idle");
        Plan plan =
                new Plan(
                        1, order.get("requests"), order.get("size"), 0, 1, 1, idle, order.get("pin"));
        return serve(order, plan);
    }

    /** What becomes of the connections. A failure is a number below 0. */
    private static final class Tally {
        final LinkedBlockingQueue<Long> accepted = new LinkedBlockingQueue<>();
        final LinkedBlockingQueue<Long> ended = new LinkedBlockingQueue<>();
    }

    private static Measure.Measurement serve(Main.Order order, Plan plan) throws Exception {
        var before = Usage.Footprint.now();
        var tally = new Tally();
        try (ServerSocket listener =
                new ServerSocket(0, 4096, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
            Threads.start(() -> accept(listener, plan, tally));
            String address = "127.0.0.1:" + listener.getLocalPort();
            try (Load load = new Load(order.client(), address, plan)) {
                return measure(load, plan, tally, before);
            }
        }
    }

    private static Measure.Measurement measure(
            Load load, Plan plan, Tally tally, Usage.Footprint before) throws Exception {
        load.connected();
        for (long i = 0; i < plan.connections() + plan.idle(); i++) {
            tally.accepted.take();
        }
        Measure.Held held = plan.idle() > 0 ? Usage.heldSince(before, plan.idle()) : null;
        var watch = new Measure.Stopwatch();
        Load.Answered answered = load.run();
        var measured = watch.stopAfter(answered.requests(), answered.nanoseconds());
        // The client hangs up, and the handlers end.
        load.close();
        long requests = 0;
        for (long i = 0; i < plan.opened(); i++) {
            requests += tally.ended.take();
        }
        long planned = plan.connections() * plan.lives() * plan.requests() * plan.depth();
        Main.unlessEqual("the number of requests served", planned, requests);
        Main.unlessEqual("the number of right answers", planned, answered.requests());
        return measured.with(held).answered(answered.latency());
    }

    private static void accept(ServerSocket listener, Plan plan, Tally tally) throws IOException {
        for (long i = 0; i < plan.opened(); i++) {
            Socket stream = listener.accept();
            stream.setTcpNoDelay(true);
            tally.accepted.add(i);
            Threads.start(() -> tally.ended.add(answerAll(stream, plan)));
        }
    }

    /** Answers one connection until the client hangs up. What is there is answered at once. */
    private static long answerAll(Socket stream, Plan plan) throws IOException {
        int size = (int) plan.size();
        byte[] buffer = new byte[(int) (plan.size() * plan.depth())];
        byte[] answer = new byte[8];
        long requests = 0;
        int held = 0;
        try (stream;
                InputStream input = stream.getInputStream();
                OutputStream output = stream.getOutputStream()) {
            while (true) {
                int count = input.read(buffer, held, buffer.length - held);
                if (count < 0) {
                    if (held > 0) {
                        throw new IOException("cannot answer: a request is not whole");
                    }
                    return requests;
                }
                held += count;
                int whole = held / size * size;
                if (whole > 0) {
                    if (plan.work() > 0) {
                        put(answer, digest(buffer, 0, whole, plan.work()));
                        output.write(answer);
                    } else {
                        output.write(buffer, 0, whole);
                    }
                    requests += whole / size;
                    System.arraycopy(buffer, whole, buffer, 0, held - whole);
                    held -= whole;
                }
            }
        }
    }

    /** Mixes bytes together, then the result with itself: see benches/workloads/echo_compute.rs. */
    static long digest(byte[] bytes, int start, int end, long work) {
        long state = 0x9e37_79b9_7f4a_7c15L;
        for (int i = start; i < end; i++) {
            state = mix(state ^ (bytes[i] & 0xff));
        }
        for (long round = 0; round < work; round++) {
            state = mix(state ^ round);
        }
        return state;
    }

    private static long mix(long state) {
        long mixed = (state ^ (state >>> 32)) * 0xd6e8_feb8_6659_fd93L;
        return mixed ^ (mixed >>> 29);
    }

    private static void put(byte[] answer, long digest) {
        for (int place = 0; place < answer.length; place++) {
            answer[place] = (byte) (digest >>> (8 * place));
        }
    }
}
