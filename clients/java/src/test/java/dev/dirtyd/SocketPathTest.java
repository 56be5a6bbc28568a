package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SocketPathTest {
    private static final Path HOME = Path.of("/home/ann");

    private static String find(boolean root, Map<String, String> environment) {
        return SocketPath.find(environment, root, HOME).toString();
    }

    @Test
    void theSocketIsWhereTheDaemonListensByDefault() {
        Map<String, String> runtime = Map.of("XDG_RUNTIME_DIR", "/run/user/1");
        assertEquals("/a/b.sock", find(true, Map.of("DIRTYD_SOCKET", "/a/b.sock", "XDG_RUNTIME_DIR", "/run/user/1")));
        assertEquals("/run/user/1/dirtyd/dirtyd.sock", find(true, runtime));
        assertEquals("/run/dirtyd/dirtyd.sock", find(true, Map.of("DIRTYD_SOCKET", "")));
        assertEquals("/home/ann/.local/state/dirtyd/run/dirtyd.sock", find(false, Map.of()));
    }
}
