package dev.dirtyd;

import com.google.gson.JsonObject;
import java.nio.file.Path;
import java.time.Duration;

/** Calls with DirtyClient. */
final class ClientCaller implements Caller<Object> {
    private final DirtyClient client;

    ClientCaller(Path socket) {
        client = DirtyClient.connect(socket);
    }

    @Override
    public Object value(JsonObject tagged) {
        return TaggedValue.toObject(tagged);
    }

    @Override
    public boolean same(Object a, Object b) {
        return TaggedValue.same(a, b);
    }

    private Call call(Request<Object> request) {
        Call call =
                client.call(request.app(), request.action()).args(request.args().toArray());
        request.kwargs().forEach(call::kwarg);
        return request.timeoutMillis() == 0 ? call : call.timeout(Duration.ofMillis(request.timeoutMillis()));
    }

    @Override
    public Object execute(Request<Object> request) {
        return call(request).execute();
    }

    @Override
    public Chunks<Object> stream(Request<Object> request) {
        ChunkIterator chunks = call(request).stream();
        return new Chunks<>() {
            @Override
            public boolean hasNext() {
                return chunks.hasNext();
            }

            @Override
            public Object next() {
                return chunks.next();
            }

            @Override
            public void close() {
                chunks.close();
            }
        };
    }

    @Override
    public Failed read(RuntimeException error) {
        if (!(error instanceof DirtyException failure)) {
            throw error;
        }
        return new Failed(
                failure.code().name(),
                failure.reason(),
                failure.getMessage(),
                failure.remoteType().orElse(""),
                failure.remoteTraceback().orElse(""));
    }

    @Override
    public void close() {
        client.close();
    }
}
