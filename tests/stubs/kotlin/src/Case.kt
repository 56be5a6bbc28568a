package stub

import com.google.gson.JsonObject
import com.google.rpc.DebugInfo
import com.google.rpc.ErrorInfo
import dev.dirtyd.proto.v1.ExecuteRequest
import dev.dirtyd.proto.v1.Value
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.exists
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeoutOrNull

/** A call and what must come of it; see tests/conformance/README.md. */
class Case(private val json: JsonObject) {
    val name: String = json["name"].asString
    private val timeout = json["timeout_ms"]?.asLong?.milliseconds ?: 1.minutes
    private val cancelAfter = json["cancel_after"]?.asInt
    private val expect = json["expect"].asJsonObject

    /** Fails with what is not as expected. */
    suspend fun run(stub: Stub) {
        val directory = Files.createTempDirectory("dirtyd-stub-")
        try {
            run(stub, closed = directory.resolve("closed"))
        } finally {
            directory.toFile().deleteRecursively()
        }
    }

    private suspend fun run(stub: Stub, closed: Path) {
        val outcome =
            when (json["method"].asString) {
                "execute" -> stub.execute(request(closed), timeout)
                else -> stub.stream(request(closed), timeout, cancelAfter ?: Int.MAX_VALUE)
            }
        expect["error"]?.let {
            return ExpectedError(it.asJsonObject).check(outcome)
        }
        outcome.error?.let { throw it }
        val wanted = wanted()
        check(wanted == outcome.values) {
            "expected ${wanted.toString().take(200)}, got ${outcome.values.toString().take(200)}"
        }
        if (cancelAfter != null) appears(closed)
    }

    private fun request(closed: Path): ExecuteRequest {
        val args = json["args"].asJsonArray.map { it.asJsonObject }
        return ExecuteRequest.newBuilder()
            .setApp(json["app"].asString)
            .setAction(json["action"].asString)
            .addAllArgs(args.map { if (it.has("closed_file")) text(closed.toString()) else toValue(it) })
            .putAllKwargs(json["kwargs"]?.asJsonObject?.let(::toValues).orEmpty())
            .build()
    }

    private fun wanted(): List<Value> =
        expect["result"]?.let { listOf(toValue(it)) }
            ?: (expect["chunks"] ?: expect["first_chunks"]).asJsonArray.map(::toValue)
}

/** What the error of a call must be. */
private class ExpectedError(private val json: JsonObject) {
    fun check(outcome: Outcome) {
        val error = checkNotNull(outcome.error) { "expected an error" }
        val info = error.unpackedDetails(ErrorInfo::class).firstOrNull() ?: ErrorInfo.getDefaultInstance()
        val traceback = error.unpackedDetails(DebugInfo::class).flatMap { it.stackEntriesList }.joinToString("\n")
        val code = error.code.codeName.uppercase()
        check(code == text("code")) { "expected ${text("code")}, got $code: ${error.message}" }
        // A deadline that passes here first is an error of the stub itself.
        if (!(json.has("client_may_refuse") && info.reason.isEmpty())) {
            check(info.reason == text("reason")) { "expected ${text("reason")}, got ${info.reason}: ${error.message}" }
            contains(error.message.orEmpty(), "message_contains")
        }
        val type = info.metadataMap["exception_type"].orEmpty()
        check(!json.has("remote_type") || type == text("remote_type")) { "the type is $type" }
        contains(traceback, "traceback_contains")
        val chunks = outcome.values.size
        check(chunks == (json["after_chunks"]?.asInt ?: 0)) { "the error came after $chunks chunks" }
    }

    private fun text(key: String) = json[key]?.asString.orEmpty()

    private fun contains(text: String, key: String) = check(text(key) in text) { "'${text(key)}' is not in $text" }
}

/** Waits for a file, which only its writer could announce better. */
private suspend fun appears(file: Path) {
    withTimeoutOrNull(2.seconds) { while (!file.exists()) delay(5.milliseconds) }
    check(file.exists()) { "the generator did not end within 2 s" }
}
