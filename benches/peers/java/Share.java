import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.ReentrantLock;

/** Things that many threads share. */
final class Share {
    private Share() {}

    /** A queue cannot be closed: this message is the last one for a consumer. */
    private static final long END = -1;

    private record Got(long messages, long sum) {}

    /** Producers and consumers share one queue. */
    static Measure.Measurement mpmc(Main.Order order) throws Exception {
        long messages = order.get("messages");
        long producers = order.get("producers");
        long consumers = order.get("consumers");
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> queue = new ArrayBlockingQueue<>((int) order.get("capacity"));
        List<FutureTask<Long>> producing = new ArrayList<>();
        for (long producer = 0; producer < producers; producer++) {
            long begin = messages * producer / producers;
            long end = messages * (producer + 1) / producers;
            producing.add(Threads.spawn(() -> produce(begin, end, queue)));
        }
        List<FutureTask<Got>> consuming = new ArrayList<>();
        for (long consumer = 0; consumer < consumers; consumer++) {
            consuming.add(Threads.spawn(() -> consume(queue)));
        }
        Threads.sum(producing);
        for (long consumer = 0; consumer < consumers; consumer++) {
            queue.put(END);
        }
        long count = 0;
        long sum = 0;
        for (FutureTask<Got> consumer : consuming) {
            Got got = Threads.join(consumer);
            count += got.messages();
            sum += got.sum();
        }
        var measured = watch.stop(messages);
        Main.unlessEqual("the number of messages", messages, count);
        Main.unlessEqual("the sum of all messages", messages * (messages - 1) / 2, sum);
        return measured;
    }

    private static long produce(long begin, long end, BlockingQueue<Long> queue)
            throws InterruptedException {
        for (long number = begin; number < end; number++) {
            queue.put(number);
        }
        return end - begin;
    }

    private static Got consume(BlockingQueue<Long> queue) throws InterruptedException {
        long messages = 0;
        long sum = 0;
        for (long number = queue.take(); number != END; number = queue.take()) {
            messages++;
            sum += number;
        }
        return new Got(messages, sum);
    }

    private static final class Counter {
        private final ReentrantLock lock = new ReentrantLock();
        private long number;

        void count() {
            lock.lock();
            try {
                number++;
            } finally {
                lock.unlock();
            }
        }
    }

    /** Threads take turns with one lock. All have started before the clock does. */
    static Measure.Measurement mutex(Main.Order order) throws Exception {
        long threads = order.get("threads");
        long rounds = (order.get("locks") + threads - 1) / threads;
        var arrived = new CountDownLatch((int) threads);
        var gate = new CountDownLatch(1);
        var counter = new Counter();
        List<FutureTask<Long>> tasks = new ArrayList<>();
        for (long i = 0; i < threads; i++) {
            tasks.add(
                    Threads.spawn(
                            () -> {
                                arrived.countDown();
                                gate.await();
                                for (long round = 0; round < rounds; round++) {
                                    counter.count();
                                }
                                return rounds;
                            }));
        }
        arrived.await();
        var watch = new Measure.Stopwatch();
        gate.countDown();
        Threads.sum(tasks);
        var measured = watch.stop(threads * rounds);
        Main.unlessEqual("the number in the mutex", threads * rounds, counter.number);
        return measured;
    }
}
