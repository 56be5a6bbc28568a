package dev.dirtyd;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The verdicts of a run: as text, and as the file that tests/conformance/README.md describes, if a folder is named. */
final class Report implements AutoCloseable {
    private final List<String> lines = new ArrayList<>();
    private final Map<String, Integer> counts = new TreeMap<>();
    private final Writer file;

    Report(String client) throws IOException {
        String folder = System.getenv("DIRTYD_CONFORMANCE_REPORT");
        file = folder == null
                ? Writer.nullWriter()
                : Files.newBufferedWriter(
                        Files.createDirectories(Path.of(folder)).resolve(client + ".jsonl"));
    }

    /** Adds a case; {@code outcome} may be null. */
    void add(String test, String verdict, String why, JsonObject outcome) throws IOException {
        counts.merge(verdict, 1, Integer::sum);
        lines.add(why.isEmpty() ? verdict + " " + test : verdict + " " + test + ": " + why);
        JsonObject line = new JsonObject();
        line.addProperty("case", test);
        line.addProperty("verdict", verdict);
        line.addProperty("why", why);
        if (outcome != null) {
            line.add("outcome", outcome);
        }
        file.write(line + "\n");
    }

    /** What our own client saw, in the form that the reports of all clients share. */
    static JsonObject outcome(Conformance.Outcome<Object> outcome) {
        JsonArray values = new JsonArray();
        outcome.values().forEach(value -> values.add(TaggedValue.fromObject(value)));
        JsonObject told = new JsonObject();
        told.add("values", values);
        if (outcome.error() != null) {
            JsonObject error = new JsonObject();
            error.addProperty("code", outcome.error().code);
            error.addProperty("reason", outcome.error().reason);
            error.addProperty("message", outcome.error().getMessage());
            error.addProperty("exception_type", outcome.error().remoteType);
            error.addProperty("traceback", outcome.error().traceback);
            told.add("error", error);
        }
        return told;
    }

    int failed() {
        return counts.getOrDefault("FAIL", 0);
    }

    @Override
    public String toString() {
        return String.join("\n", lines)
                + "\n%d passed, %d failed, %d skipped"
                        .formatted(counts.getOrDefault("PASS", 0), failed(), counts.getOrDefault("SKIP", 0));
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
