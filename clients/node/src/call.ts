/** What an action can learn about the call that it serves: `currentCall()`. */

import { AsyncLocalStorage } from "node:async_hooks";

/** One call, as its action sees it. */
export interface Call {
  /** The app's import path. */
  readonly app: string;
  readonly action: string;
  readonly args: readonly unknown[];
  /** The keyword arguments. If there are any, the action also gets them as its last argument. */
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  /** When the call should end, in milliseconds on the clock of `performance.now()`. */
  readonly deadline: number;
  /** The caller's gRPC metadata by lower-case key. The value is bytes if the key ends with "-bin", else a string. */
  readonly metadata: Readonly<Record<string, string | Uint8Array>>;
  /** Aborted once nobody waits for the outcome any longer (CallCancelled) or the timeout has passed (CallTimeout). */
  readonly signal: AbortSignal;
  /** Return the milliseconds until the deadline, never less than 0. */
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

// It is on globalThis because an app may import another copy of this package than the one that runs the worker.
const KEY = Symbol.for("dirtyd.currentCall");
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Call> };

/** The call served by the running code. */
export const CURRENT: AsyncLocalStorage<Call> = (shared[KEY] ??= new AsyncLocalStorage<Call>());

/** Return the call that the running action serves. Throws outside an action. */
export function currentCall(): Call {
  const call = CURRENT.getStore();
  if (!call) throw new Error("currentCall() works only inside an action of a dirtyd worker");
  return call;
}
