import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.dirtyd.ChunkIterator;
import dev.dirtyd.DirtyClient;
import dev.dirtyd.DirtyException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

/**
 * Tokens to a browser as server-sent events; the generator stops when the browser leaves. The argument is the port, 8000
 * without one; then open localhost:8000, or: curl -N 'localhost:8000/tokens?prompt=hello'
 */
class Web {
    private static final String PAGE = """
            <!doctype html>
            <title>Tokens</title>
            <pre id="tokens"></pre>
            <script>
              const tokens = document.getElementById("tokens");
              const events = new EventSource("tokens?prompt=hello");
              events.onmessage = ({ data }) => tokens.append(data, "\\n");
              events.onerror = () => events.close(); // At the end; otherwise it would begin anew.
            </script>
            """;

    public static void main(String[] args) throws IOException {
        DirtyClient client = DirtyClient.fromEnvironment();
        int port = args.length == 0 ? 8000 : Integer.parseInt(args[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.setExecutor(Executors.newCachedThreadPool()); // From Java 21 on: newVirtualThreadPerTaskExecutor().
        server.createContext("/", Web::page);
        server.createContext("/tokens", exchange -> tokens(client, exchange));
        server.start();
        System.out.println("listening on port " + server.getAddress().getPort());
    }

    private static void page(HttpExchange exchange) throws IOException {
        boolean found = exchange.getRequestURI().getPath().equals("/");
        byte[] body = (found ? PAGE : "Not found").getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", found ? "text/html; charset=utf-8" : "text/plain");
        exchange.sendResponseHeaders(found ? 200 : 404, body.length);
        try (exchange) {
            exchange.getResponseBody().write(body);
        }
    }

    private static void tokens(DirtyClient client, HttpExchange exchange) throws IOException {
        String query = exchange.getRequestURI().getRawQuery();
        String prompt =
                query == null ? "" : URLDecoder.decode(query.replaceFirst("prompt=", ""), StandardCharsets.UTF_8);
        // Leaving the block, by its end or by the IOException of a browser that left, cancels the action.
        try (exchange;
                ChunkIterator tokens = client.stream("app:Demo", "tokens", prompt)) {
            if (!begin(exchange, tokens)) {
                return;
            }
            OutputStream body = exchange.getResponseBody();
            while (tokens.hasNext()) {
                body.write(("data: " + tokens.next() + "\n\n").getBytes(StandardCharsets.UTF_8));
                body.flush();
            }
        }
    }

    /** Waits for the first token: until then an error can still become a status. */
    private static boolean begin(HttpExchange exchange, ChunkIterator tokens) throws IOException {
        try {
            tokens.hasNext();
        } catch (DirtyException.QueueFull error) {
            long seconds =
                    error.retryAfter().map(delay -> delay.toSeconds() + 1).orElse(1L);
            exchange.getResponseHeaders().set("Retry-After", String.valueOf(seconds));
            exchange.sendResponseHeaders(503, -1);
            return false;
        }
        exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
        exchange.sendResponseHeaders(200, 0);
        return true;
    }
}
