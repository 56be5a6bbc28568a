/** The app behind the conformance cases, as a Node worker runs it; tests/conformance/conformance.py is its twin. */

import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { currentCall } from "dirtyd";

class ValueError extends Error {}
class KeyError extends Error {}
class RuntimeError extends Error {}

export class Conformance {
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

  size(value) {
    return value.length;
  }

  huge_integer() {
    return 2n ** 64n;
  }

  unserialisable() {
    return { inner: [new Set()] };
  }

  fail(message = "no") {
    throw new ValueError(message);
  }

  not_found() {
    throw Object.assign(new KeyError("row 7"), { dirtyCode: "NOT_FOUND" });
  }

  *count(limit) {
    for (let number = 0; number < limit; number++) yield number;
  }

  *nothing() {}

  async *fail_after(limit) {
    yield* this.count(limit);
    throw new RuntimeError(`after ${limit}`);
  }

  *blobs(size, count) {
    while (count--) yield new Uint8Array(size);
  }

  async later(value) {
    await null;
    return value;
  }

  async sleep(seconds) {
    await pause(seconds * 1000, undefined, { signal: currentCall().signal });
    return seconds;
  }

  async *watched(limit, path) {
    try {
      for (let number = 0; number < limit; number++) {
        yield number;
        await pause(10);
      }
    } finally {
      await writeFile(path, "closed");
    }
  }
}
