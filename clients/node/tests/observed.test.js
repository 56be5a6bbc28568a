/** What an arbiter sees of a worker: metrics and stacks; and the trace that an action sees. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { StackKind } from "../dist/gen/dirty/v1/stack.js";
import { MetricKind } from "../dist/gen/dirty/worker/v1/worker.js";
import { Arbiter } from "./support/arbiter.js";
import { NODE_APPS } from "./support/daemon.js";

const APP = "observed:Observed";
const TRACED = "observed:Traced";
const LIMIT = { timeout: 60_000 };

const scratch = mkdtempSync(join(tmpdir(), "dirtyd-observed-"));
let arbiter;

afterEach(async () => {
  await arbiter?.end();
  arbiter = undefined;
});
after(() => rmSync(scratch, { recursive: true }));

async function booted(capabilities, app = APP, settings = {}, cwd = NODE_APPS) {
  arbiter = await Arbiter.booted(cwd, [app], { capabilities, ...settings });
}

async function call(action, args, options, app = APP) {
  arbiter.call(app, action, args, options);
  return arbiter.expect("response");
}

/** The series of the next frame, by the name of their metric. */
async function gained() {
  const { metrics } = await arbiter.expect("metrics");
  const series = (each) => each.series.map(({ labels, value }) => [Object.fromEntries(labels), value]);
  return Object.fromEntries(metrics.map((metric) => [metric.name, series(metric)]));
}

describe("metrics of a worker", LIMIT, () => {
  test("what a call counts is sent with its definition and labels", async () => {
    await booted(["metrics"]);
    await call("count", [5, { model: "small" }]);
    await call("count", [2, { model: "small" }]);
    await call("observe", [1.5]);
    const { metrics } = await arbiter.expect("metrics");
    const [tokens, latency] = metrics;
    assert.deepEqual(
      [tokens.name, tokens.kind, tokens.help, tokens.unit],
      ["tokens", MetricKind.METRIC_KIND_COUNTER, "Tokens generated", "tokens"],
    );
    assert.deepEqual(tokens.series, [{ labels: new Map([["model", "small"]]), value: 7, counts: [] }]);
    assert.deepEqual(
      [latency.bounds, latency.series[0].counts],
      [
        [1, 2],
        [0n, 1n, 0n],
      ],
    );
    await call("count", [1, { model: "large" }]);
    assert.deepEqual(await gained(), { tokens: [[{ model: "large" }, 1]] });
  });

  test("what is unsent comes before the exit, with what close() counts", async () => {
    await booted(["metrics"]);
    await call("count", [5, {}]);
    arbiter.send("shutdown", {});
    assert.deepEqual(await gained(), {
      tokens: [
        [{}, 5],
        [{ how: "close" }, 1],
      ],
    });
    assert.equal(await arbiter.exited, 0);
  });

  test("an app that is corrected may change its metrics", async () => {
    const app = (help, init) => {
      const source = `
        import { metrics } from ${JSON.stringify(join(import.meta.dirname, "../dist/index.js"))};
        const tokens = metrics.counter("tokens", "${help}");
        export class App { init() { ${init} } count() { tokens.inc(); } }`;
      writeFileSync(join(scratch, "app.mjs"), source);
    };
    app("Tokens", "throw new Error('no model')");
    arbiter = await Arbiter.booted(scratch, [], { capabilities: ["metrics"] });
    arbiter.send("initApp", { app: "app:App" });
    await arbiter.expect("appFailed");
    app("Tokens that were generated", "");
    arbiter.send("initApp", { app: "app:App" });
    await arbiter.expect("appReady");
    await call("count", [], {}, "app:App");
    assert.deepEqual(await gained(), { tokens: [[{}, 1]] });
  });
});

describe("stacks of a worker", LIMIT, () => {
  test("calls that run are tasks; the thread runs none of them", async () => {
    await booted(["stacks"], APP, { threads: 2, maxMessageSize: 10_000n });
    const id = arbiter.call(APP, "nap");
    arbiter.send("getStacks", { nonce: 7n });
    const { nonce, stacks } = await arbiter.expect("stacks");
    assert.equal(nonce, 7n);
    const [main, nap] = stacks;
    assert.deepEqual([main.name, main.kind, main.callId], ["main", StackKind.STACK_KIND_THREAD, 0n]);
    assert.deepEqual([nap.name, nap.kind, nap.callId], [`${APP} nap`, StackKind.STACK_KIND_TASK, id]);
    assert.match(nap.note, /runs for \d+\.\d{3} s/);
    arbiter.cancel(id);
    await arbiter.expect("error");
  });

  test("nobody is answered without the capability", async () => {
    await booted([]);
    arbiter.send("getStacks", { nonce: 7n });
    arbiter.send("ping", { nonce: 8n });
    assert.deepEqual(await arbiter.expect("pong"), { nonce: 8n });
  });
});

describe("the trace of a call", LIMIT, () => {
  const entries = (traceparent) => {
    const headers = { traceparent, tracestate: "vendor=x", baggage: "user=ann" };
    return Object.entries(headers).map(([key, value]) => ({ key, value: Buffer.from(value) }));
  };
  const SEEN = ["00-trace-span-01", "vendor=x", "user=ann"];
  const traced = { metadata: entries("00-trace-span-01") };
  const untraced = { metadata: [{ key: "color", value: Buffer.from("blue") }] };

  test("is the active context of an action and of each step of its stream, and of no other call", async () => {
    await booted([], TRACED);
    for (const [options, expected] of [
      [traced, SEEN],
      [untraced, null],
    ]) {
      for (const action of ["now", "later"]) assert.deepEqual(await call(action, [], options, TRACED), expected);
      for (const action of ["generator", "asyncGenerator"]) {
        arbiter.call(TRACED, action, [], { ...options, credit: 9 });
        assert.deepEqual([await arbiter.expect("chunk"), await arbiter.expect("chunk")], [expected, expected]);
        await arbiter.expect("end");
      }
    }
  });

  test("fails no call if OpenTelemetry fails, and hides no failure of the action", async () => {
    await booted([], TRACED);
    assert.equal(await call("now", [], { metadata: entries("broken") }, TRACED), null);
    assert.match(arbiter.log, /goes on without its trace.*a broken propagator/s);
    arbiter.call(TRACED, "fails", [], traced);
    assert.equal((await arbiter.expect("error")).failure.message, "of the action");
  });

  test("is not looked for where the API is not installed", async () => {
    writeFileSync(join(scratch, "plain.mjs"), "export class App { echo(value) { return value; } }");
    await booted([], "plain:App", {}, scratch);
    assert.equal(await call("echo", ["on"], traced, "plain:App"), "on");
    assert.equal(arbiter.log, "");
  });
});
