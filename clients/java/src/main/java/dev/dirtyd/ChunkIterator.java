package dev.dirtyd;

import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import dev.dirtyd.proto.v1.ExecuteStreamResponse;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The chunks of one streaming call, as they come. Closing it ends the action, from whichever thread; one that is read
 * to its end, or to its error, is closed. A reader that pauses stops the action after a few chunks.
 */
public final class ChunkIterator implements Iterator<Object>, AutoCloseable {
    private final Invocation invocation;
    private final Deadline deadline;
    private volatile boolean closed;
    private volatile ClientCall<ExecuteRequest, ExecuteStreamResponse> call;
    private Iterator<ExecuteStreamResponse> responses;
    private boolean begun;
    private int sent;

    ChunkIterator(Invocation invocation) {
        this.invocation = invocation;
        this.deadline = invocation.begin();
        send();
    }

    private void send() {
        sent++;
        call = invocation.newCall(ArbiterGrpc.getExecuteStreamMethod(), deadline);
        responses = ClientCalls.blockingServerStreamingCall(call, invocation.request());
        if (closed) {
            close(); // It was another call, of an earlier attempt, that close() has seen.
        }
    }

    /**
     * Waits for a chunk or for the end. Interrupting the thread cancels the call.
     *
     * @throws DirtyException if the call failed
     */
    @Override
    public boolean hasNext() {
        while (!closed) {
            try {
                boolean more = responses.hasNext();
                begun |= more;
                return more && !closed;
            } catch (StatusRuntimeException error) {
                if (closed) {
                    return false;
                }
                DirtyException failure = invocation.translate(error);
                if (begun) {
                    throw failure;
                }
                invocation.waitForRetry(sent - 1, failure, deadline);
                send();
            }
        }
        return false;
    }

    @Override
    public Object next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the stream has ended");
        }
        return Values.decode(responses.next().getChunk());
    }

    /** The chunks as a Stream, which is to be closed like this. */
    public Stream<Object> asStream() {
        int traits = Spliterator.ORDERED;
        return StreamSupport.stream(Spliterators.spliteratorUnknownSize(this, traits), false)
                .onClose(this::close);
    }

    @Override
    public void close() {
        closed = true;
        call.cancel("the reader left", null);
    }
}
