import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * usleep(3), which blocks the OS thread. By java.lang.foreign, which Java 17 does not have in this form: so
 * it is asked for by reflection, once.
 */
final class BlockingCall {
    private final MethodHandle usleep;

    BlockingCall() throws ReflectiveOperationException {
        Class<?> linkerType = Class.forName("java.lang.foreign.Linker");
        Class<?> lookupType = Class.forName("java.lang.foreign.SymbolLookup");
        Class<?> layoutType = Class.forName("java.lang.foreign.MemoryLayout");
        Class<?> descriptorType = Class.forName("java.lang.foreign.FunctionDescriptor");
        Class<?> segmentType = Class.forName("java.lang.foreign.MemorySegment");
        Class<?> optionType = Class.forName("java.lang.foreign.Linker$Option");
        Object number = Class.forName("java.lang.foreign.ValueLayout").getField("JAVA_INT").get(null);

        Object linker = linkerType.getMethod("nativeLinker").invoke(null);
        Object lookup = linkerType.getMethod("defaultLookup").invoke(linker);
        Object symbol =
                ((Optional<?>) lookupType.getMethod("find", String.class).invoke(lookup, "usleep"))
                        .orElseThrow();
        Object arguments = java.lang.reflect.Array.newInstance(layoutType, 1);
        java.lang.reflect.Array.set(arguments, 0, number);
        Object descriptor =
                descriptorType
                        .getMethod("of", layoutType, arguments.getClass())
                        .invoke(null, number, arguments);
        Object options = java.lang.reflect.Array.newInstance(optionType, 0);
        usleep =
                (MethodHandle)
                        linkerType
                                .getMethod(
                                        "downcallHandle", segmentType, descriptorType, options.getClass())
                                .invoke(linker, symbol, descriptor, options);
    }

    /** Blocks the OS thread. 1: for long enough. */
    long blockFor(long milliseconds) {
        long start = System.nanoTime();
        long end = start + milliseconds * 1_000_000;
        try {
            // The virtual machine may interrupt a call by signals of its own.
            for (long left = end - start; left > 0; left = end - System.nanoTime()) {
                int failed = (int) usleep.invokeExact((int) Math.min((left + 999) / 1000, 999_999));
            }
        } catch (Throwable failure) {
            throw new IllegalStateException("cannot call usleep", failure);
        }
        return System.nanoTime() - start >= milliseconds * 1_000_000 ? 1 : 0;
    }
}
