import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import type { ExecuteStreamResponse } from "./gen/dirty/v1/arbiter.js";
import { type Doubles, decode } from "./values.js";

/**
 * The chunks of a call, as the action produces them. Leaving `for await` early,
 * `return()` and an aborted signal cancel the call, and with it the action.
 */
export class DirtyStream<T = unknown> implements AsyncIterableIterator<T> {
  readonly #call: ClientReadableStream<ExecuteStreamResponse>;
  readonly #chunks: AsyncIterator<ExecuteStreamResponse>;
  readonly #translate: (error: ServiceError) => Error;
  readonly #doubles: Doubles;
  #left = false;

  /** `DirtyClient.stream` makes them. */
  constructor(
    call: ClientReadableStream<ExecuteStreamResponse>,
    translate: (error: ServiceError) => Error,
    doubles: Doubles,
  ) {
    this.#call = call;
    this.#translate = translate;
    this.#doubles = doubles;
    // Who does not read does not want to know of errors either; without a listener they would end the process.
    call.on("error", () => {});
    this.#chunks = call[Symbol.asyncIterator]();
  }

  /** The next chunk. Rejects with DirtyError. */
  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#left) return { done: true, value: undefined };
    try {
      const { done, value } = await this.#chunks.next();
      return done ? { done, value: undefined } : { done: false, value: decode(value.chunk, this.#doubles) as T };
    } catch (error) {
      // A next() that was waiting when the reader left.
      if (this.#left) return { done: true, value: undefined };
      throw isServiceError(error) ? this.#translate(error) : error;
    }
  }

  /** Cancel the call, unless it has ended; at once, even while a `next()` waits. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#left = true;
    this.#call.cancel();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
