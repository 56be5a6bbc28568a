package stub

import com.connectrpc.ConnectException
import com.connectrpc.ProtocolClientConfig
import com.connectrpc.SerializationStrategy
import com.connectrpc.extensions.GoogleJavaJSONStrategy
import com.connectrpc.extensions.GoogleJavaProtobufStrategy
import com.connectrpc.getOrThrow
import com.connectrpc.impl.ProtocolClient
import com.connectrpc.okhttp.ConnectOkHttpClient
import com.connectrpc.protocols.NetworkProtocol
import dev.dirtyd.proto.v1.ArbiterClient
import dev.dirtyd.proto.v1.ExecuteRequest
import dev.dirtyd.proto.v1.Value
import java.io.File
import kotlin.time.Duration
import okhttp3.OkHttpClient
import okhttp3.Protocol
import org.newsclub.net.unix.AFSocketFactory
import org.newsclub.net.unix.AFUNIXSocketAddress

/** The chunks of a stream, or the result as the only one, and the error that ended the call. */
class Outcome(val values: List<Value>, val error: ConnectException?)

/** What protoc-gen-connect-kotlin generates, with an OkHttp that knows the socket. */
class Stub(
    socket: String,
    private val protocol: NetworkProtocol = NetworkProtocol.CONNECT,
    private val codec: SerializationStrategy = GoogleJavaProtobufStrategy(),
    http: Protocol = Protocol.HTTP_1_1,
    /** Why a case is beyond the stub, by its name. */
    val skips: Map<String, String> = mapOf(),
) {
    private val client =
        ConnectOkHttpClient(
            OkHttpClient.Builder()
                .socketFactory(AFSocketFactory.FixedAddressSocketFactory(AFUNIXSocketAddress.of(File(socket))))
                .protocols(listOf(http))
                .build()
        )

    /** The timeout is of a client, not of a call. */
    private fun arbiter(timeout: Duration): ArbiterClient {
        val config =
            ProtocolClientConfig(
                host = "http://localhost",
                serializationStrategy = codec,
                networkProtocol = protocol,
                timeoutOracle = { timeout },
            )
        return ArbiterClient(ProtocolClient(client, config))
    }

    suspend fun execute(request: ExecuteRequest, timeout: Duration): Outcome =
        try {
            Outcome(listOf(arbiter(timeout).execute(request).getOrThrow().result), null)
        } catch (error: ConnectException) {
            Outcome(listOf(), error)
        }

    /** Leaves after `limit` chunks. */
    suspend fun stream(request: ExecuteRequest, timeout: Duration, limit: Int): Outcome {
        val chunks = mutableListOf<Value>()
        val stream = arbiter(timeout).executeStream()
        try {
            stream.sendAndClose(request).getOrThrow()
            for (response in stream.responseChannel()) {
                chunks += response.chunk
                if (chunks.size == limit) break
            }
            return Outcome(chunks, null)
        } catch (error: ConnectException) {
            return Outcome(chunks, error)
        } finally {
            stream.receiveClose()
        }
    }
}

private const val TOO_LARGE = "dirtyd reads and writes at most 1 MiB of protobuf's JSON"

private val JSON_LIMITS =
    mapOf(
        "large_request" to TOO_LARGE,
        "large_response" to TOO_LARGE,
        "echo_double_minus_zero" to "protobuf-java reads -0.0 in JSON as 0",
    )

/** The stub of a report's name. */
fun stubs(socket: String): Map<String, Stub> =
    mapOf(
        "connect-kotlin" to Stub(socket),
        "connect-kotlin-json" to Stub(socket, codec = GoogleJavaJSONStrategy(), skips = JSON_LIMITS),
        "connect-kotlin-grpc-web" to Stub(socket, NetworkProtocol.GRPC_WEB),
        "connect-kotlin-grpc" to Stub(socket, NetworkProtocol.GRPC, http = Protocol.H2_PRIOR_KNOWLEDGE),
    )
