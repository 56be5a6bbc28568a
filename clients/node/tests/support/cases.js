/** Runs the shared conformance cases through this client. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirtyClient, DirtyError } from "dirtyd";
import { PYTHON_APPS } from "./daemon.js";
import { eventually } from "./eventually.js";
import { canonical, untag } from "./tagged.js";

export const CASES = JSON.parse(readFileSync(join(PYTHON_APPS, "cases.json"), "utf8")).cases;

/** Run one case; throws if what came of it is not what was expected. */
export async function runCase(client, it) {
  const directory = mkdtempSync(join(tmpdir(), "dirtyd-case-"));
  const closedFile = join(directory, "closed");
  const args = it.args.map((value) => (value.closed_file ? closedFile : untag(value)));
  const kwargs = Object.fromEntries(Object.entries(it.kwargs ?? {}).map(([key, value]) => [key, untag(value)]));
  const options = { kwargs, ...(it.timeout_ms && { timeoutMs: it.timeout_ms }) };
  try {
    const outcome = await (it.method === "stream" ? follow : execute)(client, it, args, options);
    compare(outcome, it.expect);
    if (it.cancel_after) await eventually(() => existsSync(closedFile), 2000);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function execute(client, { app, action }, args, options) {
  try {
    return { chunks: [], result: await client.execute(app, action, args, options) };
  } catch (error) {
    return { chunks: [], error };
  }
}

async function follow(client, { app, action, cancel_after }, args, options) {
  const chunks = [];
  try {
    for await (const chunk of client.stream(app, action, args, options)) {
      if (chunks.push(chunk) === cancel_after) break;
    }
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

function compare({ chunks, result, error }, expect) {
  if (expect.error) return compareError(error, chunks, expect.error);
  if (error) throw error;
  if (expect.result) assert.deepEqual(canonical(result), canonical(untag(expect.result)));
  const expected = expect.chunks ?? expect.first_chunks;
  if (expected) assert.deepEqual(chunks.map(canonical), expected.map(untag).map(canonical));
}

function compareError(error, chunks, expect) {
  assert.ok(error instanceof DirtyError, `expected a DirtyError, not ${error}`);
  assert.equal(error.code, expect.code);
  if (!expect.client_may_refuse || error.reason) assert.equal(error.reason, expect.reason);
  if (expect.message_contains) assert.ok(error.message.includes(expect.message_contains), error.message);
  if (expect.remote_type) assert.equal(error.remoteType, expect.remote_type);
  if (expect.traceback_contains) assert.ok(error.remoteTraceback.includes(expect.traceback_contains), error.remoteTraceback);
  if (expect.after_chunks !== undefined) assert.equal(chunks.length, expect.after_chunks);
}

/** Run all cases and print a line for each; `skip` gives the reason to leave one out. Returns how many failed. */
export async function report(socket, cases, skip = () => undefined, print = console.log) {
  const client = new DirtyClient({ socket, timeoutMs: 60_000 });
  const count = { PASS: 0, FAIL: 0, SKIP: 0 };
  for (const it of cases) {
    const why = skip(it);
    const [verdict, note] = why ? ["SKIP", why] : await verdictOf(client, it);
    count[verdict]++;
    print(note ? `${verdict} ${it.name}: ${note}` : `${verdict} ${it.name}`);
  }
  client.close();
  print(`${count.PASS} passed, ${count.FAIL} failed, ${count.SKIP} skipped`);
  return count.FAIL;
}

async function verdictOf(client, it) {
  try {
    await runCase(client, it);
    return ["PASS"];
  } catch (error) {
    return ["FAIL", String(error.message).split("\n", 3).join(" ")];
  }
}
