package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
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
        run("java", new ClientCaller(socket), Map.of());
    }

    @Test
    void stockStub() throws Exception {
        run("java-stub", new StubCaller(Grpc.newChannelBuilder("unix:" + socket, InsecureChannelCredentials.create())
                .build()), STOCK_LIMITS);
    }

    @Test
    void stockStubOnASocketAddress() throws Exception {
        EventLoopGroup threads = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        run("java-stub-address", new StubCaller(NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .eventLoopGroup(threads)
                .channelType(EpollDomainSocketChannel.class)
                .usePlaintext()
                .build()), STOCK_LIMITS);
        threads.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    /** Prints a line per case, to target/conformance too. */
    private <V> void run(String name, Caller<V> caller, Map<String, String> skipped) throws Exception {
        List<String> report = new ArrayList<>();
        int failed = 0;
        try (caller) {
            Conformance<V> conformance = new Conformance<>(caller, directory);
            for (JsonObject test : Conformance.cases()) {
                String title = test.get("name").getAsString();
                if (skipped.containsKey(title)) {
                    report.add("SKIP " + title + ": " + skipped.get(title));
                    continue;
                }
                try {
                    conformance.run(test);
                    report.add("PASS " + title);
                } catch (AssertionError | RuntimeException error) {
                    failed++;
                    report.add("FAIL " + title + ": " + error.getMessage());
                }
            }
        }
        int passed = report.size() - failed - skipped.size();
        report.add(passed + " passed, " + failed + " failed, " + skipped.size() + " skipped");
        Path target = Files.createDirectories(Path.of("target/conformance"));
        Files.write(target.resolve(name + ".txt"), report);
        System.out.println(name + "\n" + String.join("\n", report));
        assertEquals(0, failed, String.join("\n", report));
    }
}
