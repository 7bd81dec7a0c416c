import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The client process. What the two say to each other is in benches/src/load.rs. */
final class Load implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;

    /** How many requests were answered, how long it took in all, and each. */
    record Answered(long requests, long nanoseconds, Measure.Lateness latency) {}

    Load(String program, String address, Server.Plan plan) throws IOException {
        List<String> command = new ArrayList<>(List.of(program, "client", "--address", address));
        plan.arguments()
                .forEach(
                        (name, value) -> {
                            command.add("--" + name);
                            command.add(Long.toString(value));
                        });
        process =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        output =
                new BufferedReader(
                        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /** Waits until the client has made all its connections. */
    void connected() throws IOException {
        String line = line();
        if (!line.equals("connected")) {
            throw failed(line);
        }
    }

    /** Lets the client send its requests, and waits until all are answered. */
    Answered run() throws IOException {
        process.getOutputStream().write("go\n".getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        String line = line();
        String[] words = line.split(" ");
        if (words.length != 6 || !words[0].equals("answered")) {
            throw failed(line);
        }
        long[] numbers = new long[5];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = Long.parseLong(words[i + 1]);
        }
        var latency = new Measure.Lateness(numbers[2], numbers[3], numbers[4]);
        return new Answered(numbers[0], numbers[1], latency);
    }

    private String line() throws IOException {
        String line = output.readLine();
        return line == null ? "it ended without a word" : line;
    }

    private static IOException failed(String why) {
        return new IOException("the client failed: " + why);
    }

    /** Ends the process. One that has answered has nothing left to do; a second time does nothing. */
    @Override
    public void close() {
        process.destroyForcibly();
    }
}
