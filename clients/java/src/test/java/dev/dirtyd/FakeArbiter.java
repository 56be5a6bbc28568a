package dev.dirtyd;

import com.google.protobuf.Any;
import com.google.rpc.DebugInfo;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import dev.dirtyd.proto.v1.ExecuteResponse;
import dev.dirtyd.proto.v1.ExecuteStreamResponse;
import io.grpc.Attributes;
import io.grpc.Server;
import io.grpc.ServerTransportFilter;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** An arbiter that answers as a test needs it: fails so many times with one error, then echoes, or counts. */
final class FakeArbiter extends ArbiterGrpc.ArbiterImplBase implements AutoCloseable {
    final AtomicInteger calls = new AtomicInteger();
    final AtomicInteger connections = new AtomicInteger();
    final AtomicInteger sent = new AtomicInteger();
    final CountDownLatch cancelled = new CountDownLatch(1);
    private final EventLoopGroup threads = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final Server server;
    private final int failures;
    private final StatusRuntimeException error;

    FakeArbiter(Path socket, int failures, StatusRuntimeException error) throws IOException {
        this.failures = failures;
        this.error = error;
        server = NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .channelType(EpollServerDomainSocketChannel.class)
                .bossEventLoopGroup(threads)
                .workerEventLoopGroup(threads)
                .withChildOption(ChannelOption.SO_KEEPALIVE, null) // netty would warn that Unix sockets have none
                .addService(this)
                .addTransportFilter(new ServerTransportFilter() {
                    @Override
                    public Attributes transportReady(Attributes attributes) {
                        connections.incrementAndGet();
                        return attributes;
                    }
                })
                .build()
                .start();
    }

    static StatusRuntimeException error(int code, String reason) {
        return error(code, reason, Duration.ofMillis(1));
    }

    static StatusRuntimeException error(int code, String reason, Duration retryAfter) {
        ErrorInfo info = ErrorInfo.newBuilder()
                .setDomain("dirty.v1")
                .setReason(reason)
                .putMetadata("app", "m:A")
                .putMetadata("worker_pid", "77")
                .putMetadata("exception_type", "ValueError")
                .putMetadata("request_id", "r1")
                .putMetadata("row", "7")
                .build();
        RetryInfo.Builder retry = RetryInfo.newBuilder();
        retry.getRetryDelayBuilder().setSeconds(retryAfter.toSeconds()).setNanos(retryAfter.toNanosPart());
        return StatusProto.toStatusRuntimeException(Status.newBuilder()
                .setCode(code)
                .setMessage("no")
                .addDetails(Any.pack(info))
                .addDetails(Any.pack(retry.build()))
                .addDetails(Any.pack(DebugInfo.newBuilder()
                        .addStackEntries("a")
                        .addStackEntries("b")
                        .build()))
                .build());
    }

    @Override
    public void execute(ExecuteRequest request, StreamObserver<ExecuteResponse> observer) {
        if (calls.incrementAndGet() <= failures) {
            observer.onError(error);
        } else if (request.getAction().equals("hang")) {
            ((ServerCallStreamObserver<?>) observer).setOnCancelHandler(cancelled::countDown);
        } else {
            observer.onNext(
                    ExecuteResponse.newBuilder().setResult(request.getArgs(0)).build());
            observer.onCompleted();
        }
    }

    /** Counts for as long as there is room on the way. */
    @Override
    public void executeStream(ExecuteRequest request, StreamObserver<ExecuteStreamResponse> observer) {
        if (calls.incrementAndGet() <= failures) {
            observer.onError(error);
            return;
        }
        ServerCallStreamObserver<ExecuteStreamResponse> call =
                (ServerCallStreamObserver<ExecuteStreamResponse>) observer;
        call.setOnCancelHandler(cancelled::countDown);
        call.setOnReadyHandler(() -> {
            while (call.isReady() && !call.isCancelled()) {
                var chunk = Values.encode((long) sent.getAndIncrement(), "chunk");
                call.onNext(ExecuteStreamResponse.newBuilder().setChunk(chunk).build());
            }
        });
    }

    @Override
    public void close() {
        server.shutdownNow();
        try {
            server.awaitTermination(Daemon.PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        threads.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
