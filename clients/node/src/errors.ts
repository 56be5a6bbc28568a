/** What can go wrong for a caller: one class for each reason of docs/errors.md. */

/** What the arbiter has sent about a failed call. */
export interface ErrorFacts {
  code?: string;
  reason?: string;
  app?: string;
  action?: string;
  workerPid?: number | undefined;
  remoteType?: string | undefined;
  remoteTraceback?: string | undefined;
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  metadata?: Record<string, string>;
  cause?: unknown;
  /** No connection could be made. */
  isUnsent?: boolean;
}

const UNSTARTED = ["QUEUE_FULL", "QUEUE_TIMEOUT", "NO_WORKERS", "TOO_MANY_CONNECTIONS"];

function isUnstarted(reason: string, code: string): boolean {
  // A stream that a drain has cut off says DRAINING, too, with ABORTED.
  return UNSTARTED.includes(reason) || (reason === "DRAINING" && code === "UNAVAILABLE");
}

/** A call failed. A property is undefined or empty if the arbiter has not sent it. */
export class DirtyError extends Error {
  /** The name of the gRPC code, such as "UNAVAILABLE". */
  readonly code: string;
  /** The reason in docs/errors.md, such as "QUEUE_FULL". */
  readonly reason: string;
  readonly app: string | undefined;
  readonly action: string | undefined;
  readonly workerPid: number | undefined;
  /** The type of what the app threw, such as "RangeError". */
  readonly remoteType: string | undefined;
  /** The traceback in the worker. */
  readonly remoteTraceback: string | undefined;
  /** The milliseconds after which a retry makes sense. */
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** More facts, including those that the app has added. */
  readonly metadata: Record<string, string>;
  /** True if the action had certainly not started, so that another attempt cannot run it twice. */
  readonly isSafeToRetry: boolean;

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, "cause" in facts ? { cause: facts.cause } : undefined);
    this.name = new.target.name;
    this.code = facts.code ?? "UNKNOWN";
    this.reason = facts.reason ?? "";
    this.app = facts.app;
    this.action = facts.action;
    this.workerPid = facts.workerPid;
    this.remoteType = facts.remoteType;
    this.remoteTraceback = facts.remoteTraceback;
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
    this.metadata = facts.metadata ?? {};
    this.isSafeToRetry = facts.isUnsent || isUnstarted(this.reason, this.code);
  }
}

/** The arbiter cannot be reached, or the connection broke during the call. */
export class DirtyConnectionError extends DirtyError {}

/**
 * The caller's deadline or the app's timeout passed, in the queue or while the action ran. With the reason "NO_ANSWER":
 * the arbiter had not answered a second after the deadline.
 */
export class DirtyTimeoutError extends DirtyError {}

/** The call was cancelled; `cause` is the reason of the AbortSignal. */
export class DirtyCancelledError extends DirtyError {}

/** The action threw; see `remoteType` and `remoteTraceback`. */
export class DirtyAppError extends DirtyError {}

/** The arbiter has no such app. */
export class DirtyAppNotFoundError extends DirtyError {}

/** The app has no such action, or it is private. */
export class DirtyActionNotFoundError extends DirtyError {}

/** The action streams, and the caller used `execute`; use `stream`. */
export class DirtyActionStreamsError extends DirtyError {}

/** The request is malformed. */
export class DirtyInvalidRequestError extends DirtyError {}

/** The result of the action has no form as a Value. */
export class DirtyResultNotSerializableError extends DirtyError {}

/** The request, the result or a chunk is larger than the arbiter allows. */
export class DirtyMessageTooLargeError extends DirtyError {}

/** The app's queue is full; see `retryAfterMs`. */
export class DirtyQueueFullError extends DirtyError {}

/** No worker can serve the app: all of them failed to load it, or its pool is scaled to 0. */
export class DirtyNoWorkersError extends DirtyError {}

/**
 * The arbiter drains and had not started the call; or, with the code ABORTED, the worker of a stream was to leave, and
 * the stream went on for too long.
 */
export class DirtyDrainingError extends DirtyError {}

/** The worker died after the call had started. */
export class DirtyWorkerCrashedError extends DirtyError {}
