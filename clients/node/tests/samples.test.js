/** Each sample does what it says, with one daemon that serves their apps. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { startDaemon } from "./support/daemon.js";
import { eventually } from "./support/eventually.js";

const SAMPLES = join(import.meta.dirname, "../samples");
const LIMIT = { timeout: 120_000 };

let daemon;

before(async () => {
  daemon = await startDaemon(undefined, join(SAMPLES, "dirtyd.toml"));
}, LIMIT);

after(() => daemon?.stop(), LIMIT);

function sample(...argv) {
  const env = { ...process.env, DIRTYD_SOCKET: daemon.socket };
  return spawn(process.execPath, argv, { cwd: SAMPLES, env, stdio: ["ignore", "pipe", "inherit"] });
}

for (const [file, expected] of [
  ["basic.js", "total 3\ntotal 7\nrefused: INVALID_ARGUMENT -1\n"],
  ["stream.js", "to\nbe\nor\nnot\nto\nbe\nthat\nis\nthe\nquestion\n"],
  ["cancel.js", "0\n1\n2\ngenerators closed: 1\ngave up: DEADLINE_EXCEEDED\ngave up: TimeoutError\n"],
]) {
  test(`sample ${file}`, LIMIT, async () => {
    const child = sample(file);
    const output = (await child.stdout.toArray()).join("");
    assert.equal(output, expected);
  });
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

test("a browser sees tokens one by one, and closing its tab stops the generator within a second", LIMIT, async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  const server = sample("web/server.js");
  try {
    const [line] = await once(createInterface(server.stdout), "line");
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${line.split(" ").pop()}/`);
    // Events that come together are shown within the same millisecond or two; tokens are made 50 ms apart.
    const shown = await page.evaluate(() => {
      const turns = [];
      return new Promise((resolve) => {
        const target = document.getElementById("tokens");
        let last = -Infinity;
        new MutationObserver(() => {
          const now = performance.now();
          if (now - last > 20) turns.push(target.textContent.trim().split(" ").length);
          last = now;
          if (turns.length === 10) resolve(turns);
        }).observe(target, { childList: true });
      });
    });
    // A busy machine may show two tokens in one turn now and then.
    assert.ok(shown.at(-1) < 20, `the numbers of tokens seen, turn by turn, were ${shown}`);
    assert.ok(!daemon.log.includes("the generator ended"));
    await page.close();
    await eventually(() => daemon.log.includes("the generator ended"), 1000);
  } finally {
    await browser.close();
    server.kill();
    await once(server, "exit");
  }
});
