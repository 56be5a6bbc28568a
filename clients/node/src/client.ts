/** The client of the arbiter. */

import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { endsAt } from "./deadline.js";
import * as errors from "./errors.js";
import { ExecuteRequest, ExecuteResponse, ExecuteStreamResponse } from "./gen/dirty/v1/arbiter.js";
import { defaultSocket } from "./socket.js";
import { type Target, toDirtyError } from "./status.js";
import { DirtyStream } from "./stream.js";
import { type Doubles, decode, encode, plainBytes } from "./values.js";

const SERVICE = "/dirty.v1.Arbiter/";

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 2000;

const CHANNEL = {
  // The arbiter keeps the limit, and its message is better.
  "grpc.max_send_message_length": -1,
  "grpc.max_receive_message_length": -1,
  // A call must not run twice behind the caller's back.
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  // The client soon finds an arbiter that was restarted.
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 500,
  // The client has a connection of its own, which close() closes.
  "grpc.use_local_subchannel_pool": 1,
};

/** gRPC metadata for the action, which finds it in `currentCall().metadata`; keys that end with "-bin" carry bytes. */
export type CallMetadata = Readonly<Record<string, string | Uint8Array>>;

interface Options {
  /**
   * The milliseconds for the whole call, including its stream. Without this only the arbiter's timeout holds. The arbiter
   * ends the call; if it does not answer, the call fails a second later with a DirtyTimeoutError, reason "NO_ANSWER".
   */
  timeoutMs?: number;
  metadata?: CallMetadata;
  /**
   * The number of times that a call is repeated, before its first chunk, if it
   * certainly had not started: `isSafeToRetry` of its error. The client waits as
   * long as the arbiter asks, or 50 ms, then twice as long each time, at most 2 s,
   * less a random part. 0 by default.
   */
  retries?: number;
  /** How doubles with an integral value arrive: "exact", as `Double`, or "number", as numbers. */
  doubles?: Doubles;
}

/** Options of a client. All but `socket` are defaults of its calls. */
export interface ClientOptions extends Options {
  /** The path of the arbiter's socket; by default `$DIRTYD_SOCKET`, or the path where the daemon listens by default. */
  socket?: string;
}

/** Options of one call. */
export interface CallOptions extends Options {
  /** Keyword arguments of the action. */
  kwargs?: Readonly<Record<string, unknown>>;
  /** Cancels the call, and with it the action. */
  signal?: AbortSignal;
}

/**
 * Calls actions of apps. Make one client and share it: it has one connection. The
 * first call opens the connection; if it is lost, the next call opens it again. An
 * idle client does not keep the process alive.
 */
export class DirtyClient {
  /** The path of the arbiter's socket. */
  readonly socket: string;
  readonly #defaults: Options;
  #channel: Client | undefined;

  constructor({ socket, ...defaults }: ClientOptions = {}) {
    this.socket = resolve(socket || defaultSocket());
    this.#defaults = defaults;
  }

