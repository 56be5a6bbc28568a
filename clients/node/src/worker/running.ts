/** One call inside the worker: its state, its cancellation, and its one terminal frame. */

import { performance } from "node:perf_hooks";
import { type Call, CallCancelled, CallTimeout } from "../call.js";
import {
  CancelReason,
  ErrorKind,
  type Failure,
  type PayloadKind,
  type Request,
} from "../gen/dirty/worker/v1/worker.js";
import { Credit } from "./credit.js";
import { plain } from "./failures.js";
import type { Link, Outgoing } from "./link.js";
import type { Agreement } from "./protocol.js";

/** A call from its Request to its terminal frame. */
export class Running {
  readonly id: bigint;
  readonly payload: Uint8Array;
  /** What the payload is; undefined in version 1, where it is an ExecuteRequest that names app and action. */
  readonly payloadKind: PayloadKind | undefined;
  /** Whether the payload may be JSON. */
  readonly hasJson: boolean;
  /** Set for ExecuteStream. */
  readonly credit: Credit | undefined;
  readonly public: Call;
  /** When it came, on the clock of `performance.now()`. */
  readonly since = performance.now();
  readonly #abort = new AbortController();
  readonly #link: Link;
  #ended = false;

  constructor(request: Request, link: Link, { namesInFrame, hasJson }: Agreement) {
    this.id = request.callId;
    this.payload = request.payload;
    this.payloadKind = namesInFrame ? request.payloadKind : undefined;
    this.hasJson = hasJson;
    this.credit = request.stream ? new Credit(request.credit?.chunks ?? 0, request.credit?.bytes ?? 0n) : undefined;
    this.#link = link;
    const deadline = this.since + Number(request.timeoutMicros) / 1000;
    const entries = request.metadata.map(({ key, value }) => {
      return [key, key.endsWith("-bin") ? value : Buffer.from(value).toString()] as const;
    });
    this.public = {
      app: namesInFrame ? request.app : "",
      action: namesInFrame ? request.action : "",
      args: [], // The arguments, and the names of version 1, are known once the payload is decoded.
      kwargs: {},
      requestId: request.requestId,
      deadline,
      metadata: Object.fromEntries(entries),
      signal: this.#abort.signal,
      remaining: () => Math.max(0, deadline - performance.now()),
    };
  }

  get cancelled(): boolean {
    return this.public.signal.aborted;
  }

  /** Act on a Cancel frame. */
  cancel(reason: CancelReason): void {
    const timeout = reason === CancelReason.CANCEL_REASON_TIMEOUT;
    this.#abort.abort(
      timeout ? new CallTimeout("the call has run for its whole timeout") : new CallCancelled("the call was cancelled"),
    );
    this.credit?.close();
  }

  /** Send one chunk. Its credit must have been taken. */
  chunk(payload: Uint8Array): void {
    this.#link.send({ $case: "chunk", value: { callId: this.id, payload } });
  }

  /** End the call with its result. */
  respond(payload: Uint8Array): void {
    this.#finish({ $case: "response", value: { callId: this.id, payload } });
  }

  /** End a stream that has succeeded. */
  end(): void {
    this.#finish({ $case: "end", value: { callId: this.id } });
  }

  /** End a call that has failed. */
  fail(kind: ErrorKind, failure: Failure): void {
    this.#finish({ $case: "error", value: { callId: this.id, kind, failure } });
  }

  /** End the call because it was cancelled. */
  endCancelled(): void {
    this.fail(ErrorKind.ERROR_KIND_CANCELLED, plain(`${this.public.app} ${this.public.action} was cancelled`.trim()));
  }

  /** Send exactly one terminal frame, whatever goes wrong before or after it. */
  #finish(frame: Outgoing): void {
    if (!this.#ended) this.#link.send(frame);
    this.#ended = true;
  }
}
