package dev.dirtyd;

import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A call failed. There is a class for each reason that dirtyd gives, in docs/errors.md of dirtyd. This class itself
 * stands for a reason that this client does not know.
 */
public sealed class DirtyException extends RuntimeException {
    private final transient Facts facts;

    /** What is known of a failure; what is not is null. */
    record Facts(
            Status.Code code,
            String message,
            String reason,
            String app,
            String action,
            Long workerPid,
            String remoteType,
            String remoteTraceback,
            Duration retryAfter,
            String requestId,
            Map<String, String> metadata,
            Throwable cause) {}

    DirtyException(Facts facts) {
        super(facts.message, facts.cause);
        this.facts = facts;
    }

    /** The gRPC code. */
    public Status.Code code() {
        return facts.code;
    }

    /** The reason that the arbiter gave, such as "QUEUE_FULL"; empty if gRPC itself failed. */
    public String reason() {
        return facts.reason;
    }

    /** The app that was called. */
    public String app() {
        return facts.app;
    }

    /** The action that was called. */
    public String action() {
        return facts.action;
    }

    /** The process that ran the call. */
    public OptionalLong workerPid() {
        return facts.workerPid == null ? OptionalLong.empty() : OptionalLong.of(facts.workerPid);
    }

    /** The type of the exception that the app raised, such as "myapp.ml.ModelMissing". */
    public Optional<String> remoteType() {
        return Optional.ofNullable(facts.remoteType);
    }

    /** The traceback in the worker. */
    public Optional<String> remoteTraceback() {
        return Optional.ofNullable(facts.remoteTraceback);
    }

    /** How long to wait before a retry. */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(facts.retryAfter);
    }

    /** What names the call in the log of the daemon. */
    public Optional<String> requestId() {
        return Optional.ofNullable(facts.requestId);
    }

    /** Further facts, among them those that the app chose. */
    public Map<String, String> metadata() {
        return facts.metadata;
    }

    /** True if the action had certainly not started, so that another attempt cannot run it twice. */
    public boolean isSafeToRetry() {
        return switch (facts.reason) {
            case "QUEUE_FULL", "QUEUE_TIMEOUT", "NO_WORKERS", "TOO_MANY_CONNECTIONS" -> true;
            // A stream that a drain has cut off says the same, with ABORTED.
            case "DRAINING" -> facts.code == Status.Code.UNAVAILABLE;
            default -> false;
        };
    }

    /** The arbiter cannot be reached, or the connection broke during the call. */
    public static final class Connection extends DirtyException {
        private final boolean refused;

        Connection(Facts facts, boolean refused) {
            super(facts);
            this.refused = refused;
        }

        @Override
        public boolean isSafeToRetry() {
            return refused;
        }
    }

    /**
     * The deadline passed: the caller's own, in the queue, or while the action ran. With the reason NO_ANSWER: the arbiter
     * had not answered a second after it.
     */
    public static final class Timeout extends DirtyException {
        Timeout(Facts facts) {
            super(facts);
        }
    }

    /** The call was cancelled, or its thread interrupted. */
    public static final class Cancelled extends DirtyException {
        Cancelled(Facts facts) {
            super(facts);
        }
    }

    /** The action raised; see {@link #remoteType} and {@link #remoteTraceback}. */
    public static final class App extends DirtyException {
        App(Facts facts) {
            super(facts);
        }
    }

    /** The arbiter has no such app. */
    public static final class AppNotFound extends DirtyException {
        AppNotFound(Facts facts) {
            super(facts);
        }
    }

    /** The app has no such action, or it is private. */
    public static final class ActionNotFound extends DirtyException {
        ActionNotFound(Facts facts) {
            super(facts);
        }
    }

    /** {@code execute} on an action that streams; use {@code stream}. */
    public static final class ActionStreams extends DirtyException {
        ActionStreams(Facts facts) {
            super(facts);
        }
    }

    /** The request is malformed. */
    public static final class InvalidRequest extends DirtyException {
        InvalidRequest(Facts facts) {
            super(facts);
        }
    }

    /** The result of the action has no form as a Value. */
    public static final class ResultNotSerializable extends DirtyException {
        ResultNotSerializable(Facts facts) {
            super(facts);
        }
    }

    /** The request, the result or a chunk is over the arbiter's limit. */
    public static final class MessageTooLarge extends DirtyException {
        MessageTooLarge(Facts facts) {
            super(facts);
        }
    }

    /** The app's queue is full; see {@link #retryAfter}. */
    public static final class QueueFull extends DirtyException {
        QueueFull(Facts facts) {
            super(facts);
        }
    }

    /** No worker can serve the app: all failed to boot, or it is scaled to 0. */
    public static final class NoWorkers extends DirtyException {
        NoWorkers(Facts facts) {
            super(facts);
        }
    }

    /**
     * The arbiter is about to end and had not started the call; or, with the code ABORTED, the worker of a stream was to
     * leave, and the stream went on for too long.
     */
    public static final class Draining extends DirtyException {
        Draining(Facts facts) {
            super(facts);
        }
    }

    /** The worker died after the call had started. */
    public static final class WorkerCrashed extends DirtyException {
        WorkerCrashed(Facts facts) {
            super(facts);
        }
    }
}
