/** What the tests of the worker runtime call. */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { ActionNotFound, currentCall } from "dirtyd";

export class Actions {
  static workers = 2;

  echo(...args) {
    return args;
  }

  call() {
    const { app, action, requestId, metadata, deadline, signal } = currentCall();
    const remaining = currentCall().remaining();
    return {
      app,
      action,
      requestId,
      metadata,
      aborted: signal.aborted,
      close: deadline - performance.now() - remaining,
    };
  }

  async *numbers(limit) {
    for (let number = 0; number < limit; number++) {
      yield number;
      console.log(`after ${number}`);
    }
  }

  array() {
    return [1, 2];
  }

  *bad() {
    yield 1;
    yield Symbol("x");
  }

  large(size) {
    return "x".repeat(size);
  }

  async patient() {
    await pause(3_600_000, undefined, { signal: currentCall().signal });
  }

  async deaf(milliseconds) {
    await pause(milliseconds);
    return "done";
  }

  async reason() {
    const { signal } = currentCall();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason.name)));
  }

  async *tidy(path) {
    try {
      yield 1;
      await pause(3_600_000, undefined, { signal: currentCall().signal });
    } finally {
      await pause(10);
      writeFileSync(path, currentCall().action);
    }
  }

  /** An iterator that cannot be closed. */
  unclosable() {
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true }),
        return: async () => {
          throw new Error("too late");
        },
      }),
    };
  }

  fails() {
    throw Object.assign(new RangeError("no such row", { cause: new Error("inner") }), {
      dirtyCode: "NOT_FOUND",
      metadata: { row: 7 },
    });
  }

  throwsText() {
    throw "text";
  }

  missing() {
    throw new ActionNotFound("not here");
  }

  forgets() {
    Promise.reject(new Error("nobody waits"));
  }

  childHas(descriptor) {
    return spawnSync("test", ["-e", `/proc/self/fd/${descriptor}`]).status === 0;
  }

  _private() {}
}

export class Plain {
  static doubles = "number";

  init() {
    this.ready = true;
  }

  is(value) {
    return [this.ready, typeof value];
  }

  close() {
    console.log("closed");
  }
}

export function hook(worker) {
  console.log(`hook ${JSON.stringify({ ...worker, pid: worker.pid === process.pid })}`);
}
