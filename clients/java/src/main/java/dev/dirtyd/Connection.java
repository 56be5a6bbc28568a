package dev.dirtyd;

import io.grpc.Channel;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;

/** The channel to one socket. It connects with the first call, and again after a loss. */
final class Connection implements AutoCloseable {
    /** Room for a traceback in the trailers. */
    private static final int MAX_METADATA = 1 << 20;

    private final Path socket;
    private final ManagedChannel channel;

    Connection(Path path) {
        socket = path.toAbsolutePath();
        ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(target(socket), InsecureChannelCredentials.create());
        if (builder instanceof NettyChannelBuilder netty) {
            // Unix sockets do not have it, and netty would warn of that with each connection.
            netty.withOption(ChannelOption.SO_KEEPALIVE, null);
        }
        channel = builder.overrideAuthority("localhost")
                // The arbiter has the limit, and says it better.
                .maxInboundMessageSize(Integer.MAX_VALUE)
                .maxInboundMetadataSize(MAX_METADATA)
                .build();
    }

    Path socket() {
        return socket;
    }

    /** The channel for a call that begins now. */
    Channel channel() {
        // gRPC would wait, for seconds and then minutes, before it tries a lost server again, and fail calls meanwhile.
        // On a Unix socket an attempt costs nothing, so each call makes its own.
        if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
            channel.enterIdle();
        }
        return channel;
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }

    private static String target(Path socket) {
        try {
            return new URI("unix", null, socket.toString(), null).toASCIIString();
        } catch (URISyntaxException impossible) {
            throw new IllegalArgumentException(impossible); // An absolute path is always one of a URI.
        }
    }
}
