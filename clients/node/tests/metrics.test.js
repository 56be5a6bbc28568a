/** Metrics of apps as an app sees them, and what of them is due to be sent. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { metrics } from "dirtyd";
import { checked, declared } from "../dist/metrics/definition.js";
import { MAX_SERIES, REGISTRY, Registry } from "../dist/metrics/registry.js";

const EVERYTHING = 2 ** 30;
const COUNTER = checked({ kind: "counter", name: "things", help: "Things", unit: "", merge: undefined, bounds: [] });

/** What has changed since the last time. */
function gains() {
  return REGISTRY.take(EVERYTHING).map(({ definition, labels, value, counts }) => {
    return [definition.name, Object.fromEntries(labels), value, counts];
  });
}

/** Count one thing in a registry of the test's own. */
function count(registry, labels = {}, amount = 1) {
  const series = registry.series(registry.declare(COUNTER), labels);
  registry.update(series, series.total + amount, amount);
}

describe("metrics", () => {
  test("a counter tells what it has gained since the last time", () => {
    const counter = metrics.counter("gained", "Things");
    counter.inc();
    counter.inc(2.5, { color: "red" });
    counter.labels({ color: "red" }).inc();
    assert.deepEqual(gains(), [
      ["gained", {}, 1, []],
      ["gained", { color: "red" }, 3.5, []],
    ]);
    assert.deepEqual(gains(), []);
    counter.inc(4);
    assert.deepEqual(gains(), [["gained", {}, 4, []]]);
    assert.deepEqual(
      [counter.value(), counter.value({ color: "red" }), counter.value({ color: "green" })],
      [5, 3.5, 0],
    );
  });

  test("a gauge tells its value", () => {
    const gauge = metrics.gauge("level", "Level", { merge: "max" });
    gauge.set(7);
    gauge.inc(2);
    gauge.dec();
    assert.deepEqual(gains(), [["level", {}, 8, []]]);
  });

  test("a histogram counts a bound in its own bucket", () => {
    const histogram = metrics.histogram("step", "Step", { bounds: [1, 2] });
    for (const value of [0.5, 1, 1.5, 2, 2.5]) histogram.observe(value);
    assert.deepEqual(gains(), [["step", {}, 7.5, [2, 2, 1]]]);
    histogram.observe(1);
    assert.deepEqual(gains(), [["step", {}, 1, [1, 0, 0]]]);
  });

  test("labels are the same in any order and of any type", () => {
    const counter = metrics.counter("ordered");
    counter.inc(1, { a: 1, b: "x" });
    counter.inc(1, { b: "x", a: "1" });
    assert.deepEqual(gains(), [["ordered", { a: "1", b: "x" }, 2, []]]);
  });

  test("a metric declared twice in the same way is one metric", () => {
    metrics.counter("same", "Things").inc();
    metrics.counter("same", " Things\n").inc();
    assert.deepEqual(gains(), [["same", {}, 2, []]]);
  });

  test("a metric declared in another way is refused, and both are named", () => {
    metrics.gauge("twice", "Things", { unit: "bytes" });
    for (const again of [
      () => metrics.counter("twice", "Things", { unit: "bytes" }),
      () => metrics.gauge("twice", "Other things", { unit: "bytes" }),
      () => metrics.gauge("twice", "Things", { unit: "bytes", merge: "min" }),
    ]) {
      assert.throws(again, /\("twice".*there is gauge\("twice", "Things", { unit: "bytes", merge: "sum" }\)/);
    }
  });

  for (const [name, remedy] of [
    ["", /letters/],
    ["1st", /no digit first/],
    ["tokens-out", /letters/],
    ["tokens\n", /letters/],
    ["dirtyd_tokens", /dirtyd's own/],
    ["rpc_tokens", /dirtyd's own/],
    ["process_tokens", /dirtyd's own/],
    ["_tokens", /dirtyd's own/],
    ["tokens_total", /leave it out/],
    ["tokens_count", /leave it out/],
  ]) {
    test(`a bad name is refused with the remedy: ${JSON.stringify(name)}`, () => {
      assert.throws(() => metrics.counter(name), remedy);
    });
  }

  test("bad labels, bounds, units and ways to merge are refused", () => {
    const histogram = metrics.histogram("strict");
    assert.throws(() => histogram.observe(1, { le: "1" }), /rename it/);
    assert.throws(() => histogram.observe(1, { "a-b": "1" }), /a label of the histogram "strict" is "a-b"/);
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`label${at}`, "x"]));
    assert.throws(() => histogram.observe(1, many), /at most 16/);
    for (const bounds of [
      [1, 1],
      [2, 1],
      [Number.POSITIVE_INFINITY],
      [Number.NaN],
      Array.from({ length: 65 }, (_, at) => at),
    ]) {
      assert.throws(() => metrics.histogram("bounded", "", { bounds }), /bounds of the histogram "bounded"/);
    }
    assert.throws(() => metrics.counter("measured", "", { unit: "per cent" }), /such as "seconds"/);
    assert.throws(() => metrics.gauge("merged", "", { merge: "mean" }), /expected one of sum, max, min/);
  });

  test("a counter does not fall, and values are finite numbers", () => {
    const [counter, gauge, histogram] = [metrics.counter("up"), metrics.gauge("any"), metrics.histogram("range")];
    assert.throws(() => counter.inc(-1), /only grows; use a gauge/);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, "5"]) {
      for (const give of [() => counter.inc(value), () => gauge.set(value), () => histogram.observe(value)]) {
        assert.throws(give, /finite/);
      }
    }
    assert.deepEqual(gains(), []);
  });

  test("more series than allowed are dropped, counted and told once", (t) => {
    const told = t.mock.method(console, "error", () => {});
    const registry = new Registry();
    for (let number = 0; number < MAX_SERIES + 5; number++) count(registry, { number });
    assert.equal(registry.take(EVERYTHING).length, MAX_SERIES);
    assert.equal(registry.dropped, 5);
    assert.equal(told.mock.callCount(), 1);
    assert.match(told.mock.calls[0].arguments[0], /combinations of labels/);
  });

  test("what does not fit comes the next time", () => {
    const registry = new Registry();
    for (let number = 0; number < 100; number++) count(registry, { number });
    const parts = [];
    for (let part = registry.take(1000); part.length > 0; part = registry.take(1000)) parts.push(part);
    assert.ok(parts.length > 1);
    const numbers = parts.flat().map(({ labels }) => Number(labels[0][1]));
    assert.deepEqual(numbers, [...Array(100).keys()]);
  });

  test("who watches is woken once until nothing is left", () => {
    const registry = new Registry();
    let wakes = 0;
    count(registry);
    registry.watch(() => wakes++);
    count(registry);
    assert.equal(wakes, 1, "what was counted before counts, too");
    registry.take(EVERYTHING);
    assert.equal(wakes, 1);
    count(registry);
    count(registry, { color: "red" });
    assert.equal(wakes, 2);
    registry.take(1);
    assert.equal(wakes, 3, "something was left");
  });

  test("a module that is loaded afresh declares its metrics anew", () => {
    const registry = new Registry();
    const before = registry.names();
    count(registry);
    registry.forgetAllBut(before);
    const other = { ...COUNTER, help: "Other things" };
    assert.equal(declared(registry.declare(other)), declared(other));
    assert.equal(registry.take(EVERYTHING)[0].value, 1);
  });
});
