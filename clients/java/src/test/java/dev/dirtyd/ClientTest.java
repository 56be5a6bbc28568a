package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.rpc.Code;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The client's own behaviour, against an arbiter that misbehaves as it is told. */
@Timeout(60)
class ClientTest {
    private static final StatusRuntimeException FULL = FakeArbiter.error(Code.RESOURCE_EXHAUSTED_VALUE, "QUEUE_FULL");
    private static final StatusRuntimeException CRASHED = FakeArbiter.error(Code.ABORTED_VALUE, "WORKER_CRASHED");

    @TempDir
    Path directory;

    private final List<AutoCloseable> open = new ArrayList<>();
    private DirtyClient client;

    private FakeArbiter serve(int failures, StatusRuntimeException error) throws Exception {
        Path socket = Files.createDirectories(directory.resolve("a b%20" + open.size()))
                .resolve("d.sock");
        FakeArbiter arbiter = new FakeArbiter(socket, failures, error);
        client = DirtyClient.connect(socket);
        open.add(client);
        open.add(arbiter);
        return arbiter;
    }

    @AfterEach
    void end() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    @Test
    void anErrorTellsAllThatTheArbiterTold() throws Exception {
        serve(1, FakeArbiter.error(Code.NOT_FOUND_VALUE, "APP_ERROR"));
        DirtyException error = assertThrows(DirtyException.App.class, () -> client.execute("m:A", "x"));
        assertEquals(
                "NOT_FOUND APP_ERROR m:A x no",
                String.join(" ", error.code().name(), error.reason(), error.app(), error.action(), error.getMessage()));
        assertEquals(77, error.workerPid().orElseThrow());
        assertEquals(Optional.of("ValueError"), error.remoteType());
        assertEquals(Optional.of("a\nb"), error.remoteTraceback());
        assertEquals(Optional.of(Duration.ofMillis(1)), error.retryAfter());
        assertEquals(Optional.of("r1"), error.requestId());
        assertEquals("7", error.metadata().get("row"));
    }

    @Test
    void aReasonThatTheClientDoesNotKnowIsAPlainError() throws Exception {
        serve(1, FakeArbiter.error(Code.INTERNAL_VALUE, "NEW"));
        DirtyException error = assertThrows(DirtyException.class, () -> client.execute("m:A", "x"));
        assertEquals(DirtyException.class, error.getClass());
    }

    @Test
    void whatHadNotStartedIsTriedAgainInEachFormOfCall() throws Exception {
        FakeArbiter arbiter = serve(2, FULL);
        assertEquals(5L, client.withRetries(2).execute("m:A", "x", 5));
        arbiter.calls.set(0);
        assertEquals(5L, client.withRetries(2).executeAsync("m:A", "x", 5).join());
        arbiter.calls.set(0);
        try (ChunkIterator chunks = client.call("m:A", "count").retries(2).stream()) {
            assertEquals(0L, chunks.next());
        }
        arbiter.calls.set(0);
        assertThrows(DirtyException.QueueFull.class, () -> client.withRetries(1).execute("m:A", "x", 5));
        assertEquals(2, arbiter.calls.get());
    }

    @Test
    void whatMayHaveStartedIsNotTriedAgain() throws Exception {
        FakeArbiter arbiter = serve(1, CRASHED);
        DirtyClient stubborn = client.withRetries(4);
        assertThrows(DirtyException.WorkerCrashed.class, () -> stubborn.execute("m:A", "x", 5));
        assertEquals(1, arbiter.calls.getAndSet(0));
        var error = assertThrows(CompletionException.class, () -> stubborn.executeAsync("m:A", "x", 5)
                .join());
        assertInstanceOf(DirtyException.WorkerCrashed.class, error.getCause());
        assertEquals(1, arbiter.calls.getAndSet(0));
        try (ChunkIterator chunks = stubborn.stream("m:A", "count")) {
            assertThrows(DirtyException.WorkerCrashed.class, chunks::next);
        }
        assertEquals(1, arbiter.calls.get());
    }

