/** What an action can know about the call that it serves: `currentCall()`. */

import { AsyncLocalStorage } from "node:async_hooks";

/** One call, as its action sees it. */
export interface Call {
  /** The app's import path. */
  readonly app: string;
  readonly action: string;
  readonly args: readonly unknown[];
  /** The keyword arguments, which the action also gets as its last argument, if there are any. */
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  /** The caller's gRPC metadata by lower-case key; bytes where the key ends with "-bin". */
  readonly metadata: Readonly<Record<string, string | Uint8Array>>;
  /** Aborted once nobody waits for the outcome any more (CallCancelled), or the timeout has passed (CallTimeout). */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline, never negative. */
  remaining(): number;
}

/** The reason of an aborted `currentCall().signal`: nobody waits for the outcome. */
export class CallCancelled extends Error {
  override readonly name: string = "AbortError";
}

/** The reason of an aborted `currentCall().signal`: the call has run for its whole timeout. */
export class CallTimeout extends Error {
  override readonly name: string = "TimeoutError";
}

// On globalThis, because an app may import another copy of this package than the one that runs the worker.
const KEY = Symbol.for("dirtyd.currentCall");
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Call> };

/** The call served by the running code. */
export const CURRENT: AsyncLocalStorage<Call> = (shared[KEY] ??= new AsyncLocalStorage<Call>());

/** Return the call that the running action serves. Throws outside of one. */
export function currentCall(): Call {
  const call = CURRENT.getStore();
  if (!call) throw new Error("currentCall() is only known inside an action of a dirtyd worker");
  return call;
}
