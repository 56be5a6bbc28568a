/** The worker runtime, as an arbiter sees it. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { Double } from "dirtyd";
import { Arbiter, CancelReason, ErrorKind } from "./support/arbiter.js";
import { NODE_APPS } from "./support/daemon.js";
import { eventually } from "./support/eventually.js";

const APP = "worker:Actions";
const LIMIT = { timeout: 60_000 };

const scratch = mkdtempSync(join(tmpdir(), "dirtyd-worker-"));
let arbiter;

afterEach(async () => {
  await arbiter?.end();
  arbiter = undefined;
});

async function booted(apps = [APP], welcome = {}, cwd = NODE_APPS) {
  arbiter = await Arbiter.booted(cwd, apps, welcome);
  return arbiter;
}

async function failure(id, kind) {
  const error = await arbiter.expect("error");
  assert.equal(error.callId, id);
  assert.equal(ErrorKind[error.kind], `ERROR_KIND_${kind}`);
  return error.failure;
}

describe("boot", LIMIT, () => {
  test("hello comes first; ping is answered", async () => {
    arbiter = new Arbiter(NODE_APPS);
    const hello = await arbiter.expect("hello");
    assert.deepEqual([hello.protocolVersion, hello.latestProtocolVersion, hello.stackDumpSignal], [1, 2, 0]);
    assert.deepEqual(hello.capabilities, ["json", "metrics", "stacks"]);
    assert.match(hello.runtime, /^node \d+\.\d+\.\d+ dirtyd 0\.1\.0$/);
    arbiter.welcome({});
    arbiter.send("ping", { nonce: 5n });
    assert.deepEqual(await arbiter.expect("pong"), { nonce: 5n });
  });

  test("importing tells the static property `workers`", async () => {
    await booted([]);
    arbiter.send("importApp", { app: APP });
    assert.equal((await arbiter.expect("appImported")).workers, 2);
    arbiter.send("importApp", { app: "worker:Plain" });
    assert.equal((await arbiter.expect("appImported")).workers, undefined);
  });

  for (const [app, message] of [
    ["nowhere:App", /nowhere/],
    ["worker:Nothing", /no export "Nothing"/],
    ["worker", /not an import path/],
  ]) {
    test(`an app that cannot be found: ${app}`, async () => {
      await booted([]);
      arbiter.send("initApp", { app });
      assert.match((await arbiter.expect("appFailed")).failure.message, message);
    });
  }

  for (const [extension, exporting] of [
    ["mjs", "export { App };"],
    ["cjs", "exports.App = App;"],
  ]) {
    test(`a corrected file of a failed app is seen, and what it imports: .${extension}`, async () => {
      const cwd = mkdtempSync(join(scratch, "afresh-"));
      const load = extension === "mjs" ? 'import * as part from "./part.mjs";' : 'const part = require("./part.cjs");';
      writeFileSync(join(cwd, `app.${extension}`), `${load} class App { init() { part.check(); } }; ${exporting}`);
      const part = (body) => {
        const check = `function check() { ${body} }`;
        writeFileSync(
          join(cwd, `part.${extension}`),
          extension === "mjs" ? `export ${check}` : `exports.check = ${check}`,
        );
      };
      await booted([], {}, cwd);
      part('throw new RangeError("not yet");');
      arbiter.send("initApp", { app: "app:App" });
      const { failure } = await arbiter.expect("appFailed");
      assert.deepEqual([failure.exceptionType, failure.message], ["RangeError", "not yet"]);
      assert.match(failure.traceback, /part\.[mc]js/);
      part("");
      arbiter.send("initApp", { app: "app:App" });
      await arbiter.expect("appReady");
    });
  }

  test("an app may stand in a package", async () => {
    const cwd = mkdtempSync(join(scratch, "package-"));
    mkdirSync(join(cwd, "node_modules/thumbs"), { recursive: true });
    writeFileSync(join(cwd, "node_modules/thumbs/index.js"), "exports.Thumbs = class { size() { return 64; } };");
    await booted(["thumbs:Thumbs"], {}, cwd);
    arbiter.call("thumbs:Thumbs", "size");
    assert.equal(await arbiter.expect("response"), 64);
  });

  test("the hook runs before the first app; its failure is logged", async () => {
    await booted([APP], { workerInitHook: "worker:hook", threads: 3 });
    assert.ok(arbiter.log.includes('hook {"id":7,"pid":true,"pool":"p","threads":3}'), arbiter.log);
    await arbiter.end();
    await booted([APP], { workerInitHook: "worker:absent" });
    assert.match(arbiter.log, /dirty_worker_init failed/);
  });
});

describe("calls", LIMIT, () => {
  test("arguments come in order, keyword arguments last, in one object", async () => {
    await booted();
    arbiter.call(APP, "echo", [1, new Double(1), "a"], { kwargs: { b: 2n } });
    assert.deepEqual(await arbiter.expect("response"), [1, new Double(1), "a", { b: 2 }]);
  });

  test("an app may ask for plain numbers", async () => {
    await booted(["worker:Plain"]);
    arbiter.call("worker:Plain", "is", [new Double(1)]);
    assert.deepEqual(await arbiter.expect("response"), [true, "number"]);
  });

  for (const protocolVersion of [1, 2]) {
    test(`version ${protocolVersion} reads the names where it has them`, async () => {
      await booted([APP], { protocolVersion });
      const [right, wrong] = [
        [APP, "array"],
        ["nowhere:App", "nothing"],
      ];
      const [framed, encoded] = protocolVersion === 1 ? [wrong, right] : [right, wrong];
      arbiter.call(...encoded, [], { frame: { app: framed[0], action: framed[1] } });
      assert.deepEqual(await arbiter.expect("response"), [1, 2]);
    });
  }

  test("a payload of a kind that nobody agreed on is refused", async () => {
    await booted();
    for (const payloadKind of [0, 2, 77]) {
      const id = arbiter.call(APP, "array", [], { frame: { payloadKind } });
      assert.match((await failure(id, "INVALID_REQUEST")).message, new RegExp(`payload kind ${payloadKind},`));
    }
  });

  test("an action knows its call", async () => {
    await booted();
    const entry = (key, text) => ({ key, value: Buffer.from(text) });
    arbiter.call(APP, "call", [], { metadata: [entry("user", "ann"), entry("raw-bin", "\x01")] });
    const { metadata, close, ...facts } = await arbiter.expect("response");
    assert.deepEqual(facts, { app: APP, action: "call", requestId: "r1", aborted: false });
    assert.deepEqual(metadata, { user: "ann", "raw-bin": new Uint8Array([1]) });
    assert.ok(Math.abs(close) < 1000);
  });

  test("several calls at once", async () => {
    await booted([APP], { threads: 2 });
    const slow = arbiter.call(APP, "patient");
    arbiter.call(APP, "array");
    assert.deepEqual(await arbiter.expect("response"), [1, 2]);
    arbiter.cancel(slow);
    await failure(slow, "CANCELLED");
  });

  for (const action of ["_private", "absent", "init", "constructor", "toString", "__proto__", "missing"]) {
    test(`no action: ${action}`, async () => {
      await booted();
      await failure(arbiter.call(APP, action), "ACTION_NOT_FOUND");
    });
  }

  test("what an action throws", async () => {
    await booted();
    const thrown = await failure(arbiter.call(APP, "fails"), "APP");
    assert.deepEqual([thrown.exceptionType, thrown.message, thrown.code], ["RangeError", "no such row", 5]);
    assert.deepEqual([...thrown.metadata], [["row", "7"]]);
    assert.match(thrown.traceback, /at Actions\.fails .*worker\.js/);
    assert.match(thrown.traceback, /\[cause\]: Error: inner/);
    assert.doesNotMatch(thrown.traceback, /dist\/worker|node:internal/);
    const text = await failure(arbiter.call(APP, "throwsText"), "APP");
    assert.deepEqual([text.exceptionType, text.message], ["string", "text"]);
  });

  test("results that cannot be sent", async () => {
    await booted();
    await failure(arbiter.call(APP, "large", [2000]), "MESSAGE_TOO_LARGE");
    await failure(arbiter.call(APP, "numbers", [3]), "ACTION_STREAMS");
    const stream = arbiter.call(APP, "bad", [], { credit: 5 });
    assert.equal(await arbiter.expect("chunk"), 1);
    assert.match((await failure(stream, "RESULT_NOT_SERIALIZABLE")).message, /chunk: symbol has no form/);
  });

  test("requests that cannot be understood", async () => {
    await booted();
    await failure(arbiter.call("worker:Plain", "is"), "INVALID_REQUEST");
    await failure(arbiter.call(APP, "array", [], { frame: { payload: Buffer.from("\xff") } }), "INVALID_REQUEST");
  });

  test("a rejection that nobody waits for is logged, no more", async () => {
    await booted();
    arbiter.call(APP, "forgets");
    assert.equal(await arbiter.expect("response"), null);
    await eventually(() => arbiter.log.includes("nobody waits"));
    arbiter.call(APP, "array");
    await arbiter.expect("response");
  });

  test("a child process does not inherit the socket", async () => {
    await booted();
    arbiter.call(APP, "childHas", [3]);
    assert.equal(await arbiter.expect("response"), false);
  });
});

describe("payloads of JSON", LIMIT, () => {
  const JSON_KIND = 2;
  const json = { capabilities: ["json"] };
  const call = (action, text, { app = APP, credit } = {}) =>
    arbiter.call(app, action, [], { credit, frame: { payloadKind: JSON_KIND, payload: Buffer.from(text) } });

  async function text(kind = "response") {
    const [found, { payload, failure }] = await arbiter.next();
    assert.equal(found, kind, failure?.message);
    return Buffer.from(payload).toString();
  }

  test("the answer has the kind of the request", async () => {
    await booted([APP], json);
    call("echo", '[1, 1.0, {"$bytes": "AP8="}]');
    assert.equal(await text(), '[1,1.0,{"$bytes":"AP8="}]');
    call("echo", '{"args": ["a"], "kwargs": {"b": 9007199254740993}}');
    assert.equal(await text(), '["a",{"b":9007199254740993}]');
    call("echo", " ");
    assert.equal(await text(), "[]");
    arbiter.call(APP, "echo", [1]);
    assert.deepEqual(await arbiter.expect("response"), [1]);
  });

  test("version 1 looks at no kind", async () => {
    await booted([APP], { protocolVersion: 1, ...json });
    arbiter.call(APP, "array", [], { frame: { payloadKind: JSON_KIND } });
    assert.deepEqual(await arbiter.expect("response"), [1, 2]);
  });

  test("an app may ask for plain numbers", async () => {
    await booted(["worker:Plain"], json);
    call("is", "[1.0]", { app: "worker:Plain" });
    assert.equal(await text(), '[true,"number"]');
  });

  test("malformed requests are refused, and say why", async () => {
    await booted([APP], json);
    for (const [malformed, message] of [
      ["[", /not JSON: unexpected the end/],
      ["1", /positional arguments are a list/],
      ['{"arg": []}', /"arg" is not a key of a request/],
      ["[9223372036854775808]", /does not fit into 64 bits/],
      [`${"[".repeat(34)}${"]".repeat(34)}`, /nested deeper than 32/],
      ["[".repeat(100_000), /nests deeper/],
    ]) {
      assert.match((await failure(call("echo", malformed), "INVALID_REQUEST")).message, message);
    }
    const raw = { payloadKind: JSON_KIND, payload: Buffer.from([0x22, 0xff, 0x22]) };
    await failure(arbiter.call(APP, "echo", [], { frame: raw }), "INVALID_REQUEST");
  });

  test("results that cannot be sent", async () => {
    await booted([APP], json);
    call("large", "[998]");
    assert.equal((await text()).length, 1000);
    assert.match((await failure(call("large", "[999]"), "MESSAGE_TOO_LARGE")).message, /more than 1000 bytes/);
    // Characters are counted first, then bytes.
    const wide = `["${"ü".repeat(600)}"]`;
    assert.match((await failure(call("echo", wide), "MESSAGE_TOO_LARGE")).message, /takes 1204 bytes/);
    const map = '{"kwargs": {"$bytes": "AP8="}}';
    assert.match((await failure(call("echo", map), "RESULT_NOT_SERIALIZABLE")).message, /another meaning/);
    await failure(call("numbers", "[3]"), "ACTION_STREAMS");
  });

  test("chunks are JSON", async () => {
    await booted([APP], json);
    const callId = call("numbers", "[2]", { credit: 5 });
    assert.equal(await text("chunk"), "0");
    assert.equal(await text("chunk"), "1");
    assert.deepEqual(await arbiter.expect("end"), { callId });
    const bad = call("bad", "", { credit: 5 });
    assert.equal(await text("chunk"), "1");
    assert.match((await failure(bad, "RESULT_NOT_SERIALIZABLE")).message, /chunk: symbol has no form/);
  });
});

describe("streams", LIMIT, () => {
  test("chunks stay within the credit", async () => {
    await booted();
    const callId = arbiter.call(APP, "numbers", [5], { credit: 2 });
    assert.equal(await arbiter.expect("chunk"), 0);
    assert.equal(await arbiter.expect("chunk"), 1);
    await eventually(() => arbiter.log.includes("after 1"));
    // If the next frame is a pong, no chunk came before it.
    arbiter.send("ping", { nonce: 1n });
    await arbiter.expect("pong");
    assert.ok(!arbiter.log.includes("after 2"));
    arbiter.send("credit", { callId, chunks: 10, bytes: 0n });
    for (const number of [2, 3, 4]) assert.equal(await arbiter.expect("chunk"), number);
    assert.deepEqual(await arbiter.expect("end"), { callId });
  });

  test("the result of an action that does not stream ends the call alone", async () => {
    await booted();
    arbiter.call(APP, "array", [], { credit: 1 });
    assert.deepEqual(await arbiter.expect("response"), [1, 2]);
  });

  test("one that fails to close after its end has ended", async () => {
    await booted();
    const callId = arbiter.call(APP, "unclosable", [], { credit: 1 });
    assert.deepEqual(await arbiter.expect("end"), { callId });
    arbiter.send("ping", { nonce: 1n });
    await arbiter.expect("pong");
  });

  test("cancel closes the generator, which finishes first", async () => {
    await booted();
    const path = join(scratch, "tidy");
    const callId = arbiter.call(APP, "tidy", [path], { credit: 5 });
    await arbiter.expect("chunk");
    arbiter.cancel(callId);
    await failure(callId, "CANCELLED");
    assert.equal(readFileSync(path, "utf8"), "tidy");
  });

  test("cancel ends a wait for credit", async () => {
    await booted();
    const callId = arbiter.call(APP, "numbers", [5], { credit: 1 });
    await arbiter.expect("chunk");
    arbiter.cancel(callId);
    await failure(callId, "CANCELLED");
  });
});

describe("cancel", LIMIT, () => {
  for (const [reason, name] of [
    ["CALLER_GONE", "AbortError"],
    ["DEADLINE", "AbortError"],
    ["TIMEOUT", "TimeoutError"],
  ]) {
    test(`the signal is aborted: ${reason}`, async () => {
      await booted();
      const patient = arbiter.call(APP, "patient");
      arbiter.cancel(patient, CancelReason[`CANCEL_REASON_${reason}`]);
      await failure(patient, "CANCELLED");
      const curious = arbiter.call(APP, "reason");
      arbiter.cancel(curious, CancelReason[`CANCEL_REASON_${reason}`]);
      assert.equal(await arbiter.expect("response"), name);
    });
  }

  test("the answer of an action that does not listen is sent all the same", async () => {
    await booted();
    const callId = arbiter.call(APP, "deaf", [50]);
    arbiter.cancel(callId);
    assert.equal(await arbiter.expect("response"), "done");
  });

  test("cancel of a call that has ended is ignored", async () => {
    await booted();
    arbiter.cancel(77n);
    arbiter.call(APP, "array");
    await arbiter.expect("response");
  });
});

describe("the end", LIMIT, () => {
  test("shutdown lets calls finish, closes the apps, and exits with 0", async () => {
    await booted([APP, "worker:Plain"]);
    arbiter.call(APP, "deaf", [50]);
    arbiter.send("shutdown", {});
    assert.equal(await arbiter.expect("response"), "done");
    assert.equal(await arbiter.exited, 0);
    assert.match(arbiter.log, /closed/);
  });

  test("SIGTERM does the same; SIGINT nothing", async () => {
    await booted(["worker:Plain"]);
    arbiter.child.kill("SIGINT");
    arbiter.call("worker:Plain", "is");
    await arbiter.expect("response");
    arbiter.child.kill("SIGTERM");
    assert.equal(await arbiter.exited, 0);
    assert.match(arbiter.log, /closed/);
  });

  test("without its arbiter a worker interrupts its calls, closes its apps, and is gone", async () => {
    await booted([APP, "worker:Plain"]);
    const path = join(scratch, "orphan");
    arbiter.call(APP, "tidy", [path], { credit: 5 });
    await arbiter.expect("chunk");
    assert.equal(await arbiter.end(), 0);
    assert.ok(existsSync(path));
    assert.match(arbiter.log, /the arbiter is gone(.|\n)*closed/);
  });

  test("a call that does not listen cannot hold a worker without its arbiter", async () => {
    await booted([APP]);
    arbiter.call(APP, "deaf", [3_600_000]);
    assert.equal(await arbiter.end(), 0);
  });

  for (const [name, message, size] of [
    ["a frame over the limit", Buffer.alloc(0), 2 ** 31],
    ["garbage", Buffer.from("\xff\xff\xff"), 6],
    ["an empty frame", Buffer.alloc(0), 0],
  ]) {
    test(`${name} ends the worker with 1`, async () => {
      await booted([]);
      arbiter.write(message, size);
      assert.equal(await arbiter.exited, 1);
      assert.match(arbiter.log, /failed to read from the arbiter/);
    });
  }

  for (const protocolVersion of [0, 3]) {
    test(`version ${protocolVersion} of the protocol ends the worker with 1`, async () => {
      await booted([], { protocolVersion });
      assert.equal(await arbiter.exited, 1);
      assert.match(arbiter.log, new RegExp(`the arbiter chose version ${protocolVersion} of the worker protocol`));
    });
  }
});

after(() => rmSync(scratch, { recursive: true }));