    /** One table for all clients. */
    @Test
    void whatIsTriedAgainFollowsTheTable() throws Exception {
        Path table = Path.of("../../tests/conformance/retries.json");
        for (JsonElement row : JsonParser.parseString(Files.readString(table))
                .getAsJsonObject()
                .getAsJsonArray("failures")) {
            JsonObject failure = row.getAsJsonObject();
            Code code = Code.valueOf(failure.get("code").getAsString());
            String reason = failure.get("reason").getAsString();
            StatusRuntimeException error = reason.isEmpty()
                    ? Status.fromCodeValue(code.getNumber()).asRuntimeException()
                    : FakeArbiter.error(code.getNumber(), reason);
            FakeArbiter arbiter = serve(9, error);
            DirtyException last = assertThrows(
                    DirtyException.class, () -> client.withRetries(1).execute("m:A", "x", 5));
            boolean retried = failure.get("retried").getAsBoolean();
            assertEquals(retried, last.isSafeToRetry(), row::toString);
            assertEquals(retried ? 2 : 1, arbiter.calls.get(), row::toString);
        }
    }

    @Test
    void aRetryThatTheDeadlineHasNoRoomForIsNotMade() throws Exception {
        FakeArbiter arbiter =
                serve(9, FakeArbiter.error(Code.RESOURCE_EXHAUSTED_VALUE, "QUEUE_FULL", Duration.ofSeconds(10)));
        Call call = client.call("m:A", "x").timeout(Duration.ofSeconds(9)).retries(4);
        assertThrows(DirtyException.QueueFull.class, call::execute);
        assertEquals(1, arbiter.calls.get());
    }

    @Test
    void aDaemonThatComesLateOrComesAgainIsFoundByTheNextCall() throws Exception {
        FakeArbiter first = serve(0, FULL);
        assertEquals(1L, client.execute("m:A", "x", 1));
        open.remove(first);
        first.close();
        Files.deleteIfExists(client.socket());
        DirtyException gone = assertThrows(DirtyException.Connection.class, () -> client.execute("m:A", "x", 1));
        assertTrue(gone.isSafeToRetry());
        assertTrue(gone.getMessage().contains(client.socket() + ": "), gone.getMessage());
        open.add(new FakeArbiter(client.socket(), 0, FULL));
        assertEquals(2L, client.execute("m:A", "x", 2));
    }

    @Test
    void threadsAndViewsShareOneConnection() throws Exception {
        FakeArbiter arbiter = serve(0, FULL);
        ExecutorService threads = Executors.newFixedThreadPool(32);
        List<Future<Object>> answers = new ArrayList<>();
        for (long number = 0; number < 200; number++) {
            Call call = client.withTimeout(Duration.ofMinutes(1))
                    .call("m:A", "x")
                    .args(number)
                    .metadata("caller", String.valueOf(number));
            answers.add(threads.submit(call::execute));
        }
        for (int number = 0; number < 200; number++) {
            assertEquals((long) number, answers.get(number).get(), "never the answer to another's call");
        }
        threads.shutdown();
        assertEquals(1, arbiter.connections.get());
    }

