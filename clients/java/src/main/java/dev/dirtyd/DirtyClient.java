package dev.dirtyd;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/**
 * Calls actions of apps. Make one and share it: it is safe across threads, virtual ones too, and has one connection,
 * which is opened by the first call and opened again by the next one after a loss.
 *
 * <p>Arguments and results are null, Boolean, Long (Byte, Short, Integer and BigInteger as arguments), Double (Float),
 * String, byte[], List, Map with String keys, and {@link Tensor}.
 */
public final class DirtyClient implements AutoCloseable {
    private final Connection connection;
    private final Duration timeout;
    private final Retries retries;

    private DirtyClient(Connection connection, Duration timeout, Retries retries) {
        this.connection = connection;
        this.timeout = timeout;
        this.retries = retries;
    }

    /** A client of the daemon at this socket. */
    public static DirtyClient connect(Path socket) {
        return new DirtyClient(new Connection(socket), null, Retries.NONE);
    }

    /**
     * A client of the daemon at $DIRTYD_SOCKET, else at its default place for this user:
     * $XDG_RUNTIME_DIR/dirtyd/dirtyd.sock, as root /run/dirtyd/dirtyd.sock, else
     * ~/.local/state/dirtyd/run/dirtyd.sock.
     */
    public static DirtyClient fromEnvironment() {
        return connect(SocketPath.find());
    }

    /** A view on the same connection whose calls have this timeout, unless they set another. */
    public DirtyClient withTimeout(Duration limit) {
        return new DirtyClient(connection, Objects.requireNonNull(limit), retries);
    }

    /**
     * A view on the same connection whose calls are repeated at most so many times, if they {@linkplain
     * DirtyException#isSafeToRetry certainly had not started}. It waits as long as the arbiter asks for, or 50 ms, then
     * twice as long each time, at most 2 s, less a random part, and within the timeout. A stream is repeated only before
     * its first chunk.
     */
    public DirtyClient withRetries(int most) {
        return new DirtyClient(connection, timeout, new Retries(most));
    }

    /** The path of the arbiter's socket. */
    public Path socket() {
        return connection.socket();
    }

    /** Begins a call that needs more than positional arguments. */
    public Call call(String app, String action) {
        return new Call(connection, app, action, timeout, retries);
    }

    /** See {@link Call#execute}. */
    public Object execute(String app, String action, Object... args) {
        return call(app, action).args(args).execute();
    }

    /** See {@link Call#executeAsync}. */
    public CompletableFuture<Object> executeAsync(String app, String action, Object... args) {
        return call(app, action).args(args).executeAsync();
    }

    /** See {@link Call#stream}. */
    public ChunkIterator stream(String app, String action, Object... args) {
        return call(app, action).args(args).stream();
    }

    /** See {@link Call#streamAsync}. */
    public Flow.Publisher<Object> streamAsync(String app, String action, Object... args) {
        return call(app, action).args(args).streamAsync();
    }

    /** Ends the connection, of all views, and the calls on it. */
    @Override
    public void close() {
        connection.close();
    }
}
