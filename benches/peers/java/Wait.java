import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;

/** Threads that wait, and calls that block. */
final class Wait {
    private Wait() {}

    /** Opened once, by a wake-up for each thread that waits. */
    private static final class Gate {
        private volatile boolean open;
    }

    /**
     * Very many threads park, are woken by an unpark each, and joined. Virtual threads have no stacks of a
     * fixed size, so the parameter stack says nothing to them.
     */
    static Measure.Measurement parked(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long rounds = order.get("rounds");
        var before = Usage.Footprint.now();
        Measure.Held most = null;
        var watch = new Measure.Stopwatch();
        for (long round = 0; round < rounds; round++) {
            Measure.Held held = parkedRound(threads, before, watch);
            watch.endRound();
            if (most == null || held.resident() >= most.resident()) {
                most = held;
            }
        }
        return watch.stop(threads * rounds).with(most);
    }

    private static Measure.Held parkedRound(
            long threads, Usage.Footprint before, Measure.Stopwatch watch) throws Exception {
        var arrived = new CountDownLatch((int) threads);
        var gate = new Gate();
        long[] results = new long[(int) threads];
        List<Thread> waiting = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int number = i;
            waiting.add(
                    Threads.start(
                            () -> {
                                arrived.countDown();
                                while (!gate.open) {
                                    LockSupport.park();
                                }
                                results[number] = number;
                            }));
        }
        arrived.await();
        long cpu = Usage.cpuTime();
        long start = System.nanoTime();
        Measure.Held held = Usage.heldSince(before, threads);
        watch.leaveOut(cpu, start);
        gate.open = true;
        waiting.forEach(LockSupport::unpark);
        long sum = 0;
        for (int i = 0; i < threads; i++) {
            waiting.get(i).join();
            sum += results[i];
        }
        Spawn.checkSum(threads, sum);
        return held;
    }

    /** Very many threads sleep at the same time. The time is without that duration. */
    static Measure.Measurement sleepers(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long milliseconds = order.get("milliseconds");
        long duration = milliseconds * 1_000_000;
        var arrived = new CountDownLatch((int) threads);
        var before = Usage.Footprint.now();
        var watch = new Measure.Stopwatch();
        List<FutureTask<Long>> tasks = new ArrayList<>();
        for (long i = 0; i < threads; i++) {
            tasks.add(
                    Threads.spawn(
                            () -> {
                                long start = System.nanoTime();
                                arrived.countDown();
                                Thread.sleep(milliseconds);
                                return System.nanoTime() - start - duration;
                            }));
        }
        arrived.await();
        // It looks only if all sleep: then the first one's time is not over, before the look and after it.
        Measure.Held held = watch.elapsed() < duration ? Usage.heldSince(before, threads) : null;
        held = watch.elapsed() < duration ? held : null;
        long[] late = new long[tasks.size()];
        for (int i = 0; i < late.length; i++) {
            late[i] = Threads.join(tasks.get(i));
        }
        var measured = watch.stopAfter(threads, Math.max(watch.elapsed() - duration, 0));
        return measured.with(held).late(Measure.Lateness.of(late));
    }

    /**
     * Many calls at the same time that block their OS thread. A virtual thread leaves it in nearly all
     * calls of Java, so the call is one of the C library. With direct=1 it is made where it is; else by
     * a thread of the operating system, which is what one does with such calls.
     */
    static Measure.Measurement blocking(Main.Order order) throws Exception {
        long calls = order.get("calls");
        long rounds = order.get("rounds");
        boolean direct = order.get("direct") == 1;
        long milliseconds = order.get("milliseconds");
        var call = new BlockingCall();
        long complete = 0;
        var watch = new Measure.Stopwatch();
        for (long round = 0; round < rounds; round++) {
            List<FutureTask<Long>> tasks = new ArrayList<>();
            for (long i = 0; i < calls; i++) {
                tasks.add(
                        Threads.spawn(
                                () ->
                                        direct
                                                ? call.blockFor(milliseconds)
                                                : Threads.join(
                                                        Threads.spawnPlatform(
                                                                () -> call.blockFor(milliseconds)))));
            }
            complete += Threads.sum(tasks);
        }
        var measured = watch.stop(calls * rounds);
        Main.unlessEqual("the number of complete calls", calls * rounds, complete);
        return measured;
    }
}
