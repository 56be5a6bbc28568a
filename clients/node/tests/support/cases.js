/** Runs the shared conformance cases through this client. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirtyClient, DirtyError } from "dirtyd";
import { PYTHON_APPS } from "./daemon.js";
import { eventually } from "./eventually.js";
import { canonical, untag } from "./tagged.js";

export const CASES = JSON.parse(readFileSync(join(PYTHON_APPS, "cases.json"), "utf8")).cases;

/** Run one case and call `told` with its outcome. Throws if that is not the expected one. */
async function runCase(client, it, told) {
  const directory = mkdtempSync(join(tmpdir(), "dirtyd-case-"));
  const closedFile = join(directory, "closed");
  const args = it.args.map((value) => (value.closed_file ? closedFile : untag(value)));
  const kwargs = Object.fromEntries(Object.entries(it.kwargs ?? {}).map(([key, value]) => [key, untag(value)]));
  const options = { kwargs, ...(it.timeout_ms && { timeoutMs: it.timeout_ms }) };
  try {
    const outcome = await (it.method === "stream" ? follow : execute)(client, it, args, options);
    told(asReported(outcome));
    compare(outcome, it.expect);
    if (it.cancel_after) await eventually(() => existsSync(closedFile), 2000);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function execute(client, { app, action }, args, options) {
  try {
    return { values: [await client.execute(app, action, args, options)] };
  } catch (error) {
    return { values: [], error };
  }
}

async function follow(client, { app, action, cancel_after }, args, options) {
  const values = [];
  try {
    for await (const chunk of client.stream(app, action, args, options)) {
      if (values.push(chunk) === cancel_after) break;
    }
    return { values };
  } catch (error) {
    return { values, error };
  }
}

/** Return an outcome in the form that the reports of all clients share. */
function asReported({ values, error }) {
  if (!error) return { values: values.map(canonical) };
  const { code, reason, message, remoteType = "", remoteTraceback = "" } = error;
  const told = { code, reason, message, exception_type: remoteType, traceback: remoteTraceback };
  return { values: values.map(canonical), error: told };
}

function compare({ values, error }, expect) {
  if (expect.error) return compareError(error, values, expect.error);
  if (error) throw error;
  const expected = expect.chunks ?? expect.first_chunks ?? [expect.result];
  assert.deepEqual(values.map(canonical), expected.map(untag).map(canonical));
}

function compareError(error, values, expect) {
  assert.ok(error instanceof DirtyError, `expected a DirtyError, not ${error}`);
  assert.equal(error.code, expect.code);
  if (!expect.client_may_refuse || error.reason) assert.equal(error.reason, expect.reason);
  if (expect.message_contains) assert.ok(error.message.includes(expect.message_contains), error.message);
  if (expect.remote_type) assert.equal(error.remoteType, expect.remote_type);
  if (expect.traceback_contains)
    assert.ok(error.remoteTraceback.includes(expect.traceback_contains), error.remoteTraceback);
  if (expect.after_chunks !== undefined) assert.equal(values.length, expect.after_chunks);
}

/**
 * Run all cases, print a line for each and write the report of `name`. `skip` returns the reason to leave a case out.
 * Returns the number of failed cases.
 */
export async function report(name, socket, cases, skip = () => undefined) {
  const client = new DirtyClient({ socket, timeoutMs: 60_000 });
  const count = { PASS: 0, FAIL: 0, SKIP: 0 };
  const lines = [];
  for (const it of cases) {
    const why = skip(it);
    const line = { case: it.name, ...(why ? { verdict: "SKIP", why } : await judge(client, it)) };
    count[line.verdict]++;
    lines.push(JSON.stringify(line));
    console.log(line.why ? `${line.verdict} ${it.name}: ${line.why}` : `${line.verdict} ${it.name}`);
  }
  client.close();
  writeReport(name, lines);
  console.log(`${count.PASS} passed, ${count.FAIL} failed, ${count.SKIP} skipped`);
  return count.FAIL;
}

async function judge(client, it) {
  let outcome;
  try {
    await runCase(client, it, (told) => (outcome = told));
    return { verdict: "PASS", why: "", outcome };
  } catch (error) {
    return { verdict: "FAIL", why: String(error.message).split("\n", 3).join(" "), outcome };
  }
}

/** Write the report that tests/conformance/README.md describes, if a folder is named. */
function writeReport(name, lines) {
  const folder = process.env.DIRTYD_CONFORMANCE_REPORT;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.jsonl`), lines.map((line) => `${line}\n`).join(""));
}
