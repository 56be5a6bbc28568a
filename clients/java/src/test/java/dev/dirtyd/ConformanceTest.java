package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shared cases, with the client and with stock stubs. DIRTYD_SOCKET names a daemon that serves them already. */
class ConformanceTest {
    private static final Map<String, String> STOCK_LIMITS =
            Map.of("large_response", "without an option grpc-java takes no message over 4 MiB");

    private static Daemon daemon;
    private static Path socket;

    @TempDir
    Path directory;

    @BeforeAll
    static void serve() throws Exception {
        if (System.getenv("DIRTYD_SOCKET") != null) {
            socket = Path.of(System.getenv("DIRTYD_SOCKET"));
            return;
        }
        Path apps = Daemon.ROOT.resolve("tests/conformance");
        daemon = Daemon.serve("conformance:Conformance", apps, "max_message_size = \"8MiB\"\nmax_queue = 4");
        socket = daemon.socket();
    }

    @AfterAll
    static void end() throws Exception {
        if (daemon != null) {
            daemon.close();
        }
    }

    @Test
    void client() throws Exception {
        run("java", new ClientCaller(socket), Map.of(), Report::outcome);
    }

    @Test
    void stockStub() throws Exception {
        runStub(
                "stock-java",
                Grpc.newChannelBuilder("unix:" + socket, InsecureChannelCredentials.create())
                        .build());
    }

    @Test
    void stockStubOnASocketAddress() throws Exception {
        EventLoopGroup threads = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        runStub(
                "stock-java-address",
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .eventLoopGroup(threads)
                        .channelType(EpollDomainSocketChannel.class)
                        .usePlaintext()
                        .build());
        threads.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private void runStub(String name, ManagedChannel channel) throws Exception {
        run(name, new StubCaller(channel), STOCK_LIMITS, outcome -> null);
    }

    /** Prints a line per case and reports it; {@code told} gives what the report says of an outcome. */
    private <V> void run(
            String name,
            Caller<V> caller,
            Map<String, String> skipped,
            Function<Conformance.Outcome<V>, JsonObject> told)
            throws Exception {
        try (caller;
                Report report = new Report(name)) {
            Conformance<V> conformance = new Conformance<>(caller, directory);
            for (JsonObject test : Conformance.cases()) {
                String title = test.get("name").getAsString();
                if (skipped.containsKey(title)) {
                    report.add(title, "SKIP", skipped.get(title), null);
                    continue;
                }
                JsonObject seen = null;
                try {
                    Conformance.Outcome<V> outcome = conformance.call(test);
                    seen = told.apply(outcome);
                    conformance.check(test, outcome);
                    report.add(title, "PASS", "", seen);
                } catch (AssertionError | RuntimeException error) {
                    report.add(title, "FAIL", String.valueOf(error.getMessage()), seen);
                }
            }
            System.out.println(name + "\n" + report);
            assertEquals(0, report.failed(), report.toString());
        }
    }
}