    @Test
    void cancellingTheFutureOrInterruptingTheThreadCancelsTheCall() throws Exception {
        FakeArbiter arbiter = serve(0, FULL);
        CompletableFuture<Object> future = client.executeAsync("m:A", "hang");
        Daemon.eventually(() -> arbiter.calls.get() == 1);
        assertTrue(future.cancel(true));
        assertTrue(arbiter.cancelled.await(60, TimeUnit.SECONDS));

        CompletableFuture<Throwable> caught = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                client.execute("m:A", "hang");
            } catch (DirtyException error) {
                caught.complete(Thread.currentThread().isInterrupted() ? error : null);
            }
        });
        thread.start();
        Daemon.eventually(() -> arbiter.calls.get() == 2);
        thread.interrupt();
        assertInstanceOf(DirtyException.Cancelled.class, caught.get(60, TimeUnit.SECONDS));
    }

    @Test
    void aFutureThatTimesOutCancelsTheCall() throws Exception {
        FakeArbiter arbiter = serve(0, FULL);
        CompletableFuture<Object> future = client.executeAsync("m:A", "hang");
        Daemon.eventually(() -> arbiter.calls.get() == 1);
        assertThrows(CompletionException.class, future.orTimeout(1, TimeUnit.MILLISECONDS)::join);
        assertTrue(arbiter.cancelled.await(60, TimeUnit.SECONDS));
    }

    @Test
    void theDeadlineIsTheCallers() throws Exception {
        serve(0, FULL);
        Call call = client.call("m:A", "hang").timeout(Duration.ofMillis(50));
        assertThrows(DirtyException.Timeout.class, call::execute);
    }

    @Test
    void closingAStreamCancelsItAndEndsItsReader() throws Exception {
        FakeArbiter arbiter = serve(0, FULL);
        ChunkIterator chunks = client.stream("m:A", "count");
        assertEquals(List.of(0L, 1L), chunks.asStream().limit(2).toList());
        chunks.close();
        assertTrue(arbiter.cancelled.await(60, TimeUnit.SECONDS));
        assertFalse(chunks.hasNext());
        assertThrows(NoSuchElementException.class, chunks::next);
    }

    /** A subscriber that requests when the test says so. */
    private static final class Reader implements Flow.Subscriber<Object> {
        final LinkedBlockingQueue<Object> signals = new LinkedBlockingQueue<>();
        Flow.Subscription subscription;

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(2);
        }

        @Override
        public void onNext(Object chunk) {
            signals.add(chunk);
        }

        @Override
        public void onError(Throwable error) {
            signals.add(error);
        }

        @Override
        public void onComplete() {
            signals.add("complete");
        }

        Object next() throws InterruptedException {
            return signals.poll(60, TimeUnit.SECONDS);
        }
    }

    @Test
    void aSubscriberGetsWhatItRequestsAndStopsTheArbiterOtherwise() throws Exception {
        FakeArbiter arbiter = serve(0, FULL);
        Reader reader = new Reader();
        client.streamAsync("m:A", "count").subscribe(reader);
        assertEquals(List.of(0L, 1L), List.of(reader.next(), reader.next()));
        assertTrue(reader.signals.isEmpty());
        reader.subscription.request(1);
        assertEquals(2L, reader.next());
        reader.subscription.cancel();
        assertTrue(arbiter.cancelled.await(60, TimeUnit.SECONDS));
        assertTrue(arbiter.sent.get() < 200_000, "bounded by the window of HTTP/2, not by time");
        assertTrue(reader.signals.isEmpty());
    }

    @Test
    void aSubscriberIsToldOfErrors() throws Exception {
        serve(1, FULL);
        Reader refused = new Reader();
        client.streamAsync("m:A", "count").subscribe(refused);
        assertInstanceOf(DirtyException.QueueFull.class, refused.next());

        Reader wrong = new Reader();
        client.streamAsync("m:A", "count").subscribe(wrong);
        assertEquals(List.of(0L, 1L), List.of(wrong.next(), wrong.next()));
        wrong.subscription.request(0);
        assertInstanceOf(IllegalArgumentException.class, wrong.next());
    }

    @Test
    void metadataThatGrpcWouldSpoilIsRefused() throws Exception {
        serve(0, FULL);
        assertThrows(
                IllegalArgumentException.class, () -> client.call("m:A", "x").metadata("user", "Zoë"));
        assertThrows(
                IllegalArgumentException.class, () -> client.call("m:A", "x").metadata("user", new byte[1]));
    }
}
