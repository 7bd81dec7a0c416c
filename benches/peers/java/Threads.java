import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadFactory;

/** How a virtual thread is started and joined. */
final class Threads {
    private Threads() {}

    private static final ThreadFactory VIRTUAL = factory();

    /** What a thread does whose result nobody asks for. */
    interface Work {
        void run() throws Exception;
    }

    /**
     * Thread.ofVirtual().factory(), by reflection: Java 17, whose compiler translates this, does not know
     * it. What comes out is an interface that is older. It is done once.
     */
    private static ThreadFactory factory() {
        try {
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Class<?> type = Class.forName("java.lang.Thread$Builder");
            return (ThreadFactory) type.getMethod("factory").invoke(builder);
        } catch (ReflectiveOperationException missing) {
            throw new IllegalStateException("this Java has no virtual threads", missing);
        }
    }

    /** Starts a virtual thread whose result is joined. */
    static <T> FutureTask<T> spawn(Callable<T> callable) {
        FutureTask<T> task = new FutureTask<>(callable);
        VIRTUAL.newThread(task).start();
        return task;
    }

    /** Starts a virtual thread. What it throws ends the program: nobody would hear of it. */
    static Thread start(Work work) {
        Thread thread = VIRTUAL.newThread(() -> guarded(work));
        thread.start();
        return thread;
    }

    /** Starts a thread of the operating system. */
    static <T> FutureTask<T> spawnPlatform(Callable<T> callable) {
        FutureTask<T> task = new FutureTask<>(callable);
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        return task;
    }

    private static void guarded(Work work) {
        try {
            work.run();
        } catch (Throwable failure) {
            Main.fail(failure);
        }
    }

    /** Waits for a thread's result. What it threw goes on here. */
    static <T> T join(FutureTask<T> task) throws Exception {
        try {
            return task.get();
        } catch (ExecutionException thrown) {
            if (thrown.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw thrown;
        }
    }

    /** Joins all, and adds up their results. */
    static long sum(Iterable<FutureTask<Long>> tasks) throws Exception {
        long sum = 0;
        for (FutureTask<Long> task : tasks) {
            sum += join(task);
        }
        return sum;
    }
}
