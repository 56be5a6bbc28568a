/**
 * Chunks as they are produced.
 *
 * Run the daemon beside it: dirtyd serve --config dirtyd.toml
 */

import { setTimeout as pause } from "node:timers/promises";
import { DirtyClient } from "dirtyd";

const APP = "stream:Writer";

/** Produces one word after another. */
export class Writer {
  *words(text) {
    yield* text.split(" ");
  }

  async *later(text) {
    for (const word of text.split(" ")) {
      await pause(50);
      yield word;
    }
  }
}

async function main() {
  const client = new DirtyClient({ timeoutMs: 10_000 });
  for await (const word of client.stream(APP, "words", ["to be or not to be"])) console.log(word);
  for await (const word of client.stream(APP, "later", ["that is the question"])) console.log(word);
}

if (process.argv[1] === import.meta.filename) await main();
