/** A daemon with a page, and calls to it. DIRTYD_BIN and DIRTYD_TEST_PYTHON name what to run. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const ROOT = resolve(import.meta.dirname, "../..");
const { DIRTYD_BIN = join(ROOT, "target/debug/dirtyd"), DIRTYD_TEST_PYTHON = join(ROOT, ".venv/bin/python") } =
  process.env;
const LAB = join(ROOT, "tests/apps/lab.py");
const LIMIT = 20_000;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Asks again until the answer is something. `what` says what is waited for, or returns it. */
export async function until(what, ask) {
  for (const end = Date.now() + LIMIT; ; await pause(20)) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `not within ${LIMIT} ms: ${what.call ? what() : what}`);
  }
}

/** The body of an answer. */
async function body(asked) {
  const [response] = await once(asked, "response");
  const text = (await response.setEncoding("utf8").toArray()).join("");
  return { status: response.statusCode, headers: response.headers, text };
}

export class Daemon {
  #folder = mkdtempSync(join(tmpdir(), "dirtyd-page-"));
  #process;
  #agent = new Agent({ keepAlive: true });
  /** Where the page is. */
  url;
  token;

  /** Starts one. `observe` are further lines of its table, and `token` is what its page asks for. */
  static async start({ apps = ["lab:Lab"], workers = 2, keys = "", observe = "", token } = {}) {
    const daemon = new Daemon();
    const port = await freePort();
    daemon.url = `http://127.0.0.1:${port}/`;
    daemon.token = token;
    if (token) {
      writeFileSync(join(daemon.#folder, "token"), token, { mode: 0o600 });
      observe += `\ntoken_file = "token"`;
    }
    copyFileSync(LAB, join(daemon.#folder, "lab.py"));
    const file = join(daemon.#folder, "dirtyd.toml");
    const lines = [`workers = ${workers}`, `chdir = "."`, `runtime_dir = "."`, `graceful_timeout = "1s"`];
    const tables = apps.map((app) => `[[app]]\npath = "${app}"\n`).join("");
    writeFileSync(file, `${lines.join("\n")}\n${keys}\n${tables}[observe]\nlisten = "127.0.0.1:${port}"\n${observe}\n`);
    try {
      await daemon.run();
    } catch (error) {
      await daemon.remove();
      throw error;
    }
    return daemon;
  }

  /** Runs it, again if it has ended. */
  async run() {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("DIRTYD_"));
    const environment = { ...Object.fromEntries(own), DIRTYD_PYTHON: DIRTYD_TEST_PYTHON };
    this.#process = spawn(DIRTYD_BIN, ["serve", "--config", join(this.#folder, "dirtyd.toml")], {
      cwd: this.#folder,
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.log = "";
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    const log = () => `the daemon is ready; its log:\n${this.log}`;
    await until(log, async () => {
      assert.equal(this.#process.exitCode, null, log());
      return await this.fetch("readyz").then(
        ({ status }) => status === 200,
        () => false,
      );
    });
  }

  /** Asks what serves the page. */
  fetch(path, { method = "GET", headers = {} } = {}) {
    const auth = this.token ? { authorization: `Bearer ${this.token}` } : {};
    return body(request(new URL(path, this.url), { method, headers: { ...auth, ...headers } }).end());
  }

  /** Calls an action on the main socket. */
  async call(action, args = [], { app = "lab:Lab", headers = {} } = {}) {
    const path = `/v1/${encodeURIComponent(app)}/${encodeURIComponent(action)}`;
    const options = { socketPath: join(this.#folder, "dirtyd.sock"), agent: this.#agent, path, method: "POST" };
    const type = { "content-type": "application/json" };
    const { status, text } = await body(
      request({ ...options, headers: { ...type, ...headers } }).end(JSON.stringify(args)),
    );
    return { status, answer: JSON.parse(text) };
  }

  /** The metrics: for each name, its series with their labels. */
  async metrics() {
    const { status, text } = await this.fetch("metrics");
    assert.equal(status, 200, text);
    const series = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)/gm)].map(([, name, labels = "", value]) => {
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [label, value]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
    return (name) => series.filter((one) => one.name === name);
  }

  /** Ends it. Calls have a second. */
  async end() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGTERM");
      await once(this.#process, "exit");
    }
  }

  /** Ends it, and leaves nothing. Who waits for an answer gets none. */
  async remove() {
    await this.end();
    this.#agent.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
