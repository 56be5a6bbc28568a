package dev.dirtyd;

import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.DebugInfo;
import com.google.rpc.ErrorInfo;
import dev.dirtyd.proto.v1.ArbiterGrpc;
import dev.dirtyd.proto.v1.ExecuteRequest;
import dev.dirtyd.proto.v1.ExecuteStreamResponse;
import dev.dirtyd.proto.v1.Value;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;

/** Calls with the generated stub, as any user of grpc-java would; nothing in here is of the client. */
final class StubCaller implements Caller<Value> {
    private final ManagedChannel channel;
    private final ArbiterGrpc.ArbiterBlockingStub stub;

    StubCaller(ManagedChannel channel) {
        this.channel = channel;
        this.stub = ArbiterGrpc.newBlockingStub(channel);
    }

    @Override
    public Value value(JsonObject tagged) {
        return TaggedValue.toMessage(tagged);
    }

    @Override
    public boolean same(Value a, Value b) {
        return a.equals(b);
    }

    private ArbiterGrpc.ArbiterBlockingStub stub(Request<Value> request) {
        long timeout = request.timeoutMillis();
        return timeout == 0 ? stub : stub.withDeadlineAfter(timeout, TimeUnit.MILLISECONDS);
    }

    private static ExecuteRequest message(Request<Value> request) {
        return ExecuteRequest.newBuilder()
                .setApp(request.app())
                .setAction(request.action())
                .addAllArgs(request.args())
                .putAllKwargs(request.kwargs())
                .build();
    }

    @Override
    public Value execute(Request<Value> request) {
        return stub(request).execute(message(request)).getResult();
    }

    @Override
    public Chunks<Value> stream(Request<Value> request) {
        Context.CancellableContext context = Context.current().withCancellation();
        Context before = context.attach();
        try {
            Iterator<ExecuteStreamResponse> responses = stub(request).executeStream(message(request));
            return new Chunks<>() {
                @Override
                public boolean hasNext() {
                    return responses.hasNext();
                }

                @Override
                public Value next() {
                    return responses.next().getChunk();
                }

                @Override
                public void close() {
                    context.cancel(null);
                }
            };
        } finally {
            context.detach(before);
        }
    }

    @Override
    public Failed read(RuntimeException error) {
        if (!(error instanceof StatusRuntimeException failure)) {
            throw error;
        }
        ErrorInfo info = ErrorInfo.getDefaultInstance();
        DebugInfo debug = DebugInfo.getDefaultInstance();
        com.google.rpc.Status status = StatusProto.fromThrowable(failure);
        try {
            for (var detail : status == null ? java.util.List.<com.google.protobuf.Any>of() : status.getDetailsList()) {
                info = detail.is(ErrorInfo.class) ? detail.unpack(ErrorInfo.class) : info;
                debug = detail.is(DebugInfo.class) ? detail.unpack(DebugInfo.class) : debug;
            }
        } catch (InvalidProtocolBufferException malformed) {
            throw new AssertionError(malformed);
        }
        return new Failed(
                failure.getStatus().getCode().name(),
                info.getReason(),
                failure.getStatus().getDescription(),
                info.getMetadataOrDefault("exception_type", ""),
                String.join("\n", debug.getStackEntriesList()));
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
