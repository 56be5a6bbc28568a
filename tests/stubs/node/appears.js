import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Waits for the file that a generator writes when it is closed. */
export async function appears(path) {
  for (const end = Date.now() + 2000; !existsSync(path); await pause(10)) {
    assert.ok(Date.now() < end, "the generator was not closed within 2 s");
  }
}
