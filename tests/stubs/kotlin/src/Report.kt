package stub

import com.google.gson.JsonObject
import java.io.Writer
import java.nio.file.Files
import java.nio.file.Path

/** Tells the verdicts, and writes the file that tests/conformance/README.md describes, if a folder is named. */
class Report(client: String) : AutoCloseable {
    private val counts = mutableMapOf<String, Int>()
    private val file: Writer =
        System.getenv("DIRTYD_CONFORMANCE_REPORT")?.let {
            Files.newBufferedWriter(Files.createDirectories(Path.of(it)).resolve("$client.jsonl"))
        } ?: Writer.nullWriter()

    fun add(case: String, verdict: String, why: String = "") {
        counts.merge(verdict, 1, Int::plus)
        println(if (why.isEmpty()) "$verdict $case" else "$verdict $case: $why")
        val line = JsonObject()
        line.addProperty("case", case)
        line.addProperty("verdict", verdict)
        line.addProperty("why", why)
        file.write("$line\n")
    }

    fun count(verdict: String): Int = counts[verdict] ?: 0

    override fun close() {
        println("${count("PASS")} passed, ${count("FAIL")} failed, ${count("SKIP")} skipped")
        file.close()
    }
}
