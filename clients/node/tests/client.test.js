/** The client against a real daemon with a Node pool and a Python pool. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as dirtyd from "dirtyd";
import { NODE_APPS, NODE_WORKER, PYTHON_APPS, startDaemon } from "./support/daemon.js";
import { eventually } from "./support/eventually.js";

const APP = "actions:Actions";
const NARROW = "actions:Narrow";
const LIMIT = { timeout: 120_000 };
const CONFIGURATION = `
workers = 1
chdir = "${PYTHON_APPS}"
app = [{ path = "conformance:Conformance" }]

[[pool]]
name = "node"
command = ${NODE_WORKER}
chdir = "${NODE_APPS}"
workers = 1
threads = 8
app = [{ path = "${APP}" }]

[[pool]]
name = "narrow"
command = ${NODE_WORKER}
chdir = "${NODE_APPS}"
workers = 1
kill_grace = "100ms"
app = [{ path = "${NARROW}", timeout = "2s", max_queue = 1 }, { path = "actions:Broken" }]
`;

const scratch = mkdtempSync(join(tmpdir(), "dirtyd-client-"));
let daemon;
let client;
let files = 0;

before(async () => {
  daemon = await startDaemon(CONFIGURATION);
  client = new dirtyd.DirtyClient({ socket: daemon.socket, timeoutMs: 60_000 });
}, LIMIT);

after(async () => {
  client?.close();
  assert.equal(await daemon?.stop(), 0);
  rmSync(scratch, { recursive: true });
}, LIMIT);

const fresh = () => join(scratch, `file-${files++}`);
const appears = (path) => eventually(() => existsSync(path));

async function failure(promise) {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  );
  assert.ok(error instanceof dirtyd.DirtyError, `expected a DirtyError, got ${error}`);
  return error;
}

describe("execute", LIMIT, () => {
  test("one daemon serves Python and Node", async () => {
    assert.equal(await client.execute(APP, "add", [1, 2]), 3);
    assert.equal(await client.execute("conformance:Conformance", "type_name", [new dirtyd.Double(1)]), "float");
  });

  test("many calls at once, on one connection", async () => {
    const own = new dirtyd.DirtyClient({ socket: daemon.socket });
    await client.execute(APP, "pid");
    const before = 2; // The connection of the other tests' client, and the one that asks.
    await eventually(async () => (await daemon.connections()) === before);
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const sums = await Promise.all(numbers.map((n) => own.execute(APP, "add", [n, 1])));
    assert.deepEqual(
      sums,
      numbers.map((n) => n + 1),
    );
    assert.equal(await daemon.connections(), before + 1);
    own.close();
    await eventually(async () => (await daemon.connections()) === before);
  });

  test("doubles as numbers, for a client or a call", async () => {
    const one = ["conformance:Conformance", "echo", [new dirtyd.Double(1)]];
    assert.ok((await client.execute(...one)) instanceof dirtyd.Double);
    assert.equal(await client.execute(...one, { doubles: "number" }), 1);
    const plain = new dirtyd.DirtyClient({ socket: daemon.socket, doubles: "number" });
    assert.equal(await plain.execute(...one), 1);
    plain.close();
  });

  test("metadata of the client and of the call reach the action", async () => {
    const own = new dirtyd.DirtyClient({
      socket: daemon.socket,
      metadata: { user: "ann", "raw-bin": new Uint8Array([255]) },
    });
    const metadata = await own.execute(APP, "metadata", [], { metadata: { user: "bob", more: "x" } });
    assert.deepEqual([metadata.user, metadata.more, metadata["raw-bin"]], ["bob", "x", new Uint8Array([255])]);
    own.close();
  });

  test("the caller's deadline aborts the action and keeps the worker", async () => {
    const path = fresh();
    const pid = await client.execute(APP, "pid");
    const error = await failure(client.execute(APP, "waits", [path], { timeoutMs: 200 }));
    assert.ok(error instanceof dirtyd.DirtyTimeoutError);
    assert.equal(error.code, "DEADLINE_EXCEEDED");
    await appears(path);
    assert.equal(await client.execute(APP, "pid"), pid);
  });

  test("an AbortSignal aborts the action", async () => {
    const path = fresh();
    const abort = new AbortController();
    const call = failure(client.execute(APP, "waits", [path], { signal: abort.signal }));
    await appears(`${path}.started`);
    abort.abort("enough");
    const error = await call;
    await appears(path);
    assert.ok(error instanceof dirtyd.DirtyCancelledError);
    assert.deepEqual([error.code, error.cause], ["CANCELLED", "enough"]);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0);
    assert.ok(
      (await failure(client.execute(APP, "pid", [], { signal: abort.signal }))) instanceof dirtyd.DirtyCancelledError,
    );
  });

  test("arguments without a form are refused before anything is sent", async () => {
    await assert.rejects(client.execute(APP, "add", [1, new Set()]), { name: "TypeError", message: /^args\[1\]: Set/ });
    await assert.rejects(
      client.execute(APP, "add", [], { kwargs: { when: [new Date()] } }),
      /^TypeError: when\[0\]: Date/,
    );
  });

  test("a closed client opens another connection", async () => {
    const own = new dirtyd.DirtyClient({ socket: daemon.socket });
    await own.execute(APP, "pid");
    own.close();
    assert.equal(await own.execute(APP, "add", [1, 1]), 2);
    own.close();
  });
});

describe("stream", LIMIT, () => {
  test("leaving the loop closes the generator, and lets go of the signal", async () => {
    const path = fresh();
    const { signal } = new AbortController();
    for await (const number of client.stream(APP, "endless", [path], { signal })) if (number === 3) break;
    await appears(path);
    await eventually(() => getEventListeners(signal, "abort").length === 0);
  });

  test("return() ends a next() that waits", async () => {
    const path = fresh();
    const stream = client.stream(APP, "silent", [path]);
    assert.deepEqual(await stream.next(), { done: false, value: 0 });
    const waiting = stream.next();
    await stream.return();
    assert.equal((await waiting).done, true);
    assert.equal((await stream.next()).done, true);
    await appears(path);
  });

  test("an aborted signal ends the loop with an error", async () => {
    const path = fresh();
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of client.stream(APP, "silent", [path], { signal: abort.signal })) abort.abort();
    })();
    assert.ok((await failure(reading)) instanceof dirtyd.DirtyCancelledError);
    await appears(path);
  });

  test("a stream that nobody reads ends with its deadline, and nothing else does", async () => {
    const path = fresh();
    client.stream(APP, "endless", [path], { timeoutMs: 200 });
    await appears(path);
  });
});

describe("errors", LIMIT, () => {
  test("what the app chose to say", async () => {
    const error = await failure(client.execute(APP, "refuses"));
    assert.ok(error instanceof dirtyd.DirtyAppError);
    const { name, code, reason, app, action, remoteType, metadata } = error;
    assert.deepEqual([name, code, reason, app, action], ["DirtyAppError", "NOT_FOUND", "APP_ERROR", APP, "refuses"]);
    assert.deepEqual([remoteType, metadata.row], ["AppError", "7"]);
    assert.match(error.remoteTraceback, /at Actions\.refuses/);
    assert.equal(error.workerPid, await client.execute(APP, "pid"));
  });

  for (const [app, action, kind] of [
    ["no:Such", "x", dirtyd.DirtyAppNotFoundError],
    [APP, "absent", dirtyd.DirtyActionNotFoundError],
    [APP, "endless", dirtyd.DirtyActionStreamsError],
    [APP, "", dirtyd.DirtyInvalidRequestError],
    ["conformance:Conformance", "huge_integer", dirtyd.DirtyResultNotSerializableError],
    ["actions:Broken", "x", dirtyd.DirtyNoWorkersError],
  ]) {
    test(`${kind.name}`, async () => {
      assert.equal((await failure(client.execute(app, action))).constructor, kind);
    });
  }

  test("a worker that dies fails the call that it had started", async () => {
    const error = await failure(client.execute(NARROW, "dies", [], { retries: 5 }));
    assert.equal(error.constructor, dirtyd.DirtyWorkerCrashedError);
    assert.equal(error.code, "ABORTED");
  });

  test("an action that never yields is killed after its timeout; the next worker serves", async () => {
    assert.equal((await failure(client.execute(NARROW, "hangs"))).reason, "EXECUTION_TIMEOUT");
    assert.equal(await client.execute(NARROW, "add", [1, 1]), 2);
  });

  test("a full queue is told, and retries wait for room", async () => {
    const path = fresh();
    const abort = new AbortController();
    const { signal } = abort;
    const running = failure(client.execute(NARROW, "waits", [path], { signal }));
    const others = Array.from({ length: 3 }, () => failure(client.execute(NARROW, "waits", [path], { signal })));
    const error = await Promise.race(others);
    assert.equal(error.constructor, dirtyd.DirtyQueueFullError);
    assert.ok(error.retryAfterMs > 0);
    const patient = client.execute(NARROW, "add", [1, 1], { retries: 1000 });
    abort.abort();
    assert.equal(await patient, 2);
    await Promise.all([running, ...others]);
  });

  test("without a daemon the error says where it was looked for", async () => {
    const nowhere = new dirtyd.DirtyClient({ socket: join(scratch, "no.sock") });
    const error = await failure(nowhere.execute(APP, "pid"));
    assert.equal(error.constructor, dirtyd.DirtyConnectionError);
    assert.match(error.message, /no\.sock.*dirtyd serve/);
    nowhere.close();
  });
});

test("the socket comes from the environment", () => {
  const { DIRTYD_SOCKET, XDG_RUNTIME_DIR } = process.env;
  try {
    process.env.DIRTYD_SOCKET = "/a/b.sock";
    assert.equal(new dirtyd.DirtyClient().socket, "/a/b.sock");
    delete process.env.DIRTYD_SOCKET;
    process.env.XDG_RUNTIME_DIR = "/run/user/7";
    assert.equal(new dirtyd.DirtyClient().socket, "/run/user/7/dirtyd/dirtyd.sock");
    delete process.env.XDG_RUNTIME_DIR;
    assert.match(new dirtyd.DirtyClient().socket, /^\/.*\/dirtyd\/(run\/)?dirtyd\.sock$/);
  } finally {
    for (const [key, value] of Object.entries({ DIRTYD_SOCKET, XDG_RUNTIME_DIR })) {
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
    }
  }
});

test("the version is that of the package", async () => {
  const { VERSION } = await import("../dist/version.js");
  const { default: manifest } = await import("../package.json", { with: { type: "json" } });
  assert.equal(VERSION, manifest.version);
});
