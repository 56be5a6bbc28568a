package dev.dirtyd;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Sends the caller's deadline to the arbiter, and ends a call that the arbiter does not answer. This takes the place of
 * the deadline of CallOptions: for that one gRPC writes grpc-timeout itself, and its timer ends the call before the
 * arbiter has answered.
 */
record CallerDeadline(Deadline deadline) implements ClientInterceptor {
    /** How much longer than its deadline a call waits for the arbiter, which knows what became of it. */
    private static final Duration GRACE = Duration.ofSeconds(1);

    private static final Metadata.Key<String> HEADER =
            Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER);
    /** The header has at most eight digits. */
    private static final long MOST = 99_999_999;

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        if (Context.current().getDeadline() != null) {
            // Then gRPC writes the header in any case, and has to know ours: it tells the earlier one.
            return next.newCall(method, options.withDeadline(deadline));
        }
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
            @Override
            public void start(Listener<A> listener, Metadata headers) {
                long left = Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS));
                headers.put(HEADER, header(left));
                CompletableFuture<Void> ended = new CompletableFuture<>();
                ended.orTimeout(left + GRACE.toNanos(), TimeUnit.NANOSECONDS).exceptionally(late -> {
                    cancel("dirtyd does not answer", null);
                    return null;
                });
                super.start(new EndedListener<>(listener, deadline, ended), headers);
            }
        };
    }

    private static String header(long nanos) {
        long millis = TimeUnit.NANOSECONDS.toMillis(nanos) + 1;
        return millis <= MOST ? millis + "m" : Math.min(TimeUnit.NANOSECONDS.toSeconds(nanos) + 1, MOST) + "S";
    }

    /** Stops the timer, and says of a call that was cancelled after its deadline that this has passed. */
    private static final class EndedListener<A> extends SimpleForwardingClientCallListener<A> {
        private final Deadline deadline;
        private final CompletableFuture<Void> ended;

        EndedListener(ClientCall.Listener<A> listener, Deadline deadline, CompletableFuture<Void> ended) {
            super(listener);
            this.deadline = deadline;
            this.ended = ended;
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            ended.complete(null);
            // The timer cancels it, and so do servers other than dirtyd, by a reset of the stream.
            boolean unanswered = status.getCode() == Status.Code.CANCELLED && deadline.isExpired();
            super.onClose(unanswered ? Status.DEADLINE_EXCEEDED : status, trailers);
        }
    }
}