  /** Run an action and return its result. Rejects with DirtyError, or TypeError if an argument has no form. */
  async execute<T = unknown>(
    app: string,
    action: string,
    args: readonly unknown[] = [],
    options: CallOptions = {},
  ): Promise<T> {
    const call = this.#prepare(app, action, args, options);
    for (let tries = 0; ; tries++) {
      try {
        return decode((await this.#unary(call)).result, call.doubles) as T;
      } catch (error) {
        await pauseBeforeRetry(error, tries, call);
      }
    }
  }

  /** Run an action and return an iterable of its chunks, as they come. `for await` throws DirtyError. */
  stream<T = unknown>(
    app: string,
    action: string,
    args: readonly unknown[] = [],
    options: CallOptions = {},
  ): DirtyStream<T> {
    const call = this.#prepare(app, action, args, options);
    return new DirtyStream<T>({
      open: () => this.#streaming(call),
      translate: (error) => toDirtyError(error, call.target),
      pauseBeforeRetry: (error, tries, left) => pauseBeforeRetry(error, tries, call, left),
      doubles: call.doubles,
    });
  }

  /** Close the connection, which ends the calls on it. A later call opens another. */
  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Client {
    this.#channel ??= new Client(`unix:${this.socket}`, credentials.createInsecure(), CHANNEL);
    return this.#channel;
  }

  #prepare(app: string, action: string, args: readonly unknown[], options: CallOptions): Prepared {
    const { kwargs = {}, signal, ...own } = options;
    const { timeoutMs = Infinity, retries = 0, doubles = "exact" } = { ...this.#defaults, ...own };
    const metadata = new Metadata();
    for (const [key, value] of Object.entries({ ...this.#defaults.metadata, ...own.metadata })) {
      metadata.set(key, typeof value === "string" ? value : Buffer.from(value));
    }
    const named = Object.entries(kwargs).filter(([, value]) => value !== undefined);
    const request: ExecuteRequest = {
      app,
      action,
      args: args.map((value, index) => encode(value, `args[${index}]`)),
      kwargs: new Map(named.map(([name, value]) => [name, encode(value, name)])),
    };
    const target: Target = { app, action, socket: this.socket, signal };
    return { target, request, metadata, retries, doubles, ends: performance.now() + timeoutMs };
  }

  #unary({ target, request, metadata, ends }: Prepared): Promise<ExecuteResponse> {
    return new Promise((resolve, reject) => {
      refuseAborted(target);
      const done = (error: ServiceError | null, response?: ExecuteResponse) => {
        stop();
        if (response) resolve(response);
        else reject(toDirtyError(error as ServiceError, target));
      };
      const call = this.#open().makeUnaryRequest(
        `${SERVICE}Execute`,
        serialize,
        deserialize,
        request,
        metadata,
        { interceptors: [endsAt(ends)] },
        done,
      );
      const stop = onAbort(target.signal, () => call.cancel());
    });
  }

  #streaming({ target, request, metadata, ends }: Prepared): ClientReadableStream<ExecuteStreamResponse> {
    refuseAborted(target);
    const call = this.#open().makeServerStreamRequest(
      `${SERVICE}ExecuteStream`,
      serialize,
      deserializeChunk,
      request,
      metadata,
      { interceptors: [endsAt(ends)] },
    );
    const stop = onAbort(target.signal, () => call.cancel());
    call.once("status", stop);
    return call;
  }
}

interface Prepared {
  readonly target: Target;
  readonly request: ExecuteRequest;
  readonly metadata: Metadata;
  /** When its time is over, on the clock of `performance.now()`. */
  readonly ends: number;
  readonly retries: number;
  readonly doubles: Doubles;
}

const serialize = (request: ExecuteRequest) => Buffer.from(ExecuteRequest.encode(request).finish());
const deserialize = (data: Buffer) => ExecuteResponse.decode(plainBytes(data));
const deserializeChunk = (data: Buffer) => ExecuteStreamResponse.decode(plainBytes(data));

/** Wait before a retry. Throws `error` if there is none. `left` ends the wait, and so does the caller's own signal. */
async function pauseBeforeRetry(
  error: unknown,
  tries: number,
  { retries, ends, target }: Prepared,
  left?: AbortSignal,
): Promise<void> {
  if (tries >= retries || !(error instanceof errors.DirtyError) || !error.isSafeToRetry) throw error;
  const half = Math.min(FIRST_DELAY_MS * 2 ** tries, MAX_DELAY_MS) / 2;
  // Callers that were refused together should not come back together.
  const delay = Math.max(error.retryAfterMs ?? 0, half) + half * Math.random();
  if (performance.now() + delay >= ends) throw error;
  const signal = AbortSignal.any([target.signal, left].filter((each) => each !== undefined));
  // After an abort during the pause the next try fails with the reason.
  await pause(delay, undefined, { signal }).catch(() => {});
}

function refuseAborted({ app, action, signal }: Target): void {
  if (!signal?.aborted) return;
  throw new errors.DirtyCancelledError("the call was cancelled before it began", {
    code: "CANCELLED",
    app,
    action,
    cause: signal.reason,
  });
}

/** Call `abort` when the signal is aborted. Returns a function that takes this back. */
function onAbort(signal: AbortSignal | undefined, abort: () => void): () => void {
  signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}
