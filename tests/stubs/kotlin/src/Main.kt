/**
 * Runs the conformance cases of tests/conformance with nothing but what stock generators make of proto/, over each
 * protocol of connect-kotlin, against the daemon at DIRTYD_SOCKET. Prints a line per case; exits with 1 if one fails.
 */
package stub

import com.google.gson.JsonParser
import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking

fun main() {
    val file = JsonParser.parseString(File("../../conformance/cases.json").readText()).asJsonObject
    val cases = file["cases"].asJsonArray.map { Case(it.asJsonObject) }
    var failed = 0
    for ((name, stub) in stubs(System.getenv("DIRTYD_SOCKET"))) {
        println(name)
        Report(name).use { report ->
            for (case in cases) run(case, stub, report)
            failed += report.count("FAIL")
        }
    }
    // OkHttp's threads would keep the process for a minute after their last call.
    exitProcess(if (failed > 0) 1 else 0)
}

private fun run(case: Case, stub: Stub, report: Report) {
    val skip = stub.skips[case.name]
    if (skip != null) return report.add(case.name, "SKIP", skip)
    try {
        runBlocking { case.run(stub) }
        report.add(case.name, "PASS")
    } catch (error: Exception) {
        report.add(case.name, "FAIL", error.toString().replace("\n", " "))
    }
}
