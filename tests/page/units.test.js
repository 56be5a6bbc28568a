/** The parts of the page that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { linearTicks, logarithmicTicks } from "../../src/console/page/assets/chart.js";
import { readEvents } from "../../src/console/page/assets/feed.js";
import { bytes, duration, number, tick, words } from "../../src/console/page/assets/format.js";
import { History, OTHER } from "../../src/console/page/assets/history.js";

const spaced = (text) => text.replaceAll("\u00a0", " ");

test("durations, sizes and numbers are short", () => {
  for (const [ms, text] of [
    [null, "–"],
    [0, "0 ms"],
    [0.26, "0.3 ms"],
    [12.4, "12 ms"],
    [999, "999 ms"],
    [3210, "3.2 s"],
    [59_940, "59.9 s"],
    [59_999, "60 s"],
    [60_000, "1 min"],
    [245_000, "4 min 5 s"],
    [7_260_000, "2 h 1 min"],
    [183_600_000, "2 d 3 h"],
  ]) {
    assert.equal(spaced(duration(ms)), text);
  }
  assert.deepEqual([0, 0.01234, 3.456789, 99.94, 123.4, 1e6].map(number), [
    "0",
    "0.0123",
    "3.46",
    "99.9",
    "123",
    "1,000,000",
  ]);
  assert.deepEqual([0.1, 10, 1000, 600_000].map(tick).map(spaced), ["0.1 ms", "10 ms", "1 s", "600 s"]);
  assert.deepEqual([0, 1023, 1024, 1.5 * 2 ** 30].map(bytes).map(spaced), ["0 B", "1,023 B", "1 KiB", "1.5 GiB"]);
  assert.equal(words("WORKER_DIED"), "Worker died");
});

test("the grid of a chart reaches over what it shows, with few lines", () => {
  for (const most of [0.001, 0.7, 1, 3, 7, 99, 100, 12_345]) {
    const ticks = linearTicks(most);
    assert.ok(ticks.at(-1) >= most && ticks.at(-1) <= most * 4, `${most}: ${ticks}`);
    assert.equal(ticks[0], 0);
  }
  for (const [least, most] of [
    [0.1, 0.1],
    [0.3, 2000],
    [1, 10],
    [0.001, 600_000],
  ]) {
    const ticks = logarithmicTicks(least, most);
    assert.ok(ticks[0] <= least && ticks.at(-1) >= most && ticks.length <= 6, `${least} to ${most}: ${ticks}`);
  }
});

const FIGURES = ["calls", "failed", "queued", "running", "queue_p50", "queue_p99", "run_p50", "run_p99"];
const columns = (...values) => Object.fromEntries(FIGURES.map((figure) => [figure, values]));

test("the history ends with the newest step, goes back as far as it should, and pads what came later", () => {
  const history = new History();
  const apps = [{ app: "a:A", ...columns(3) }];
  history.set({ span: 20, history: { moments: [10, 15], all: columns(1, 2), apps } });
  assert.deepEqual(history.of("a:A").calls, [null, 3]);
  const more = [
    { app: "a:A", ...columns(5, 6) },
    { app: "b:B", ...columns(8) },
  ];
  history.add({ moments: [25, 31], all: columns(4, 5), apps: more });
  assert.deepEqual(history.moments, [15, 25, 31]);
  assert.deepEqual(history.of("").calls, [2, 4, 5]);
  assert.deepEqual(history.of("a:A").run_p99, [3, 5, 6]);
  assert.deepEqual(history.of("b:B").calls, [null, null, 8]);
  for (const { calls } of [history.of(""), history.of("a:A"), history.of("b:B")]) {
    assert.equal(calls.length, history.moments.length);
  }
  assert.equal(history.of("c:C"), undefined, "there are no others");
  history.add({ moments: [32], all: columns(9), apps: [{ app: OTHER, ...columns(7) }] });
  assert.equal(history.of("c:C").calls.at(-1), 7);
  assert.deepEqual([history.isApart("c:C"), history.isApart("a:A"), history.isApart(OTHER)], [false, false, true]);
});

test("events are read whatever the pieces are in which they come", async () => {
  const text = ': the arbiter is busy\n\nevent: picture\ndata: {"a":"é€\\n"}\n\nevent: event\ndata: [1]\n\n';
  const all = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, all.length]) {
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
      all.slice(at * size, (at + 1) * size),
    );
    const [events, heard] = [[], { times: 0 }];
    await readEvents(
      ReadableStream.from(pieces),
      (name, object) => events.push([name, object]),
      () => (heard.times += 1),
    );
    assert.deepEqual(events, [
      ["picture", { a: "é€\n" }],
      ["event", [1]],
    ]);
    assert.ok(heard.times > 0);
  }
});
