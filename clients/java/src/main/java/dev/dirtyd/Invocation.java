package dev.dirtyd;

import dev.dirtyd.proto.v1.ExecuteRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** All that one call needs, once it is complete. */
record Invocation(Connection connection, ExecuteRequest request, Duration timeout, Metadata headers, Retries retries) {

    /** Starts the clock: the deadline holds for all attempts together. Null if there is none. */
    Deadline begin() {
        return timeout == null ? null : Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** The channel for one attempt. */
    Channel channel(Deadline deadline) {
        Channel channel =
                ClientInterceptors.intercept(connection.channel(), MetadataUtils.newAttachHeadersInterceptor(headers));
        return deadline == null ? channel : ClientInterceptors.intercept(channel, new CallerDeadline(deadline));
    }

    <T> ClientCall<ExecuteRequest, T> newCall(MethodDescriptor<ExecuteRequest, T> method, Deadline deadline) {
        return channel(deadline).newCall(method, CallOptions.DEFAULT);
    }

    DirtyException translate(Throwable error) {
        return Errors.translate(error, request.getApp(), request.getAction(), connection.socket());
    }

    /** The wait before another attempt; empty if there is to be none, or no time for it. */
    Optional<Duration> retryAfter(int made, DirtyException error, Deadline deadline) {
        return retries.after(made, error)
                .filter(wait -> deadline == null || deadline.timeRemaining(TimeUnit.NANOSECONDS) > wait.toNanos());
    }

    /** Waits for another attempt, or throws the error. */
    void waitForRetry(int made, DirtyException error, Deadline deadline) {
        Duration wait = retryAfter(made, error, deadline).orElseThrow(() -> error);
        try {
            TimeUnit.NANOSECONDS.sleep(wait.toNanos());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw error;
        }
    }
}
