package dev.dirtyd;

import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import dev.dirtyd.proto.v1.ExecuteResponse;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Brings the result of one call into a future. */
final class FutureResult implements StreamObserver<ExecuteResponse> {
    private final Invocation invocation;
    private final Deadline deadline;
    private final CompletableFuture<Object> future;
    private final int made;

    private FutureResult(Invocation invocation, Deadline deadline, CompletableFuture<Object> future, int made) {
        this.invocation = invocation;
        this.deadline = deadline;
        this.future = future;
        this.made = made;
    }

    static CompletableFuture<Object> start(Invocation invocation) {
        CompletableFuture<Object> future = new CompletableFuture<>();
        new FutureResult(invocation, invocation.begin(), future, 0).send();
        return future;
    }

    private void send() {
        ClientCall<ExecuteRequest, ExecuteResponse> call = invocation.newCall(ArbiterGrpc.getExecuteMethod(), deadline);
        ClientCalls.asyncUnaryCall(call, invocation.request(), this);
        // Whoever completes the future, its caller or a timeout, does not wait for the call any more.
        future.whenComplete((result, error) -> call.cancel("nobody waits for the result", null));
    }

    @Override
    public void onNext(ExecuteResponse response) {
        try {
            future.complete(Values.decode(response.getResult()));
        } catch (IllegalArgumentException malformed) {
            future.completeExceptionally(malformed);
        }
    }

    @Override
    public void onError(Throwable failure) {
        DirtyException error = invocation.translate(failure);
        invocation
                .retryAfter(made, error, deadline)
                .filter(wait -> !future.isDone())
                .ifPresentOrElse(
                        wait -> {
                            Executor later = CompletableFuture.delayedExecutor(wait.toNanos(), TimeUnit.NANOSECONDS);
                            later.execute(
                                    () -> new FutureResult(invocation, deadline, future, made + 1).sendUnlessDone());
                        },
                        () -> future.completeExceptionally(error));
    }

    private void sendUnlessDone() {
        if (!future.isDone()) {
            send();
        }
    }

    @Override
    public void onCompleted() {
        // The result came before; gRPC makes a missing one an error.
    }
}
