import dev.dirtyd.*;
import java.time.Duration;

class Snippets {
    public static void main(String[] args) {
        // SNIPPETS
    }
}
