import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;

/** A tree of threads: see benches/workloads/skynet.rs. */
final class Skynet {
    private Skynet() {}

    private static final long MOST_THREADS = 10_000_000;

    private record Tree(int width, long depth, long leaves, long threads) {
        static Tree of(Main.Order order) {
            long width = order.get("width");
            long depth = order.get("depth");
            long leaves = 1;
            long threads = 1;
            for (long level = 0; level < depth; level++) {
                leaves *= width;
                threads += leaves;
                if (threads > MOST_THREADS) {
                    throw new IllegalArgumentException(
                            String.format(
                                    "a tree of width %d and depth %d has more than %d threads; use less",
                                    width, depth, MOST_THREADS));
                }
            }
            return new Tree((int) width, depth, leaves, threads);
        }

        void check(long sum) {
            Main.unlessEqual("the sum of all leaves", leaves * (leaves - 1) / 2, sum);
        }
    }

    /** Each thread adds up what its children send it; a leaf sends its number. */
    static Measure.Measurement byChannel(Main.Order order) throws Exception {
        Tree tree = Tree.of(order);
        var watch = new Measure.Stopwatch();
        BlockingQueue<Long> result = new ArrayBlockingQueue<>(1);
        Threads.start(() -> send(tree.width(), tree.depth(), 0, result));
        long sum = result.take();
        var measured = watch.stop(tree.threads());
        tree.check(sum);
        return measured;
    }

    private static void send(int width, long depth, long number, BlockingQueue<Long> up)
            throws InterruptedException {
        if (depth == 0) {
            up.put(number);
            return;
        }
        BlockingQueue<Long> sums = new ArrayBlockingQueue<>(width);
        for (int i = 0; i < width; i++) {
            long child = number * width + i;
            Threads.start(() -> send(width, depth - 1, child, sums));
        }
        long sum = 0;
        for (int i = 0; i < width; i++) {
            sum += sums.take();
        }
        up.put(sum);
    }

    /** The same by join. */
    static Measure.Measurement byJoin(Main.Order order) throws Exception {
        Tree tree = Tree.of(order);
        var watch = new Measure.Stopwatch();
        long sum = Threads.join(Threads.spawn(() -> grow(tree.width(), tree.depth(), 0)));
        var measured = watch.stop(tree.threads());
        tree.check(sum);
        return measured;
    }

    private static long grow(int width, long depth, long number) throws Exception {
        if (depth == 0) {
            return number;
        }
        List<FutureTask<Long>> children = new ArrayList<>(width);
        for (int i = 0; i < width; i++) {
            long child = number * width + i;
            children.add(Threads.spawn(() -> grow(width, depth - 1, child)));
        }
        return Threads.sum(children);
    }
}
