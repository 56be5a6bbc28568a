/** The contract of the worker conformance suite, in JavaScript. */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AppError, currentCall } from "../../../clients/node/dist/index.js";

const directory = process.env.CONFORMANT_DIR;

class ValueError extends Error {}

export class App {
  static workers = 2;

  close() {
    writeFileSync(join(directory, "closed"), "");
  }

  echo(value) {
    return value;
  }

  arguments() {
    const { args, kwargs } = currentCall();
    return { args, kwargs };
  }

  repeat(text, count) {
    return text.repeat(count);
  }

  context() {
    const call = currentCall();
    return {
      request_id: call.requestId,
      color: call.metadata.color,
      cancelled: call.signal.aborted,
      time_left: call.remaining() / 1000,
    };
  }

  fail(message) {
    throw new ValueError(message);
  }

  worst() {
    throw "on purpose";
  }

  chosen() {
    throw new AppError("no such row", { code: "NOT_FOUND", metadata: { row: "7" } });
  }

  unserialisable() {
    return { inner: [new Set()] };
  }

  *count(limit) {
    for (let number = 0; number < limit; number++) yield number;
  }

  *fail_after(limit) {
    yield* this.count(limit);
    throw new RangeError(`after ${limit}`);
  }

  *blobs(size, count) {
    while (count--) yield new Uint8Array(size);
  }

  *watched(limit, path) {
    try {
      yield* this.count(limit);
    } finally {
      writeFileSync(path, "closed");
    }
  }

  async nap(seconds) {
    await pause(seconds * 1000, undefined, { signal: currentCall().signal });
  }

  // JavaScript has one thread and nothing interrupts it: what is busy is busy asynchronously.
  async busy(seconds) {
    await this.nap(seconds);
  }
}

export class Flaky {
  init() {
    if (!existsSync(join(directory, "healed"))) throw new Error("not healed yet");
  }
}
