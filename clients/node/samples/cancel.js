/**
 * A caller who leaves a stream ends its generator; a caller's deadline or
 * AbortSignal aborts the signal of the action.
 *
 * Run the daemon beside it: dirtyd serve --config dirtyd.toml
 */

import { setTimeout as pause } from "node:timers/promises";
import { currentCall, DirtyCancelledError, DirtyClient, DirtyTimeoutError } from "dirtyd";

const APP = "cancel:Endless";

/** Work that ends only when nobody wants it any longer. */
export class Endless {
  init() {
    this.closed = 0;
  }

  *count() {
    try {
      for (let number = 0; ; number++) yield number;
    } finally {
      this.closed++;
    }
  }

  async ponder() {
    await pause(3_600_000, undefined, { signal: currentCall().signal });
  }

  howManyClosed() {
    return this.closed;
  }
}

async function main() {
  const client = new DirtyClient({ timeoutMs: 10_000 });
  for await (const number of client.stream(APP, "count")) {
    console.log(number);
    if (number === 2) break;
  }
  console.log("generators closed:", await client.execute(APP, "howManyClosed"));
  try {
    await client.execute(APP, "ponder", [], { timeoutMs: 300 });
  } catch (error) {
    if (!(error instanceof DirtyTimeoutError)) throw error;
    console.log("gave up:", error.code);
  }
  try {
    await client.execute(APP, "ponder", [], { signal: AbortSignal.timeout(300) });
  } catch (error) {
    if (!(error instanceof DirtyCancelledError)) throw error;
    console.log("gave up:", error.cause.name);
  }
}

if (process.argv[1] === import.meta.filename) await main();
