import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** Threads that give way to each other. */
final class Switch {
    private Switch() {}

    /** Threads yield. All have started before the clock does. */
    static Measure.Measurement giveWay(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long rounds = (order.get("yields") + threads - 1) / threads;
        var arrived = new CountDownLatch((int) threads);
        var gate = new CountDownLatch(1);
        List<FutureTask<Long>> tasks = new ArrayList<>();
        for (long i = 0; i < threads; i++) {
            tasks.add(
                    Threads.spawn(
                            () -> {
                                arrived.countDown();
                                gate.await();
                                return yieldFor(rounds);
                            }));
        }
        arrived.await();
        var watch = new Measure.Stopwatch();
        gate.countDown();
        long returned = Threads.sum(tasks);
        var measured = watch.stop(threads * rounds);
        Main.unlessEqual("the number of yields", threads * rounds, returned);
        return measured;
    }

    private static long yieldFor(long rounds) {
        long returned = 0;
        for (long round = 0; round < rounds; round++) {
            Thread.yield();
            returned++;
        }
        return returned;
    }

    /** Two threads pass a ball over two queues that hold one message each. */
    static Measure.Measurement pingPong(Main.Order order) throws Exception {
        long rounds = order.get("rounds");
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> there = new ArrayBlockingQueue<>(1);
        BlockingQueue<Long> back = new ArrayBlockingQueue<>(1);
        var ping = Threads.spawn(() -> lead(rounds, there, back));
        var pong = Threads.spawn(() -> passOn(rounds, there, back));
        long ball = Threads.join(ping);
        Threads.join(pong);
        var measured = watch.stop(rounds);
        Main.unlessEqual("the ball", 2 * rounds, ball);
        return measured;
    }

    /** A token goes round a ring of threads, over a queue of capacity 1 from each to the next. */
    static Measure.Measurement ring(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long rounds = order.get("rounds");
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> first = new ArrayBlockingQueue<>(1);
        BlockingQueue<Long> incoming = first;
        List<FutureTask<Long>> others = new ArrayList<>();
        for (long i = 1; i < threads; i++) {
            BlockingQueue<Long> from = incoming;
            BlockingQueue<Long> out = new ArrayBlockingQueue<>(1);
            others.add(Threads.spawn(() -> passOn(rounds, from, out)));
            incoming = out;
        }
        BlockingQueue<Long> last = incoming;
        long token = Threads.join(Threads.spawn(() -> lead(rounds, first, last)));
        Threads.sum(others);
        var measured = watch.stop(threads * rounds);
        Main.unlessEqual("the token", threads * rounds, token);
        return measured;
    }

    private static long lead(long rounds, BlockingQueue<Long> out, BlockingQueue<Long> incoming)
            throws InterruptedException {
        long token = 0;
        for (long round = 0; round < rounds; round++) {
            out.put(token + 1);
            token = incoming.take();
        }
        return token;
    }

    private static long passOn(long rounds, BlockingQueue<Long> incoming, BlockingQueue<Long> out)
            throws InterruptedException {
        for (long round = 0; round < rounds; round++) {
            out.put(incoming.take() + 1);
        }
        return rounds;
    }

    /** How many hours a player waits for the ball, at most. */
    private static final long PATIENCE = 1;

    /** As pingPong, with timeouts that never fire. Others sleep meanwhile; they end with the program. */
    static Measure.Measurement timersCancelled(Main.Order order) throws Exception {
        long rounds = order.get("rounds");
        boolean timeout = order.get("timeout") == 1;
        var begun = new CountDownLatch((int) order.get("standing"));
        for (long i = 0; i < order.get("standing"); i++) {
            Threads.start(
                    () -> {
                        begun.countDown();
                        TimeUnit.HOURS.sleep(2 * PATIENCE);
                    });
        }
        begun.await();
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> there = new ArrayBlockingQueue<>(1);
        BlockingQueue<Long> back = new ArrayBlockingQueue<>(1);
        var ping =
                Threads.spawn(
                        () -> {
                            long ball = 0;
                            for (long round = 0; round < rounds; round++) {
                                there.put(ball + 1);
                                ball = within(back, timeout);
                            }
                            return ball;
                        });
        var pong =
                Threads.spawn(
                        () -> {
                            for (long round = 0; round < rounds; round++) {
                                back.put(within(there, timeout) + 1);
                            }
                            return rounds;
                        });
        long ball = Threads.join(ping);
        Threads.join(pong);
        var measured = watch.stop(2 * rounds);
        Main.unlessEqual("the ball", 2 * rounds, ball);
        return measured;
    }

    private static long within(BlockingQueue<Long> incoming, boolean timeout)
            throws InterruptedException {
        if (!timeout) {
            return incoming.take();
        }
        Long ball = incoming.poll(PATIENCE, TimeUnit.HOURS);
        if (ball == null) {
            throw new IllegalStateException("the ball was late");
        }
        return ball;
    }
}
