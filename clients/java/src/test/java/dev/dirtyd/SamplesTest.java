package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Each sample does what it says against a daemon that serves samples/app.py. */
@Timeout(120)
class SamplesTest {
    private static final Path SAMPLES = Path.of("samples");
    private Daemon daemon;

    @BeforeEach
    void serve() throws Exception {
        daemon = Daemon.serve("app:Demo", SAMPLES, "");
    }

    @AfterEach
    void end() throws Exception {
        daemon.close();
    }

    /** A source file as its own program, like `java -cp ... samples/Basic.java`. */
    private Process start(Path source, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                source.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("DIRTYD_SOCKET", daemon.socket().toString());
        return builder.start();
    }

    private String run(Path source) throws Exception {
        Process process = start(source);
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), output);
        return output;
    }

    @Test
    void basic() throws Exception {
        assertEquals("total 3\ntotal 7\ntotal 12\nrefused: INVALID_ARGUMENT -1\n", run(SAMPLES.resolve("Basic.java")));
    }

    @Test
    void stream() throws Exception {
        String output = run(SAMPLES.resolve("Stream.java"));
        assertEquals("to be or not to be that is the question", String.join(" ", output.split("\n")));
    }

    @Test
    void cancel() throws Exception {
        String output = run(SAMPLES.resolve("Cancel.java"));
        assertEquals("""
                first three: [t-0, t-1, t-2]
                generators closed: 1
                gave up: DEADLINE_EXCEEDED
                generators closed: 2
                """, output);
    }

    @Test
    void webStopsTheGeneratorWhenTheBrowserLeaves() throws Exception {
        Process server = start(SAMPLES.resolve("Web.java"), "0");
        try (BufferedReader output = server.inputReader()) {
            String line = output.readLine();
            Matcher port = Pattern.compile("listening on port ([0-9]+)").matcher(line);
            assertTrue(port.matches(), line);
            String site = "http://localhost:" + port.group(1);
            try (var page = URI.create(site).toURL().openStream()) {
                assertTrue(new String(page.readAllBytes()).contains("new EventSource(\"tokens"));
            }
            var events = URI.create(site + "/tokens?prompt=h%20i").toURL().openConnection();
            try (var lines = new BufferedReader(new InputStreamReader(events.getInputStream()))) {
                assertEquals("text/event-stream", events.getContentType());
                assertEquals("data: h i-0", lines.readLine());
                assertEquals("", lines.readLine());
                assertEquals("data: h i-1", lines.readLine());
            }
            Daemon.eventually(() -> lastToken().isPresent());
            int last = lastToken().getAsInt();
            assertTrue(last < 250, last + " tokens and more would not be streamed, but gathered in a buffer of 4 KiB");
        } finally {
            server.destroy();
            server.waitFor(60, TimeUnit.SECONDS);
        }
    }

    /** The number of the last token of the generator, once it has ended; by itself it never does. */
    private OptionalInt lastToken() throws IOException {
        return Pattern.compile("the generator ended with token ([0-9]+)\\s")
                .matcher(daemon.log())
                .results()
                .mapToInt(found -> Integer.parseInt(found.group(1)))
                .findFirst();
    }
}
