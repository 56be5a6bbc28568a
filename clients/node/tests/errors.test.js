/** What the client makes of errors, and which of them it retries; against a fake arbiter. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import * as dirtyd from "dirtyd";
import { eventually } from "./support/eventually.js";
import { rpcError, serve } from "./support/server.js";

const LIMIT = { timeout: 60_000 };
const directory = mkdtempSync(join(tmpdir(), "dirtyd-errors-"));
const socket = join(directory, "d.sock");
const client = new dirtyd.DirtyClient({ socket, timeoutMs: 30_000 });
let server;

afterEach(() => {
  client.close();
  server.forceShutdown();
});
after(() => rmSync(directory, { recursive: true }));

const failsWith = (error) => () => {
  throw error;
};

/** The chunks of a stream, and the error at its end. */
async function read(options) {
  const chunks = [];
  try {
    for await (const chunk of client.stream("a:A", "x", [], options)) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

async function failure(options) {
  return client.execute("a:A", "x", [], options).then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
}

test("everything that the arbiter says is there", LIMIT, async () => {
  const facts = { app: "b:B", action: "y", worker_pid: "42", exception_type: "KeyError", request_id: "r", row: "7" };
  const sent = rpcError(status.NOT_FOUND, { reason: "APP_ERROR", facts, retryMs: 1500, trace: ["one", "two"] });
  server = await serve(socket, failsWith(sent));
  const { name, message, stack, ...rest } = await failure();
  assert.deepEqual(
    { name, message, ...rest },
    {
      name: "DirtyAppError",
      message: "m",
      code: "NOT_FOUND",
      reason: "APP_ERROR",
      app: "b:B",
      action: "y",
      workerPid: 42,
      remoteType: "KeyError",
      remoteTraceback: "one\ntwo",
      retryAfterMs: 1500,
      requestId: "r",
      metadata: { row: "7" },
      isSafeToRetry: false,
    },
  );
});

for (const [name, options] of [
  ["of another domain", { reason: "QUEUE_FULL", domain: "else.where" }],
  ["that cannot be decoded", { raw: Buffer.from("\xff\xff\xff") }],
]) {
  test(`details ${name} do not hide the error`, LIMIT, async () => {
    server = await serve(socket, failsWith(rpcError(status.RESOURCE_EXHAUSTED, options)));
    const error = await failure();
    assert.deepEqual([error.constructor, error.code, error.reason], [dirtyd.DirtyError, "RESOURCE_EXHAUSTED", ""]);
    assert.deepEqual([error.app, error.action], ["a:A", "x"]);
  });
}

// One table for all clients.
const TABLE = new URL("../../../tests/conformance/retries.json", import.meta.url);
for (const { code, reason, retried } of JSON.parse(readFileSync(TABLE, "utf8")).failures) {
  const name = `${retried ? "tried again" : "never tried again, for it may have started"}: ${code} ${reason}`;
  test(name, LIMIT, async () => {
    let calls = 0;
    const error = rpcError(status[code], { reason, retryMs: 10 });
    server = await serve(socket, (count) => ((calls = count) < 2 ? failsWith(error)() : count));
    if (retried) {
      assert.equal(await client.execute("a:A", "x", [], { retries: 1 }), 2);
    } else {
      const { reason: told, isSafeToRetry } = await failure({ retries: 5 });
      assert.deepEqual([told, isSafeToRetry, calls], [reason, false, 1]);
    }
  });

  test(`the same, before the first chunk: ${code} ${reason}`, LIMIT, async () => {
    const error = rpcError(status[code], { reason, retryMs: 10 });
    server = await serve(socket, (count) => (count < 2 ? failsWith(error)() : count));
    if (retried) assert.deepEqual(await read({ retries: 1 }), { chunks: [0, 1] });
    else assert.equal((await read({ retries: 5 })).error.reason, reason);
  });
}

test("each next() that waits gets its own chunk, also of a stream that is tried again", LIMIT, async () => {
  const error = rpcError(status.UNAVAILABLE, { reason: "DRAINING", retryMs: 10 });
  server = await serve(socket, (count) => (count < 2 ? failsWith(error)() : count));
  const stream = client.stream("a:A", "x", [], { retries: 1 });
  const results = await Promise.all([stream.next(), stream.next(), stream.next()]);
  assert.deepEqual(
    results.map(({ value }) => value),
    [0, 1, undefined],
  );
});

test("leaving a stream ends the pause before a retry", LIMIT, async () => {
  const error = rpcError(status.UNAVAILABLE, { reason: "DRAINING", retryMs: 900 });
  let calls = 0;
  server = await serve(socket, (count) => failsWith(error, (calls = count))());
  const stream = client.stream("a:A", "x", [], { retries: 1000 });
  const waiting = stream.next();
  await eventually(() => calls > 0);
  await stream.return();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.equal(calls, 1);
});

test("retries end after their number, and before the deadline", LIMIT, async () => {
  let calls = 0;
  const error = rpcError(status.UNAVAILABLE, { reason: "DRAINING", retryMs: 10 });
  server = await serve(socket, (count) => failsWith(error, (calls = count))());
  assert.ok((await failure({ retries: 2 })) instanceof dirtyd.DirtyDrainingError);
  assert.equal(calls, 3);
  error.metadata = rpcError(status.UNAVAILABLE, { reason: "DRAINING", retryMs: 900 }).metadata;
  assert.ok((await failure({ retries: 2, timeoutMs: 800 })) instanceof dirtyd.DirtyDrainingError);
  assert.equal(calls, 4);
});

test("a daemon that is not up yet is tried again", LIMIT, async () => {
  const answer = client.execute("a:A", "x", [], { retries: 1000 });
  assert.equal((await failure()).isSafeToRetry, true);
  server = await serve(socket, (count) => count);
  assert.equal(await answer, 1);
});

test("never tried again: a stream that has begun", LIMIT, async () => {
  let calls = 0;
  const error = Object.assign(rpcError(status.UNAVAILABLE, { reason: "DRAINING", retryMs: 10 }), { late: true });
  server = await serve(socket, (count) => failsWith(error, (calls = count))());
  const { chunks, error: seen } = await read({ retries: 5 });
  assert.deepEqual([chunks, seen.reason, calls], [[0], "DRAINING", 1]);
});

test("an abort ends the pause before a retry", LIMIT, async () => {
  const abort = new AbortController();
  const error = rpcError(status.RESOURCE_EXHAUSTED, { reason: "QUEUE_FULL", retryMs: 900 });
  server = await serve(socket, failsWith(error));
  const call = failure({ retries: 1000, signal: abort.signal });
  abort.abort();
  assert.ok((await call) instanceof dirtyd.DirtyCancelledError);
});

test("a lost connection is opened again", LIMIT, async () => {
  server = await serve(socket, () => "first");
  assert.equal(await client.execute("a:A", "x"), "first");
  server.forceShutdown();
  assert.ok((await failure()) instanceof dirtyd.DirtyConnectionError);
  server = await serve(socket, () => "second");
  await eventually(async () => (await client.execute("a:A", "x").catch(() => "not yet")) === "second");
});
