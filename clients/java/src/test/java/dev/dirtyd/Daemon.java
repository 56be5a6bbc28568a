package dev.dirtyd;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** A real daemon; DIRTYD_BIN names it, DIRTYD_TEST_PYTHON the Python of its workers. */
final class Daemon implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final Path ROOT = Path.of("../..").toAbsolutePath().normalize();

    private final Path directory;
    private final Process process;

    private Daemon(Path directory, Process process) {
        this.directory = directory;
        this.process = process;
    }

    /** Serves an app whose module is in {@code apps}, until its workers answer; with further flags. */
    static Daemon serve(String app, Path apps, String settings, String... flags)
            throws IOException, InterruptedException {
        String binary = Objects.requireNonNull(
                System.getenv("DIRTYD_BIN"), "set DIRTYD_BIN to the daemon, such as /.../target/debug/dirtyd");
        Path directory = Files.createTempDirectory("dirtyd");
        Path config = Files.writeString(
                directory.resolve("dirtyd.toml"),
                settings + "\nsocket = \"" + directory.resolve("d.sock") + "\"\n[[app]]\npath = \"" + app + "\"\n");
        List<String> command = new ArrayList<>(List.of(binary, "serve", "--config", config.toString()));
        command.addAll(List.of(flags));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("log").toFile());
        Map<String, String> environment = builder.environment();
        environment.put("PYTHONPATH", ROOT.resolve("clients/python/src") + ":" + apps.toAbsolutePath());
        environment.put("DIRTYD_PYTHON", environment.getOrDefault("DIRTYD_TEST_PYTHON", "python3"));
        environment.put("XDG_RUNTIME_DIR", directory.toString());
        Daemon daemon = new Daemon(directory, builder.start());
        daemon.waitUntilItAnswers(app);
        return daemon;
    }

    Path socket() {
        return directory.resolve("d.sock");
    }

    /** What the daemon and its workers have written. */
    String log() throws IOException {
        return Files.readString(directory.resolve("log"));
    }

    /** A call waits in the queue until the workers have booted; only connecting is tried again. */
    private void waitUntilItAnswers(String app) throws IOException {
        try (DirtyClient client = DirtyClient.connect(socket())) {
            client.call(app, "no_such_action")
                    .timeout(PATIENCE)
                    .retries(Integer.MAX_VALUE)
                    .execute();
        } catch (DirtyException.ActionNotFound | DirtyException.App booted) {
            return;
        } catch (DirtyException error) {
            String log = log();
            close();
            throw new IllegalStateException(log, error);
        }
    }

    /** Sends it a signal, such as STOP. */
    void signal(String name) throws IOException, InterruptedException {
        List<String> kill = List.of("kill", "-" + name, Long.toString(process.pid()));
        if (new ProcessBuilder(kill).inheritIO().start().waitFor() != 0) {
            throw new IOException("failed to send " + name);
        }
    }

    @Override
    public void close() throws IOException {
        process.destroy();
        try {
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IllegalStateException("the daemon does not end");
            }
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        List<Path> files = new ArrayList<>();
        try (var walk = Files.walk(directory)) {
            walk.sorted(Comparator.reverseOrder()).forEach(files::add);
        }
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Waits for a condition that nothing announces. */
    static void eventually(Condition condition) throws Exception {
        Instant limit = Instant.now().plus(PATIENCE);
        while (!condition.holds()) {
            if (Instant.now().isAfter(limit)) {
                throw new AssertionError("it did not come true in " + PATIENCE);
            }
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }
}
