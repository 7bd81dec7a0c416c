import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel says this process has used. The virtual machine's own threads are part of it. */
final class Usage {
    private Usage() {}

    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    /** The CPU time of this process so far, of all its threads. */
    static long cpuTime() {
        return SYSTEM.getProcessCpuTime();
    }

    /** What this process holds at one moment; 0 where /proc is not mounted. */
    record Footprint(long resident, long pageTables, long mappings) {
        static Footprint now() {
            return new Footprint(bytesIn("VmRSS:"), bytesIn("VmPTE:"), mappingsNow());
        }
    }

    /** The most memory that this process has held so far. */
    static long peak() {
        return bytesIn("VmHWM:");
    }

    /** What has come since before, while so many threads wait now. */
    static Measure.Held heldSince(Footprint before, long threads) {
        Footprint now = Footprint.now();
        long resident = Math.max(now.resident() - before.resident(), 0);
        long pageTables = Math.max(now.pageTables() - before.pageTables(), 0);
        return new Measure.Held(
                resident, (double) resident / threads, (double) pageTables / threads, now.mappings());
    }

    /** Reads the line `VmRSS:      1234 kB`. */
    private static long bytesIn(String name) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(name)) {
                    return Long.parseLong(line.substring(name.length()).replace("kB", "").trim()) * 1024;
                }
            }
        } catch (IOException unmounted) {
            // It is not told then.
        }
        return 0;
    }

    /** Counts lines, a piece at a time: the text of all mappings can be megabytes. */
    private static long mappingsNow() {
        byte[] piece = new byte[4096];
        long lines = 0;
        try (InputStream maps = Files.newInputStream(Path.of("/proc/self/maps"))) {
            for (int count = maps.read(piece); count > 0; count = maps.read(piece)) {
                for (int i = 0; i < count; i++) {
                    lines += piece[i] == '\n' ? 1 : 0;
                }
            }
        } catch (IOException unmounted) {
            return 0;
        }
        return lines;
    }
}
