package dev.dirtyd;

import com.google.gson.JsonObject;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** One way to call, with its own form V of values. */
interface Caller<V> extends AutoCloseable {
    /** A call of the conformance cases; no timeout is 0. */
    record Request<V>(String app, String action, List<V> args, Map<String, V> kwargs, long timeoutMillis) {}

    /** A stream that can be left. */
    interface Chunks<V> extends Iterator<V>, AutoCloseable {
        @Override
        void close();
    }

    /** What a failed call told. */
    final class Failed extends Exception {
        final String code;
        final String reason;
        final String remoteType;
        final String traceback;

        Failed(String code, String reason, String message, String remoteType, String traceback) {
            super(message);
            this.code = code;
            this.reason = reason;
            this.remoteType = remoteType;
            this.traceback = traceback;
        }
    }

    V value(JsonObject tagged);

    boolean same(V a, V b);

    V execute(Request<V> request);

    Chunks<V> stream(Request<V> request);

    /** Reads the exception of a call. */
    Failed read(RuntimeException error);

    @Override
    void close();
}
