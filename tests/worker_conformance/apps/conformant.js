/** The contract of the worker conformance suite, in JavaScript. */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AppError, currentCall, metrics } from "../../../clients/node/dist/index.js";

const directory = process.env.CONFORMANT_DIR;

const counted = metrics.counter("counted", "What the suite counts", { unit: "things" });
const level = metrics.gauge("level", "A gauge", { merge: "max" });
const step = metrics.histogram("step", "A histogram", { unit: "seconds", bounds: [1, 2] });

class ValueError extends Error {}

export class App {
  static workers = 2;

  close() {
    counted.inc(1, { kind: "close" });
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

  measure(amount, kind) {
    counted.inc(Number(amount), { kind });
  }

  measure_all(value) {
    level.set(Number(value));
    step.observe(Number(value));
  }

  async measure_and_be_busy(amount, seconds) {
    this.measure(amount, "busy");
    await this.busy(seconds);
  }

  traceparent() {
    return currentCall().metadata.traceparent ?? null;
  }
}

export class Flaky {
  init() {
    if (!existsSync(join(directory, "healed"))) throw new Error("not healed yet");
  }
}
