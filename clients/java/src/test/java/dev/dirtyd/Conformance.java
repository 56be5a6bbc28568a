package dev.dirtyd;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs a case of tests/conformance/cases.json with one Caller; a failure is an AssertionError. */
record Conformance<V>(Caller<V> caller, Path directory) {

    static List<JsonObject> cases() throws IOException {
        try (Reader reader = Files.newBufferedReader(Daemon.ROOT.resolve("tests/conformance/cases.json"))) {
            JsonArray cases = JsonParser.parseReader(reader).getAsJsonObject().getAsJsonArray("cases");
            return cases.asList().stream().map(JsonElement::getAsJsonObject).toList();
        }
    }

    void run(JsonObject test) throws Exception {
        Path closed = directory.resolve(test.get("name").getAsString());
        Caller.Request<V> request = request(test, closed);
        JsonObject expect = test.getAsJsonObject("expect");
        List<V> chunks = new ArrayList<>();
        try {
            if (test.get("method").getAsString().equals("execute")) {
                V result = caller.execute(request);
                check(expect.has("result"), "it succeeded with %s", result);
                check(caller.same(caller.value(expect.getAsJsonObject("result")), result), "the result is %s", result);
            } else if (test.has("cancel_after")) {
                leave(request, test.get("cancel_after").getAsInt(), chunks);
                checkChunks(expect.getAsJsonArray("first_chunks"), chunks);
                Daemon.eventually(() -> Files.exists(closed));
            } else {
                leave(request, Integer.MAX_VALUE, chunks);
                check(expect.has("chunks"), "it succeeded with %d chunks", chunks.size());
                checkChunks(expect.getAsJsonArray("chunks"), chunks);
            }
        } catch (RuntimeException error) {
            Caller.Failed failed = caller.read(error);
            check(expect.has("error"), "it failed: %s", error);
            checkError(expect.getAsJsonObject("error"), failed, chunks.size());
        }
    }

    private Caller.Request<V> request(JsonObject test, Path closed) {
        List<V> args = new ArrayList<>();
        for (JsonElement argument : test.getAsJsonArray("args")) {
            JsonObject tagged = argument.getAsJsonObject();
            if (tagged.has("closed_file")) {
                tagged = new JsonObject();
                tagged.addProperty("string", closed.toString());
            }
            args.add(caller.value(tagged));
        }
        Map<String, V> kwargs = new HashMap<>();
        if (test.has("kwargs")) {
            test.getAsJsonObject("kwargs").asMap().forEach((k, v) -> kwargs.put(k, caller.value(v.getAsJsonObject())));
        }
        long timeout = test.has("timeout_ms") ? test.get("timeout_ms").getAsLong() : 0;
        return new Caller.Request<>(
                test.get("app").getAsString(), test.get("action").getAsString(), args, kwargs, timeout);
    }

    private void leave(Caller.Request<V> request, int after, List<V> into) {
        try (Caller.Chunks<V> chunks = caller.stream(request)) {
            while (into.size() < after && chunks.hasNext()) {
                into.add(chunks.next());
            }
        }
    }

    private void checkChunks(JsonArray expected, List<V> chunks) {
        check(expected.size() == chunks.size(), "%d chunks came, not %d", chunks.size(), expected.size());
        for (int i = 0; i < chunks.size(); i++) {
            V chunk = caller.value(expected.get(i).getAsJsonObject());
            check(caller.same(chunk, chunks.get(i)), "chunk %d is %s", i, chunks.get(i));
        }
    }

    private static void checkError(JsonObject expected, Caller.Failed failed, int chunks) {
        check(expected.get("code").getAsString().equals(failed.code), "the code is %s", failed.code);
        // gRPC's own error has no reason; the deadline, for one, passes on both sides at once.
        boolean refusedHere = failed.reason.isEmpty() && expected.has("client_may_refuse");
        if (refusedHere) {
            return;
        }
        check(expected.get("reason").getAsString().equals(failed.reason), "the reason is %s", failed.reason);
        check(text(failed.getMessage(), expected, "message_contains"), "the message is %s", failed.getMessage());
        check(text(failed.traceback, expected, "traceback_contains"), "the traceback is %s", failed.traceback);
        if (expected.has("remote_type")) {
            check(expected.get("remote_type").getAsString().equals(failed.remoteType), "it is %s", failed.remoteType);
        }
        if (expected.has("after_chunks")) {
            check(expected.get("after_chunks").getAsInt() == chunks, "it came after %d chunks", chunks);
        }
    }

    private static boolean text(String text, JsonObject expected, String key) {
        return !expected.has(key) || text.contains(expected.get(key).getAsString());
    }

    private static void check(boolean holds, String otherwise, Object... facts) {
        if (!holds) {
            String message = otherwise.formatted(facts);
            throw new AssertionError(message.substring(0, Math.min(message.length(), 500)));
        }
    }
}
