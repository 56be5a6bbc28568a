package dev.dirtyd;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.DebugInfo;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.dirtyd.DirtyException.Facts;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.io.FileNotFoundException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** gRPC errors as DirtyException: by the reason that the arbiter gives, else by the code. */
final class Errors {
    private static final String DOMAIN = "dirty.v1";

    /** The client's own reason: the deadline passed, and the arbiter has said nothing. */
    private static final String NO_ANSWER = "NO_ANSWER";

    private static final String UNANSWERED = "dirtyd did not answer by the deadline, nor in the second after it";

    private static final Map<String, Function<Facts, DirtyException>> BY_REASON = Map.ofEntries(
            Map.entry("APP_NOT_FOUND", DirtyException.AppNotFound::new),
            Map.entry("ACTION_NOT_FOUND", DirtyException.ActionNotFound::new),
            Map.entry("INVALID_REQUEST", DirtyException.InvalidRequest::new),
            Map.entry("APP_ERROR", DirtyException.App::new),
            Map.entry("RESULT_NOT_SERIALIZABLE", DirtyException.ResultNotSerializable::new),
            Map.entry("ACTION_STREAMS", DirtyException.ActionStreams::new),
            Map.entry("QUEUE_FULL", DirtyException.QueueFull::new),
            Map.entry("MESSAGE_TOO_LARGE", DirtyException.MessageTooLarge::new),
            Map.entry("QUEUE_TIMEOUT", DirtyException.Timeout::new),
            Map.entry("EXECUTION_TIMEOUT", DirtyException.Timeout::new),
            Map.entry("NO_WORKERS", DirtyException.NoWorkers::new),
            Map.entry("WORKER_CRASHED", DirtyException.WorkerCrashed::new),
            Map.entry("DRAINING", DirtyException.Draining::new),
            Map.entry("CANCELLED", DirtyException.Cancelled::new));

    private Errors() {}

    /** Translates the failure of a gRPC call of {@code action} of {@code app}. */
    static DirtyException translate(Throwable error, String app, String action, Path socket) {
        Status status = Status.fromThrowable(error);
        com.google.rpc.Status carried = StatusProto.fromThrowable(error);
        List<Any> details = carried == null ? List.of() : carried.getDetailsList();
        ErrorInfo info = find(details, ErrorInfo.class)
                .filter(found -> found.getDomain().equals(DOMAIN))
                .orElse(ErrorInfo.getDefaultInstance());
        boolean untold = info.getReason().isEmpty();
        boolean unreachable = untold && status.getCode() == Status.Code.UNAVAILABLE;
        boolean unanswered = untold && status.getCode() == Status.Code.DEADLINE_EXCEEDED;
        Map<String, String> known = new HashMap<>(info.getMetadataMap());
        String toldApp = known.remove("app");
        String toldAction = known.remove("action");
        Facts facts = new Facts(
                status.getCode(),
                unreachable ? unreachable(status, socket) : unanswered ? UNANSWERED : message(status),
                unanswered ? NO_ANSWER : info.getReason(),
                toldApp == null ? app : toldApp,
                toldAction == null ? action : toldAction,
                number(known.remove("worker_pid")),
                known.remove("exception_type"),
                find(details, DebugInfo.class).map(Errors::traceback).orElse(null),
                find(details, RetryInfo.class).map(Errors::delay).orElse(null),
                known.remove("request_id"),
                Map.copyOf(known),
                error);
        if (unreachable) {
            return new DirtyException.Connection(facts, neverConnected(status.getCause()));
        }
        return BY_REASON
                .getOrDefault(info.getReason(), byCode(status.getCode()))
                .apply(facts);
    }

    /** Without details the error is made by gRPC itself, on this side or on the way. */
    private static Function<Facts, DirtyException> byCode(Status.Code code) {
        return switch (code) {
            case DEADLINE_EXCEEDED -> DirtyException.Timeout::new;
            case CANCELLED -> DirtyException.Cancelled::new;
            default -> DirtyException::new;
        };
    }

    private static String message(Status status) {
        return status.getDescription() == null ? status.getCode().name() : status.getDescription();
    }

    private static String unreachable(Status status, Path socket) {
        String why = status.getCause() == null
                ? message(status)
                : String.valueOf(status.getCause().getMessage());
        if (why.contains("ermission denied")) {
            return "cannot reach dirtyd at " + socket + ": " + why
                    + "; this user may not open the socket; socket_mode and socket_group say who may";
        }
        return neverConnected(status.getCause())
                ? "cannot reach dirtyd at " + socket + ": " + why + "; is dirtyd running? start it with `dirtyd serve`"
                : "the connection to dirtyd at " + socket + " broke during the call: " + why;
    }

    /** True where connect() itself failed, with ECONNREFUSED or ENOENT: nothing of the call was sent. */
    private static boolean neverConnected(Throwable cause) {
        return Stream.iterate(cause, next -> next != null, Throwable::getCause)
                .anyMatch(each -> each instanceof ConnectException || each instanceof FileNotFoundException);
    }

    private static <T extends Message> Optional<T> find(List<Any> details, Class<T> kind) {
        for (Any detail : details) {
            if (detail.is(kind)) {
                try {
                    return Optional.of(detail.unpack(kind));
                } catch (InvalidProtocolBufferException malformed) {
                    return Optional.empty(); // The code and the message still tell what happened.
                }
            }
        }
        return Optional.empty();
    }

    private static String traceback(DebugInfo info) {
        return String.join("\n", info.getStackEntriesList());
    }

    private static Duration delay(RetryInfo info) {
        return Duration.ofSeconds(
                info.getRetryDelay().getSeconds(), info.getRetryDelay().getNanos());
    }

    private static Long number(String text) {
        return text == null || !text.matches("[0-9]{1,18}") ? null : Long.valueOf(text);
    }
}
