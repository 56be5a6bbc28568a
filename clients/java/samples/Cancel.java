import dev.dirtyd.ChunkIterator;
import dev.dirtyd.DirtyClient;
import dev.dirtyd.DirtyException;
import java.time.Duration;

/** Leaving a stream ends its generator; so does a deadline. */
class Cancel {
    private static final String APP = "app:Demo";

    public static void main(String[] args) {
        try (DirtyClient client = DirtyClient.fromEnvironment()) {
            try (ChunkIterator tokens = client.stream(APP, "tokens", "t")) {
                System.out.println("first three: " + tokens.asStream().limit(3).toList());
            }
            System.out.println("generators closed: " + client.execute(APP, "how_many_closed"));
            try (ChunkIterator tokens = client.call(APP, "tokens").args("t").timeout(Duration.ofMillis(300)).stream()) {
                tokens.forEachRemaining(token -> {});
            } catch (DirtyException.Timeout error) {
                System.out.println("gave up: " + error.code());
            }
            System.out.println("generators closed: " + client.execute(APP, "how_many_closed"));
        }
    }
}
