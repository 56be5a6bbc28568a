/** gRPC errors as DirtyError: by the reason that the arbiter sends, or else by the code. */

import { type ServiceError, status } from "@grpc/grpc-js";
import * as errors from "./errors.js";
import { DebugInfo, ErrorInfo, RetryInfo, Status } from "./gen/dirtyd/status.js";

const DOMAIN = "dirty.v1";
const DETAILS = "grpc-status-details-bin";

/** The client's own reason: the deadline passed, and the arbiter has said nothing. */
const NO_ANSWER = "NO_ANSWER";

type Kind = typeof errors.DirtyError;

const BY_REASON = new Map<string, Kind>([
  ["APP_NOT_FOUND", errors.DirtyAppNotFoundError],
  ["ACTION_NOT_FOUND", errors.DirtyActionNotFoundError],
  ["INVALID_REQUEST", errors.DirtyInvalidRequestError],
  ["APP_ERROR", errors.DirtyAppError],
  ["RESULT_NOT_SERIALIZABLE", errors.DirtyResultNotSerializableError],
  ["ACTION_STREAMS", errors.DirtyActionStreamsError],
  ["QUEUE_FULL", errors.DirtyQueueFullError],
  ["MESSAGE_TOO_LARGE", errors.DirtyMessageTooLargeError],
  ["QUEUE_TIMEOUT", errors.DirtyTimeoutError],
  ["EXECUTION_TIMEOUT", errors.DirtyTimeoutError],
  ["NO_WORKERS", errors.DirtyNoWorkersError],
  ["WORKER_CRASHED", errors.DirtyWorkerCrashedError],
  ["DRAINING", errors.DirtyDrainingError],
  ["CANCELLED", errors.DirtyCancelledError],
]);

// An error without details comes from gRPC itself, on this side or on the way.
const BY_CODE = new Map<status, Kind>([
  [status.UNAVAILABLE, errors.DirtyConnectionError],
  [status.DEADLINE_EXCEEDED, errors.DirtyTimeoutError],
  [status.CANCELLED, errors.DirtyCancelledError],
]);

/** The call to which an error belongs. */
export interface Target {
  readonly app: string;
  readonly action: string;
  readonly socket: string;
  readonly signal?: AbortSignal | undefined;
}

/** Return the DirtyError for what grpc-js has thrown. */
export function toDirtyError(error: ServiceError, target: Target): errors.DirtyError {
  const { info, retryAfterMs, remoteTraceback } = details(error);
  // Only the client's own timer says no more than the code.
  const reason = info.reason || (error.code === status.DEADLINE_EXCEEDED ? NO_ANSWER : "");
  const kind = BY_REASON.get(reason) ?? BY_CODE.get(error.code) ?? errors.DirtyError;
  const { app, action, worker_pid, exception_type, request_id, ...metadata } = Object.fromEntries(info.metadata);
  // grpc-js tells it by its text only.
  const isUnsent =
    !info.reason && error.code === status.UNAVAILABLE && error.details.startsWith("No connection established");
  return new kind(message(error, kind, reason, isUnsent, target), {
    code: status[error.code] ?? "UNKNOWN",
    reason,
    app: app ?? target.app,
    action: action ?? target.action,
    workerPid: worker_pid ? Number(worker_pid) : undefined,
    remoteType: exception_type,
    remoteTraceback,
    retryAfterMs,
    requestId: request_id,
    metadata,
    isUnsent,
    ...(target.signal?.aborted && { cause: target.signal.reason }),
  });
}

function message(error: ServiceError, kind: Kind, reason: string, isUnsent: boolean, { socket }: Target): string {
  if (reason === NO_ANSWER) return "dirtyd did not answer by the deadline, nor in the second after it";
  if (kind !== errors.DirtyConnectionError) return error.details || error.message;
  if (!isUnsent) return `the connection to dirtyd at ${socket} broke during the call: ${error.details}`;
  const remedy = error.details.includes("EACCES")
    ? "this user may not open the socket; socket_mode and socket_group say who may"
    : "is dirtyd running? start it with `dirtyd serve`";
  return `cannot reach dirtyd at ${socket}: ${error.details}; ${remedy}`;
}

interface Details {
  info: ErrorInfo;
  retryAfterMs?: number;
  remoteTraceback?: string;
}

function details(error: ServiceError): Details {
  const none: Details = { info: { reason: "", domain: "", metadata: new Map() } };
  const [data] = error.metadata?.get(DETAILS) ?? [];
  if (!(data instanceof Uint8Array)) return none;
  try {
    return Status.decode(data).details.reduce(read, none);
  } catch {
    return none; // Malformed details must not hide the error to which they belong.
  }
}

function read(found: Details, { typeUrl, value }: { typeUrl: string; value: Uint8Array }): Details {
  switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
    case "google.rpc.ErrorInfo": {
      const info = ErrorInfo.decode(value);
      return info.domain === DOMAIN ? { ...found, info } : found;
    }
    case "google.rpc.RetryInfo": {
      const { seconds = 0n, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {};
      return { ...found, retryAfterMs: Number(seconds) * 1000 + nanos / 1e6 };
    }
    case "google.rpc.DebugInfo": {
      const { stackEntries, detail } = DebugInfo.decode(value);
      return { ...found, remoteTraceback: stackEntries.join("\n") || detail };
    }
    default:
      return found;
  }
}
