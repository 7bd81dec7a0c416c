import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;

/**
 * Some threads compute without end, and one sleeps for a moment, again and again. With hogs=1 those who
 * compute yield after each slice, with hogs=2 they are threads of the operating system.
 */
final class Fairness {
    private Fairness() {}

    private record Computed(long slices, long sum) {}

    static Measure.Measurement fairness(Main.Order order) throws Exception {
        long steps = order.get("slice");
        long hogs = order.get("hogs");
        long nap = order.get("microseconds") * 1_000;
        long right = Server.digest(new byte[0], 0, 0, steps);
        var watch = new Measure.Stopwatch();
        long end = watch.start() + order.get("milliseconds") * 1_000_000;
        var sleeper = Threads.spawn(() -> sleepUntil(end, watch.start(), nap));
        List<FutureTask<Computed>> computing = new ArrayList<>();
        for (long hog = 0; hog < order.get("threads"); hog++) {
            computing.add(
                    hogs == 2
                            ? Threads.spawnPlatform(() -> computeUntil(end, steps, false))
                            : Threads.spawn(() -> computeUntil(end, steps, hogs == 1)));
        }
        for (FutureTask<Computed> hog : computing) {
            Computed computed = Threads.join(hog);
            Main.unlessEqual("the sum of a hog's slices", right * computed.slices(), computed.sum());
        }
        long[] late = Threads.join(sleeper);
        long whole = 0;
        for (long each : late) {
            whole += each;
        }
        return watch.stopAfter(late.length, whole).late(Measure.Lateness.of(late));
    }

    /** Sleeps once at least. The first sleep begins with the time, even if the sleeper does not. */
    private static long[] sleepUntil(long end, long begin, long nap) throws InterruptedException {
        List<Long> late = new ArrayList<>();
        long start = begin;
        do {
            Thread.sleep(nap / 1_000_000, (int) (nap % 1_000_000));
            late.add(System.nanoTime() - start - nap);
            start = System.nanoTime();
        } while (start - end < 0);
        return late.stream().mapToLong(Long::longValue).toArray();
    }

    /** Computes one slice at least. */
    private static Computed computeUntil(long end, long steps, boolean givesWay) {
        long slices = 0;
        long sum = 0;
        while (true) {
            slices++;
            sum += Server.digest(new byte[0], 0, 0, steps);
            if (System.nanoTime() - end >= 0) {
                return new Computed(slices, sum);
            }
            if (givesWay) {
                Thread.yield();
            }
        }
    }
}
