/** The caller's own deadline, against a real daemon: it tells the reason, or it is stopped and tells nothing. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DirtyClient, DirtyTimeoutError } from "dirtyd";
import { NODE_APPS, NODE_WORKER, startDaemon } from "./support/daemon.js";
import { eventually } from "./support/eventually.js";

const APP = "actions:Actions";
const NARROW = "actions:Narrow";
const CALLS = 20;
const LIMIT = { timeout: 120_000 };
// The one runs all calls of a test at once, the other a single one.
const CONFIGURATION = `
command = ${NODE_WORKER}
chdir = "${NODE_APPS}"
threads = ${2 * CALLS}
app = [{ path = "${APP}" }]

[[pool]]
name = "narrow"
command = ${NODE_WORKER}
chdir = "${NODE_APPS}"
threads = 1
app = [{ path = "${NARROW}" }]
`;

const scratch = mkdtempSync(join(tmpdir(), "dirtyd-deadlines-"));
let daemon;
let client;
let files = 0;

before(async () => {
  // One process, so that a signal stops all of it.
  daemon = await startDaemon(CONFIGURATION, undefined, ["--single"]);
  client = new DirtyClient({ socket: daemon.socket, timeoutMs: 1000 });
}, LIMIT);

after(async () => {
  client?.close();
  assert.equal(await daemon?.stop(), 0);
  rmSync(scratch, { recursive: true });
}, LIMIT);

const fresh = () => join(scratch, `file-${files++}`);

async function read(client, ...call) {
  for await (const _ of client.stream(...call));
}

/** Make many calls at once, unary and streaming. Returns the set of their errors, as text. */
async function failures(client, app) {
  const calls = Array.from({ length: CALLS }, () => [
    client.execute(app, "waits", [fresh()]),
    read(client, app, "waits", [fresh()]),
  ]);
  const outcomes = await Promise.allSettled(calls.flat());
  for (const { reason } of outcomes) assert.ok(reason instanceof DirtyTimeoutError, reason);
  return new Set(outcomes.map(({ reason }) => `${reason.code} ${reason.reason}`));
}

test("the reason survives the caller's own deadline", LIMIT, async () => {
  assert.deepEqual(await failures(client, APP), new Set(["DEADLINE_EXCEEDED EXECUTION_TIMEOUT"]));
  const abort = new AbortController();
  const path = fresh();
  const holding = client.execute(NARROW, "waits", [path], { timeoutMs: 60_000, signal: abort.signal });
  await eventually(() => existsSync(`${path}.started`));
  assert.deepEqual(await failures(client, NARROW), new Set(["DEADLINE_EXCEEDED QUEUE_TIMEOUT"]));
  abort.abort();
  await assert.rejects(holding);
});

test("a daemon that does not answer holds no caller", LIMIT, async () => {
  const unconnected = new DirtyClient({ socket: daemon.socket, timeoutMs: 1000 });
  const begun = client.stream(APP, "endless", [fresh()]);
  await begun.next();
  daemon.signal("SIGSTOP");
  try {
    const rest = async () => {
      for await (const _ of begun);
    };
    const ended = assert.rejects(rest(), { name: "DirtyTimeoutError", reason: "NO_ANSWER", message: /did not answer/ });
    for (const each of [client, unconnected]) {
      assert.deepEqual(await failures(each, APP), new Set(["DEADLINE_EXCEEDED NO_ANSWER"]));
    }
    await ended;
  } finally {
    daemon.signal("SIGCONT");
    unconnected.close();
  }
});
