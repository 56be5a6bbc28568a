/**
 * A page in a browser calls through nginx with what protoc-gen-es generates and connect-web: it streams, and closing its
 * tab stops the generator in the worker. The daemon is at DIRTYD_SOCKET; CHROMIUM names the browser, NGINX the proxy.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { appears } from "./appears.js";

const { CHROMIUM = "/usr/bin/chromium", NGINX = "/usr/sbin/nginx", DIRTYD_SOCKET } = process.env;
const LIMIT = { timeout: 60_000 };

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Writes what nginx serves and how. */
async function write(directory, port) {
  mkdirSync(join(directory, "page"));
  writeFileSync(join(directory, "page/index.html"), '<script src="page.js"></script><p id="shown"></p>');
  await build({ entryPoints: [join(import.meta.dirname, "page.js")], bundle: true, outdir: join(directory, "page") });
  const conf = readFileSync(join(import.meta.dirname, "nginx.conf"), "utf8");
  writeFileSync(join(directory, "nginx.conf"), conf.replace("@SOCKET@", DIRTYD_SOCKET).replace("@PORT@", port));
}

/** Waits until nginx takes connections. */
async function listens(nginx, port) {
  for (const end = Date.now() + LIMIT.timeout; ; await pause(10)) {
    assert.equal(nginx.exitCode, null, "nginx has ended");
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").catch(() => undefined);
    socket.destroy();
    if (open) return;
    assert.ok(Date.now() < end, "nginx does not listen");
  }
}

async function check(browser, origin, protocol, closed) {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT.timeout);
  await page.goto(origin, { waitUntil: "load" });
  assert.equal(await page.evaluate(([protocol]) => window.echo(protocol, "Grüße"), [protocol]), "Grüße");

  const failed = await page.evaluate(([protocol]) => window.fail(protocol, "it says no"), [protocol]);
  assert.equal(failed.code, Code.Unknown);
  assert.match(failed.message, /it says no/);
  assert.ok(failed.details.includes("google.rpc.ErrorInfo"), `${failed.details}`);

  page.evaluate(([protocol, closed]) => window.watch(protocol, closed), [protocol, closed]).catch(() => {});
  await page.waitForFunction(() => document.getElementById("shown").textContent.startsWith("0 1 2 3 4 "));
  assert.ok(!existsSync(closed), "the stream goes on");
  await page.close();
  await appears(closed);
  console.log(`PASS ${protocol} in a browser: a call, an error, a stream, and a tab that is closed`);
}

const directory = mkdtempSync(join(tmpdir(), "dirtyd-browser-"));
const port = await freePort();
await write(directory, port);
const nginx = spawn(NGINX, ["-p", directory, "-c", "nginx.conf", "-e", "stderr"], { stdio: "inherit" });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"], ...LIMIT });
try {
  await listens(nginx, port);
  for (const protocol of ["connect", "gRPC-Web"]) {
    await check(browser, `http://127.0.0.1:${port}/`, protocol, join(directory, protocol));
  }
} finally {
  await browser.close();
  nginx.kill();
  if (nginx.exitCode === null) await once(nginx, "exit");
  rmSync(directory, { recursive: true });
}
