import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import type { ExecuteStreamResponse } from "./gen/dirty/v1/arbiter.js";
import { type Doubles, decode } from "./values.js";

type Call = ClientReadableStream<ExecuteStreamResponse>;

/** What a stream needs from its client. */
export interface Source {
  /** Starts the call. */
  readonly open: () => Call;
  readonly translate: (error: ServiceError) => Error;
  /** Waits before a retry, but not longer than until `left`. Throws the error if there is no retry. */
  readonly pauseBeforeRetry: (error: unknown, tries: number, left: AbortSignal) => Promise<void>;
  readonly doubles: Doubles;
}

/**
 * The chunks of a call, as the action produces them. To leave `for await` early,
 * `return()` and an aborted signal each cancel the call, and with it the action.
 */
export class DirtyStream<T = unknown> implements AsyncIterableIterator<T> {
  readonly #source: Source;
  readonly #chunks: AsyncGenerator<T, undefined>;
  readonly #left = new AbortController();
  #call: Call;

  /** For `DirtyClient.stream` alone. */
  constructor(source: Source) {
    this.#source = source;
    this.#call = this.#open();
    this.#chunks = this.#read();
  }

  /** Return the next chunk. Rejects with DirtyError. */
  async next(): Promise<IteratorResult<T, undefined>> {
    return this.#left.signal.aborted ? { done: true, value: undefined } : this.#chunks.next();
  }

  /** Cancel the call, unless it has ended. It takes effect at once, even while a `next()` waits. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#left.abort();
    this.#call.cancel();
    return { done: true, value: undefined };
  }

  #open(): Call {
    const call = this.#source.open();
    // A caller who does not read should not get errors either; without a listener they would end the process.
    call.on("error", () => {});
    return call;
  }

  async *#read(): AsyncGenerator<T, undefined> {
    const { translate, pauseBeforeRetry, doubles } = this.#source;
    for (let tries = 0, begun = false; ; tries++) {
      try {
        for await (const { chunk } of this.#call as AsyncIterable<ExecuteStreamResponse>) {
          begun = true;
          yield decode(chunk, doubles) as T;
        }
        return;
      } catch (error) {
        // This is thrown at a next() that was waiting when the caller left.
        if (this.#left.signal.aborted) return;
        const failure = isServiceError(error) ? translate(error) : error;
        if (begun) throw failure;
        await pauseBeforeRetry(failure, tries, this.#left.signal);
        if (this.#left.signal.aborted) return;
        this.#call = this.#open();
      }
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
