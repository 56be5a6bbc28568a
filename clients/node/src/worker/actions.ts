/**
 * From a request to its one outcome: decode it, call the app, and follow what the app returns.
 *
 *   plain value      -> Response
 *   promise          -> awaited; then its result is followed likewise
 *   iterator, async iterable (a generator is the usual one) -> Chunk ... End
 *   throws           -> Error
 */

import { setImmediate as breath } from "node:timers/promises";
import { isActionNotFound } from "../app.js";
import { CURRENT } from "../call.js";
import { ErrorKind } from "../gen/dirty/worker/v1/worker.js";
import { describe, plain } from "./failures.js";
import type { Apps } from "./loader.js";
import { type Form, formOf, open, seal } from "./payloads.js";
import { invalid, Refusal } from "./refusal.js";
import type { Running } from "./running.js";
import { inTrace } from "./tracing.js";

type Chunks = Iterator<unknown> | AsyncIterator<unknown>;

/** Run a call to its end and send exactly one terminal frame. `limit` is the largest payload in bytes. */
export async function perform(call: Running, apps: Apps, limit: number): Promise<void> {
  try {
    if (call.cancelled) return call.endCancelled();
    const form = formOf(call);
    Object.assign(call.public, open(call, form, apps));
    const inCall = <T>(run: () => T): T => inTrace(call.public.metadata, () => CURRENT.run(call.public, run));
    const result: unknown = await inCall(() => invoke(call, apps));
    const chunks = chunksOf(result);
    if (chunks) await inCall(() => stream(call, chunks, form, limit));
    else call.respond(seal(form, result, "result", limit));
  } catch (error) {
    report(call, error);
  }
}

/** Call the action and return what it returns, a promise perhaps. */
function invoke(call: Running, apps: Apps): unknown {
  const { app: path, action, args, kwargs } = call.public;
  const app = apps.get(path);
  if (!app) throw invalid(`this worker has not loaded the app "${path}"`);
  return app.call(action, args, kwargs);
}

/** Return what should be streamed. An array, a Map and a string are values, although they are iterable. */
function chunksOf(result: unknown): Chunks | undefined {
  if (typeof result !== "object" || result === null) return undefined;
  if (Symbol.asyncIterator in result) return (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  const streams = Symbol.iterator in result && "next" in result && typeof result.next === "function";
  return streams ? (result as IterableIterator<unknown>) : undefined;
}

async function stream(call: Running, chunks: Chunks, form: Form, limit: number): Promise<void> {
  try {
    const { credit } = call;
    if (!credit) {
      const message = `${call.public.app} ${call.public.action} streams; use ExecuteStream`;
      throw new Refusal(ErrorKind.ERROR_KIND_ACTION_STREAMS, plain(message));
    }
    while (!call.cancelled) {
      const { done, value } = await chunks.next();
      if (done) return call.end();
      const payload = seal(form, value, "chunk", limit);
      while (!call.cancelled && !credit.take(payload.length)) await credit.changed();
      if (!call.cancelled) call.chunk(payload);
      // A generator that never waits would otherwise keep the worker from reading Cancel and Ping.
      await breath();
    }
  } finally {
    await chunks.return?.();
  }
  call.endCancelled();
}

/** End a call with what its code has thrown. */
function report(call: Running, error: unknown): void {
  if (error instanceof Refusal) call.fail(error.kind, error.failure);
  else if (call.cancelled && isAbort(error, call.public.signal)) call.endCancelled();
  else if (isActionNotFound(error)) call.fail(ErrorKind.ERROR_KIND_ACTION_NOT_FOUND, describe(error));
  else call.fail(ErrorKind.ERROR_KIND_APP, describe(error));
}

/** Return true for what functions of Node throw when their signal is aborted. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}
