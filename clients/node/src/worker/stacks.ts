/**
 * The answer to GetStacks: the calls that run. The one thread of JavaScript runs
 * this code while it answers, so that all calls wait; Node shows no stack of what
 * waits, and the inspector would stop the thread.
 */

import { performance } from "node:perf_hooks";
import { type Stack, StackKind } from "../gen/dirty/v1/stack.js";
import { type Stacks, WorkerFrame } from "../gen/dirty/worker/v1/worker.js";
import type { Running } from "./running.js";

const MAX_STACKS = 1000;

/** Return the stacks of the calls, in a frame of no more than `limit` bytes. */
export function stacksOf(nonce: bigint, calls: Iterable<Running>, limit: number): Stacks {
  const tasks = [...calls].slice(0, MAX_STACKS - 1).map(taskOf);
  const note = tasks.length > 0 ? "it runs no code of these calls now" : "it runs no call";
  let stacks: Stack[] = [{ name: "main", kind: StackKind.STACK_KIND_THREAD, callId: 0n, frames: [], note }, ...tasks];
  while (stacks.length > 0 && sizeOf({ nonce, stacks }) > limit) stacks = stacks.slice(0, stacks.length / 2);
  return { nonce, stacks };
}

function taskOf({ id, since, public: { app, action } }: Running): Stack {
  const seconds = ((performance.now() - since) / 1000).toFixed(3);
  return {
    name: `${app} ${action}`.trim(),
    kind: StackKind.STACK_KIND_TASK,
    callId: id,
    frames: [],
    note: `the call runs for ${seconds} s and waits now; Node shows no stack of what waits`,
  };
}

function sizeOf(value: Stacks): number {
  return WorkerFrame.encode({ kind: { $case: "stacks", value } }).finish().length;
}
