package dev.dirtyd;

import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import dev.dirtyd.proto.v1.ExecuteStreamResponse;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.Flow;

/**
 * One streaming call on behalf of a subscriber: what it requests is what gRPC requests of the arbiter, so that the
 * action never runs ahead of it by more than a window.
 */
final class ChunkSubscription extends ClientCall.Listener<ExecuteStreamResponse> implements Flow.Subscription {
    private final Invocation invocation;
    private final Flow.Subscriber<? super Object> subscriber;
    private final ClientCall<ExecuteRequest, ExecuteStreamResponse> call;
    private volatile boolean cancelled;
    private volatile RuntimeException failure;
    // The call starts after onSubscribe has returned, because signals must not overlap. What is requested until then
    // waits here.
    private boolean started;
    private long early;

    private ChunkSubscription(Invocation invocation, Flow.Subscriber<? super Object> subscriber) {
        this.invocation = invocation;
        this.subscriber = subscriber;
        this.call = invocation.newCall(ArbiterGrpc.getExecuteStreamMethod(), invocation.begin());
    }

    static void start(Invocation invocation, Flow.Subscriber<? super Object> subscriber) {
        ChunkSubscription subscription = new ChunkSubscription(invocation, subscriber);
        subscriber.onSubscribe(subscription);
        subscription.send();
    }

    private synchronized void send() {
        if (failure != null && !cancelled) {
            subscriber.onError(failure);
        } else if (!cancelled) {
            started = true;
            call.start(this, new Metadata());
            call.sendMessage(invocation.request());
            call.halfClose();
            demand(early);
        }
    }

    @Override
    public synchronized void request(long n) {
        if (n <= 0) {
            fail(new IllegalArgumentException("request(" + n + "): a subscriber requests at least one chunk"));
        } else if (started) {
            demand(n);
        } else {
            early = early + n < 0 ? Long.MAX_VALUE : early + n;
        }
    }

    private void demand(long n) {
        if (n > 0) {
            call.request((int) Math.min(n, Integer.MAX_VALUE));
        }
    }

    @Override
    public synchronized void cancel() {
        cancelled = true;
        if (started) {
            call.cancel("the subscriber left", null);
        }
    }

    private synchronized void fail(RuntimeException error) {
        failure = error;
        if (started) {
            call.cancel("the subscription failed", error);
        }
    }

    @Override
    public void onMessage(ExecuteStreamResponse response) {
        if (cancelled || failure != null) {
            return;
        }
        Object chunk;
        try {
            chunk = Values.decode(response.getChunk());
        } catch (IllegalArgumentException malformed) {
            fail(malformed);
            return;
        }
        subscriber.onNext(chunk);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        if (cancelled) {
            return;
        }
        if (failure != null) {
            subscriber.onError(failure);
        } else if (status.isOk()) {
            subscriber.onComplete();
        } else {
            subscriber.onError(invocation.translate(status.asRuntimeException(trailers)));
        }
    }
}
