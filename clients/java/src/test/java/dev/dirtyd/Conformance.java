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

    /** What came of a call: its chunks, or its one result, and the error that ended it, or null. */
    record Outcome<V>(List<V> values, Caller.Failed error) {}

    Outcome<V> call(JsonObject test) {
        Caller.Request<V> request = request(test);
        List<V> values = new ArrayList<>();
        try {
            if (test.get("method").getAsString().equals("execute")) {
                values.add(caller.execute(request));
            } else {
                leave(
                        request,
                        test.has("cancel_after") ? test.get("cancel_after").getAsInt() : Integer.MAX_VALUE,
                        values);
            }
        } catch (RuntimeException error) {
            return new Outcome<>(values, caller.read(error));
        }
        return new Outcome<>(values, null);
    }

    void check(JsonObject test, Outcome<V> outcome) throws Exception {
        JsonObject expect = test.getAsJsonObject("expect");
        if (expect.has("error")) {
            check(outcome.error() != null, "it succeeded with %s", outcome.values());
            checkError(
                    expect.getAsJsonObject("error"),
                    outcome.error(),
                    outcome.values().size());
            return;
        }
        check(outcome.error() == null, "it failed: %s", outcome.error());
        checkValues(expected(expect), outcome.values());
        if (test.has("cancel_after")) {
            Daemon.eventually(() -> Files.exists(closedFile(test)));
        }
    }

    private static List<JsonElement> expected(JsonObject expect) {
        return expect.has("result")
                ? List.of(expect.get("result"))
                : expect.getAsJsonArray(expect.has("chunks") ? "chunks" : "first_chunks")
                        .asList();
    }

    private Path closedFile(JsonObject test) {
        return directory.resolve(test.get("name").getAsString());
    }

    private Caller.Request<V> request(JsonObject test) {
        List<V> args = new ArrayList<>();
        for (JsonElement argument : test.getAsJsonArray("args")) {
            JsonObject tagged = argument.getAsJsonObject();
            if (tagged.has("closed_file")) {
                tagged = new JsonObject();
                tagged.addProperty("string", closedFile(test).toString());
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

    private void checkValues(List<JsonElement> expected, List<V> values) {
        check(expected.size() == values.size(), "%d values came, not %d", values.size(), expected.size());
        for (int i = 0; i < values.size(); i++) {
            V value = caller.value(expected.get(i).getAsJsonObject());
            check(caller.same(value, values.get(i)), "value %d is %s", i, values.get(i));
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
