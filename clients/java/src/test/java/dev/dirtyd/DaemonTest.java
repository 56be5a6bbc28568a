package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the client and a real daemon make of each other, beyond the conformance cases. */
@Timeout(120)
class DaemonTest {
    private static final String LAB = "lab:Lab";

    @TempDir
    Path directory;

    private Daemon daemon;
    private DirtyClient client;

    @BeforeEach
    void serve() throws Exception {
        daemon = Daemon.serve(LAB, Daemon.ROOT.resolve("tests/apps"), "max_queue = 1");
        client = DirtyClient.connect(daemon.socket()).withTimeout(Daemon.PATIENCE);
    }

    @AfterEach
    void end() throws Exception {
        client.close();
        daemon.close();
    }

    /** Waits for a file that an action makes. */
    private void appears(String name) throws Exception {
        Daemon.eventually(() -> Files.exists(directory.resolve(name)));
    }

    private String path(String name) {
        return directory.resolve(name).toString();
    }

    @Test
    void metadataReachesTheAction() {
        Map<?, ?> facts = (Map<?, ?>) client.call(LAB, "facts")
                .metadata("user", "ann")
                .metadata("raw-bin", new byte[] {0, -1})
                .metadata("x-request-id", "r7")
                .execute();
        Map<?, ?> metadata = (Map<?, ?>) facts.get("metadata");
        assertEquals("ann", metadata.get("user"));
        assertArrayEquals(new byte[] {0, -1}, (byte[]) metadata.get("raw-bin"));
        assertEquals("r7", facts.get("request_id"));
    }

    @Test
    void tensorsAreArrays() {
        Tensor doubled = (Tensor) client.execute(LAB, "doubled", Tensor.of(new float[] {1, 2, 3, 4}, 2, 2));
        assertArrayEquals(new float[] {2, 4, 6, 8}, doubled.floats());
        assertArrayEquals(new long[] {2, 2}, doubled.shape());
    }

    @Test
    void aWorkerThatDiesFailsTheCallThatItHadStarted() {
        long before = (Long) client.execute(LAB, "pid");
        Call stubborn = client.call(LAB, "die").retries(4);
        var error = assertThrows(DirtyException.WorkerCrashed.class, stubborn::execute);
        assertEquals(Status.Code.ABORTED, error.code());
        assertEquals(before, error.workerPid().orElseThrow());
        assertEquals("7", error.metadata().get("exit_code"));
    }

    @Test
    void aFullQueueIsToldAndRetriesWaitForRoom() throws Exception {
        CompletableFuture<Object> running = client.executeAsync(LAB, "hold", path("door"), 1);
        appears("door.started");
        // One waits, and whichever of two comes second finds the queue full.
        var waiting = List.of(client.executeAsync(LAB, "echo", 2), client.executeAsync(LAB, "echo", 2));
        var either = CompletableFuture.anyOf(waiting.toArray(CompletableFuture<?>[]::new));
        var error = assertThrows(ExecutionException.class, either::get);
        Duration after =
                ((DirtyException.QueueFull) error.getCause()).retryAfter().orElseThrow();
        assertTrue(after.compareTo(Duration.ZERO) > 0);

        CompletableFuture<Object> patient =
                client.call(LAB, "echo").args(3).retries(999).executeAsync();
        Files.createFile(directory.resolve("door"));
        assertEquals(3L, patient.get());
        assertEquals(1L, running.get());
    }

    @Test
    void aDeadlineAndAFutureThatIsCancelledEndTheAction() throws Exception {
        Call hasty = client.call(LAB, "nap").args(path("late")).timeout(Duration.ofSeconds(2));
        assertThrows(DirtyException.Timeout.class, hasty::execute);
        appears("late.cancelled");

        CompletableFuture<Object> future = client.executeAsync(LAB, "nap", path("unwanted"));
        appears("unwanted.started");
        future.cancel(true);
        appears("unwanted.cancelled");
    }
}
