import dev.dirtyd.DirtyClient;
import dev.dirtyd.DirtyException;
import java.time.Duration;

/** One call and its errors. */
class Basic {
    private static final String APP = "app:Demo";

    public static void main(String[] args) {
        try (DirtyClient client = DirtyClient.fromEnvironment().withTimeout(Duration.ofSeconds(10))) {
            System.out.println("total " + client.execute(APP, "add", 3));
            System.out.println("total " + client.call(APP, "add").kwarg("n", 4).execute());
            System.out.println("total " + client.executeAsync(APP, "add", 5).join());
            try {
                client.execute(APP, "add", -1);
            } catch (DirtyException.App error) {
                System.out.println(
                        "refused: " + error.code() + " " + error.metadata().get("n"));
            }
        }
    }
}
