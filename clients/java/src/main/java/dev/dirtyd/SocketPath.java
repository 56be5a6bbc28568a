package dev.dirtyd;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Where {@code dirtyd serve} listens by default. */
final class SocketPath {
    private SocketPath() {}

    /** $DIRTYD_SOCKET, else the daemon's default for this user. */
    static Path find() {
        return find(System.getenv(), isRoot(), Path.of(System.getProperty("user.home")));
    }

    static Path find(Map<String, String> environment, boolean root, Path home) {
        String given = environment.getOrDefault("DIRTYD_SOCKET", "");
        if (!given.isEmpty()) {
            return Path.of(given);
        }
        String runtime = environment.getOrDefault("XDG_RUNTIME_DIR", "");
        if (!runtime.isEmpty()) {
            return Path.of(runtime, "dirtyd/dirtyd.sock");
        }
        return root ? Path.of("/run/dirtyd/dirtyd.sock") : home.resolve(".local/state/dirtyd/run/dirtyd.sock");
    }

    private static boolean isRoot() {
        try {
            return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        } catch (IOException | UnsupportedOperationException withoutProc) {
            return false;
        }
    }
}
