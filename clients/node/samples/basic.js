/**
 * One call and its errors.
 *
 * Run the daemon beside it: dirtyd serve --config dirtyd.toml
 */

import { AppError, DirtyAppError, DirtyClient } from "dirtyd";

const APP = "basic:Counter";

/** State that stays in the worker. */
export class Counter {
  init() {
    this.total = 0;
  }

  add(n, { times = 1 } = {}) {
    if (n < 0) throw new AppError("only upwards", { code: "INVALID_ARGUMENT", metadata: { n: String(n) } });
    this.total += n * times;
    return this.total;
  }
}

async function main() {
  const client = new DirtyClient({ timeoutMs: 10_000 });
  console.log("total", await client.execute(APP, "add", [3]));
  console.log("total", await client.execute(APP, "add", [2], { kwargs: { times: 2 } }));
  try {
    await client.execute(APP, "add", [-1]);
  } catch (error) {
    if (!(error instanceof DirtyAppError)) throw error;
    console.log("refused:", error.code, error.metadata.n);
  }
}

if (process.argv[1] === import.meta.filename) await main();
