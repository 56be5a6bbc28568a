import dev.dirtyd.ChunkIterator;
import dev.dirtyd.DirtyClient;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/** Chunks as they are produced: with an iterator, and to a subscriber. */
class Stream {
    private static final String APP = "app:Demo";

    public static void main(String[] args) {
        try (DirtyClient client = DirtyClient.fromEnvironment().withTimeout(Duration.ofSeconds(10))) {
            try (ChunkIterator words = client.stream(APP, "words", "to be or not to be")) {
                words.forEachRemaining(System.out::println);
            }
            Printer printer = new Printer();
            client.streamAsync(APP, "words", "that is the question").subscribe(printer);
            printer.end.join();
        }
    }

    /** Takes one chunk at a time; until it asks for the next, the action waits. */
    private static final class Printer implements Flow.Subscriber<Object> {
        final CompletableFuture<Void> end = new CompletableFuture<>();
        private Flow.Subscription subscription;

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            subscription.request(1);
        }

        @Override
        public void onNext(Object chunk) {
            System.out.println(chunk);
            subscription.request(1);
        }

        @Override
        public void onError(Throwable error) {
            end.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            end.complete(null);
        }
    }
}
