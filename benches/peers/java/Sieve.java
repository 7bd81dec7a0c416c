import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;

/** The first primes by a chain of threads, one for each prime: see benches/workloads/sieve.rs. */
final class Sieve {
    private Sieve() {}

    /** A queue cannot be closed: this message is the last one. It is no hop. */
    private static final long END = -1;

    static Measure.Measurement sieve(Main.Order order) throws Exception {
        long primes = order.get("primes");
        int capacity = (int) order.get("capacity");
        Plan plan = Plan.of(primes);
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> first = new ArrayBlockingQueue<>(capacity);
        Threads.start(() -> countUp(plan.last(), first));
        BlockingQueue<Long> incoming = first;
        List<FutureTask<Long>> filters = new ArrayList<>();
        long sum = 0;
        while (filters.size() < primes) {
            long prime = incoming.take();
            sum += prime;
            BlockingQueue<Long> from = incoming;
            BlockingQueue<Long> out = new ArrayBlockingQueue<>(capacity);
            filters.add(Threads.spawn(() -> filter(prime, from, out)));
            incoming = out;
        }
        Main.unlessEqual("what comes after the last prime", END, incoming.take());
        long hops = primes + Threads.sum(filters);
        var measured = watch.stop(hops);
        Main.unlessEqual("the sum of the primes", plan.sum(), sum);
        Main.unlessEqual("the number of hops", plan.hops(), hops);
        return measured;
    }

    private static void countUp(long last, BlockingQueue<Long> out) throws InterruptedException {
        for (long number = 2; number <= last; number++) {
            out.put(number);
        }
        out.put(END);
    }

    /** Passes on what the prime does not divide, and counts what has come. */
    private static long filter(long prime, BlockingQueue<Long> incoming, BlockingQueue<Long> out)
            throws InterruptedException {
        long hops = 0;
        for (long number = incoming.take(); number != END; number = incoming.take()) {
            hops++;
            if (number % prime != 0) {
                out.put(number);
            }
        }
        out.put(END);
        return hops;
    }

    /** The last prime, the sum of all, and how many hops there are. */
    private record Plan(long last, long sum, long hops) {
        static Plan of(long primes) {
            long[] found = new long[(int) primes];
            int count = 0;
            long sum = 0;
            long hops = 0;
            for (long number = 2; count < primes; number++) {
                int before = 0;
                while (before < count && number % found[before] != 0) {
                    before++;
                }
                hops += before + 1;
                if (before == count) {
                    found[count++] = number;
                    sum += number;
                }
            }
            return new Plan(found[count - 1], sum, hops);
        }
    }
}
