package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Context;
import io.grpc.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The caller's own deadline: a real daemon tells the reason, or is stopped and tells nothing. */
@Timeout(120)
class DeadlineTest {
    private static final String LAB = "lab:Lab";
    private static final int CALLS = 20;
    private static final Duration HURRY = Duration.ofSeconds(1);

    @TempDir
    Path directory;

    private int files;

    /** One process, so that a signal stops all of it. */
    private static Daemon serve(int threads) throws Exception {
        return Daemon.serve(LAB, Daemon.ROOT.resolve("tests/apps"), "threads = " + threads, "--single");
    }

    private String path(String name) {
        return directory.resolve(name).toString();
    }

    private Call nap(DirtyClient client) {
        return client.call(LAB, "nap").args(path("nap-" + files++)).timeout(HURRY);
    }

    /** Makes many calls at once, in all ways; gives their reasons. */
    private Set<String> reasons(DirtyClient client) throws Exception {
        List<Future<Object>> outcomes = new ArrayList<>();
        ExecutorService threads = Executors.newCachedThreadPool();
        for (int number = 0; number < CALLS; number++) {
            Call unary = nap(client);
            Call stream = nap(client);
            outcomes.add(threads.submit(unary::execute));
            outcomes.add(threads.submit(() -> stream.stream().hasNext()));
            outcomes.add(nap(client).executeAsync());
            outcomes.add(end(nap(client).streamAsync()));
        }
        Set<String> reasons = new TreeSet<>();
        for (Future<Object> outcome : outcomes) {
            Throwable error =
                    assertThrows(ExecutionException.class, outcome::get).getCause();
            DirtyException.Timeout timeout = assertInstanceOf(DirtyException.Timeout.class, error);
            assertEquals(Status.Code.DEADLINE_EXCEEDED, timeout.code());
            reasons.add(timeout.reason());
        }
        threads.shutdown();
        return reasons;
    }

    /** What comes at the end of the chunks. */
    private static Future<Object> end(Flow.Publisher<Object> chunks) {
        CompletableFuture<Object> end = new CompletableFuture<>();
        chunks.subscribe(new Flow.Subscriber<>() {
            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(Object chunk) {}

            @Override
            public void onError(Throwable error) {
                end.completeExceptionally(error);
            }

            @Override
            public void onComplete() {
                end.complete(null);
            }
        });
        return end;
    }

    @Test
    void theReasonOfACallThatRunsSurvivesTheCallersOwnDeadline() throws Exception {
        try (Daemon daemon = serve(4 * CALLS);
                DirtyClient client = DirtyClient.connect(daemon.socket())) {
            assertEquals(Set.of("EXECUTION_TIMEOUT"), reasons(client));
        }
    }

    @Test
    void aLaterDeadlineOfTheContextDoesNotReplaceTheCallersOwn() throws Exception {
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
        try (Daemon daemon = serve(1);
                DirtyClient client = DirtyClient.connect(daemon.socket());
                Context.CancellableContext context = Context.current().withDeadlineAfter(1, TimeUnit.DAYS, timer)) {
            context.run(() ->
                    assertThrows(DirtyException.Timeout.class, () -> nap(client).execute()));
        } finally {
            timer.shutdownNow();
        }
    }

    @Test
    void theReasonOfACallThatWaitsSurvivesTheCallersOwnDeadline() throws Exception {
        try (Daemon daemon = serve(1);
                DirtyClient client = DirtyClient.connect(daemon.socket())) {
            CompletableFuture<Object> holding = client.executeAsync(LAB, "hold", path("door"));
            Daemon.eventually(() -> Files.exists(directory.resolve("door.started")));
            assertEquals(Set.of("QUEUE_TIMEOUT"), reasons(client));
            Files.createFile(directory.resolve("door"));
            holding.get();
        }
    }

    @Test
    void aDaemonThatDoesNotAnswerHoldsNoCaller() throws Exception {
        try (Daemon daemon = serve(1);
                DirtyClient connected = DirtyClient.connect(daemon.socket());
                DirtyClient unconnected = DirtyClient.connect(daemon.socket())) {
            connected.execute(LAB, "pid");
            ChunkIterator begun = connected.call(LAB, "ticks").args(path("t")).timeout(HURRY).stream();
            begun.next();
            daemon.signal("STOP");
            try {
                assertEquals(Set.of("NO_ANSWER"), reasons(connected));
                assertEquals(Set.of("NO_ANSWER"), reasons(unconnected));
                var error = assertThrows(DirtyException.Timeout.class, () -> begun.forEachRemaining(chunk -> {}));
                assertEquals("NO_ANSWER", error.reason());
            } finally {
                daemon.signal("CONT");
            }
        }
    }
}
