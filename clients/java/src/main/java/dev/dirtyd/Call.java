package dev.dirtyd;

import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import io.grpc.CallOptions;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/**
 * One call in the making: arguments and settings, then {@link #execute}, {@link #executeAsync}, {@link #stream} or
 * {@link #streamAsync}. Not for several threads at once.
 */
public final class Call {
    private final Connection connection;
    private final ExecuteRequest.Builder request;
    private final Metadata headers = new Metadata();
    private Duration timeout;
    private Retries retries;

    Call(Connection connection, String app, String action, Duration timeout, Retries retries) {
        this.connection = connection;
        this.request = ExecuteRequest.newBuilder().setApp(app).setAction(action);
        this.timeout = timeout;
        this.retries = retries;
    }

    /**
     * Appends positional arguments.
     *
     * @throws IllegalArgumentException if one has no form as a Value; it names the place
     */
    public Call args(Object... values) {
        // A single null argument arrives as an array that is null.
        for (Object value : values == null ? new Object[1] : values) {
            request.addArgs(Values.encode(value, "args[" + request.getArgsCount() + "]"));
        }
        return this;
    }

    /** Adds a keyword argument. */
    public Call kwarg(String name, Object value) {
        request.putKwargs(name, Values.encode(value, name));
        return this;
    }

    /**
     * Bounds the call as a whole, its stream included. Without it the arbiter's own timeout holds. The arbiter ends the
     * call; if it does not answer, the call fails a second later with {@link DirtyException.Timeout}, reason NO_ANSWER.
     */
    public Call timeout(Duration limit) {
        timeout = Objects.requireNonNull(limit);
        return this;
    }

    /** Metadata for the action, which finds it in {@code current_call().metadata}. ASCII only. */
    public Call metadata(String key, String value) {
        if (!StandardCharsets.US_ASCII.newEncoder().canEncode(value)) {
            throw new IllegalArgumentException("metadata " + key + " is not ASCII; send bytes under " + key + "-bin");
        }
        headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value);
        return this;
    }

    /** Binary metadata; the key ends with "-bin". */
    public Call metadata(String key, byte[] value) {
        headers.put(Metadata.Key.of(key, Metadata.BINARY_BYTE_MARSHALLER), value);
        return this;
    }

    /** Other {@linkplain DirtyClient#withRetries retries} than the client's. {@link #streamAsync} makes none. */
    public Call retries(int most) {
        retries = new Retries(most);
        return this;
    }

    /**
     * Runs the action and returns its result. Interrupting the thread cancels the call.
     *
     * @throws DirtyException if the call failed
     */
    public Object execute() {
        Invocation invocation = complete();
        Deadline deadline = invocation.begin();
        for (int made = 0; ; made++) {
            try {
                return Values.decode(ClientCalls.blockingUnaryCall(
                                invocation.channel(deadline),
                                ArbiterGrpc.getExecuteMethod(),
                                CallOptions.DEFAULT,
                                invocation.request())
                        .getResult());
            } catch (StatusRuntimeException error) {
                invocation.waitForRetry(made, invocation.translate(error), deadline);
            }
        }
    }

    /** Runs the action. Cancelling the future, or completing it otherwise, cancels the call. */
    public CompletableFuture<Object> executeAsync() {
        return FutureResult.start(complete());
    }

    /** Runs the action and iterates over its chunks, as they come. To be closed. */
    public ChunkIterator stream() {
        return new ChunkIterator(complete());
    }

    /**
     * The chunks for a subscriber of Reactive Streams, or of Flow. Each subscription runs the action once; what the
     * subscriber does not request, the action does not produce. Cancelling the subscription cancels the call.
     */
    public Flow.Publisher<Object> streamAsync() {
        Invocation invocation = complete();
        return subscriber -> ChunkSubscription.start(invocation, subscriber);
    }

    private Invocation complete() {
        Metadata copy = new Metadata();
        copy.merge(headers);
        return new Invocation(connection, request.build(), timeout, copy, retries);
    }
}
