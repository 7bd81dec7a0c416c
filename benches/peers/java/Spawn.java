import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;

/** Threads that only compute a result. */
final class Spawn {
    private Spawn() {}

    /** Starts one thread after the other, and waits for its result. */
    static Measure.Measurement spawnJoin(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long sum = 0;
        var watch = new Measure.Stopwatch();
        for (long i = 0; i < threads; i++) {
            long number = i;
            sum += Threads.join(Threads.spawn(() -> number));
        }
        var measured = watch.stop(threads);
        checkSum(threads, sum);
        return measured;
    }

    /** Starts many threads, then waits for all. */
    static Measure.Measurement spawnBatch(Main.Order order) throws Exception {
        long threads = order.get("threads");
        var watch = new Measure.Stopwatch();
        List<FutureTask<Long>> tasks = new ArrayList<>();
        for (long i = 0; i < threads; i++) {
            long number = i;
            tasks.add(Threads.spawn(() -> number));
        }
        long sum = Threads.sum(tasks);
        var measured = watch.stop(threads);
        checkSum(threads, sum);
        return measured;
    }

    /** The threads give 0, 1, 2 and so on. */
    static void checkSum(long threads, long sum) {
        Main.unlessEqual("the sum of the results", threads * (threads - 1) / 2, sum);
    }

    /** Counts the primes below a limit by trial division, in tasks of very different length. */
    static Measure.Measurement primes(Main.Order order) throws Exception {
        long limit = order.get("limit");
        long parts = order.get("tasks");
        var watch = new Measure.Stopwatch();
        List<FutureTask<Long>> tasks = new ArrayList<>();
        long whole = weightsBelow(parts);
        for (long part = 0; part < parts; part++) {
            long start = limit * weightsBelow(part) / whole;
            long end = limit * weightsBelow(part + 1) / whole;
            tasks.add(Threads.spawn(() -> count(start, end)));
        }
        long found = Threads.sum(tasks);
        var measured = watch.stop(limit);
        Main.unlessEqual("the number of primes", sieve((int) limit), found);
        return measured;
    }

    /** The lengths of the first parts together, which are as 1 to 8. */
    private static long weightsBelow(long part) {
        long sum = 0;
        for (long before = 0; before < part; before++) {
            sum += before * 5 % 8 + 1;
        }
        return sum;
    }

    private static long count(long start, long end) {
        long primes = 0;
        for (long number = start; number < end; number++) {
            primes += isPrime((int) number) ? 1 : 0;
        }
        return primes;
    }

    private static boolean isPrime(int number) {
        if (number < 4) {
            return number > 1;
        }
        if (number % 2 == 0) {
            return false;
        }
        for (int divisor = 3; (long) divisor * divisor <= number; divisor += 2) {
            if (number % divisor == 0) {
                return false;
            }
        }
        return true;
    }

    /** The number of primes below the limit, by the sieve of Eratosthenes. */
    private static long sieve(int limit) {
        boolean[] composite = new boolean[limit];
        long primes = 0;
        for (int number = 2; number < limit; number++) {
            if (composite[number]) {
                continue;
            }
            primes++;
            for (long multiple = (long) number * number; multiple < limit; multiple += number) {
                composite[(int) multiple] = true;
            }
        }
        return primes;
    }

    /** A Fibonacci number, and how many threads were forked for it. */
    record Tree(long value, long forks) {}

    /** Computes a Fibonacci number by the definition; the left branch is a thread. */
    static Measure.Measurement fib(Main.Order order) throws Exception {
        long n = order.get("n");
        long cutoff = order.get("cutoff");
        var watch = new Measure.Stopwatch();
        Tree found = fork(n, cutoff);
        var measured = watch.stop(Math.max(found.forks(), 1));
        Tree expected = fromBelow(n, cutoff);
        Main.unlessEqual("the Fibonacci number", expected.value(), found.value());
        Main.unlessEqual("the number of threads", expected.forks(), found.forks());
        return measured;
    }

    private static Tree fork(long n, long cutoff) throws Exception {
        if (n < cutoff) {
            return new Tree(alone(n), 0);
        }
        FutureTask<Tree> task = Threads.spawn(() -> fork(n - 1, cutoff));
        Tree right = fork(n - 2, cutoff);
        Tree left = Threads.join(task);
        return new Tree(left.value() + right.value(), left.forks() + right.forks() + 1);
    }

    private static long alone(long n) {
        return n < 2 ? n : alone(n - 1) + alone(n - 2);
    }

    /** What the recurrences say. */
    private static Tree fromBelow(long n, long cutoff) {
        Tree current = new Tree(0, 0);
        Tree next = new Tree(1, 0);
        for (long number = 2; number < n + 2; number++) {
            long forks = number < cutoff ? 0 : current.forks() + next.forks() + 1;
            Tree after = new Tree(current.value() + next.value(), forks);
            current = next;
            next = after;
        }
        return current;
    }
}
