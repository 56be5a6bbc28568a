/** What the tests of the client call. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { AppError, currentCall } from "dirtyd";

export class Actions {
  pid() {
    return process.pid;
  }

  add(a, b) {
    return a + b;
  }

  metadata() {
    return currentCall().metadata;
  }

  async waits(path) {
    writeFileSync(`${path}.started`, "");
    await once(currentCall().signal, "abort");
    writeFileSync(path, "noticed");
  }

  async *endless(path) {
    try {
      for (let number = 0; ; number++) yield number;
    } finally {
      writeFileSync(path, "closed");
    }
  }

  async *silent(path) {
    try {
      yield 0;
      await pause(3_600_000, undefined, { signal: currentCall().signal });
    } finally {
      writeFileSync(path, "closed");
    }
  }

  refuses() {
    throw new AppError("no such row", { code: "NOT_FOUND", metadata: { row: "7" } });
  }

  dies() {
    process.kill(process.pid, "SIGKILL");
  }

  hangs() {
    for (;;);
  }
}

/** The same under another name, so that the daemon can give it limits of its own. */
export class Narrow extends Actions {}

export class Broken {
  init() {
    throw new Error("no model");
  }
}
