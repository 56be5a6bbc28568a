/** A real daemon for tests; DIRTYD_BIN names it. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DirtyClient, DirtyConnectionError, DirtyError } from "dirtyd";
import { eventually } from "./eventually.js";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** The command of a Node worker, as TOML. */
export const NODE_WORKER = JSON.stringify([process.execPath, resolve(HERE, "../../dist/worker.js")]);
/** Holds conformance.py. */
export const PYTHON_APPS = resolve(HERE, "../../../../tests/conformance");
/** Holds conformance.js. */
export const NODE_APPS = resolve(HERE, "../apps");

const PYTHON_PACKAGE = resolve(HERE, "../../../python/src");
const { DIRTYD_BIN, DIRTYD_TEST_PYTHON = "python3" } = process.env;

/**
 * Start `dirtyd serve` in a directory of its own, with this configuration or with
 * that of a file, and with further flags. Resolves once the daemon answers.
 */
export async function startDaemon(configuration, file = undefined, flags = []) {
  if (!DIRTYD_BIN) throw new Error("set DIRTYD_BIN to the daemon, such as ../../target/debug/dirtyd");
  const directory = await mkdtemp(join(tmpdir(), "dirtyd-node-"));
  const socket = join(directory, "d.sock");
  if (!file) await writeFile(join(directory, "dirtyd.toml"), configuration);
  const serve = ["serve", "--config", file ?? "dirtyd.toml", "--socket", socket, ...flags];
  const child = spawn(resolve(DIRTYD_BIN), serve, {
    cwd: directory,
    env: { ...process.env, DIRTYD_PYTHON: DIRTYD_TEST_PYTHON, PYTHONPATH: PYTHON_PACKAGE, XDG_RUNTIME_DIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const daemon = new Daemon(child, directory, socket);
  try {
    await daemon.answers();
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return daemon;
}

class Daemon {
  /** What the daemon has written so far. */
  log = "";

  constructor(child, directory, socket) {
    Object.assign(this, { child, directory, socket });
    for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (this.log += data));
    this.exited = once(child, "exit");
  }

  async answers() {
    const client = new DirtyClient({ socket: this.socket, timeoutMs: 60_000 });
    await eventually(async () => {
      if (this.child.exitCode !== null) throw new Error(`the daemon ended:\n${this.log}`);
      const error = await client.execute("no:Such", "x").catch((error) => error);
      if (!(error instanceof DirtyError)) throw error;
      return !(error instanceof DirtyConnectionError);
    });
    client.close();
  }

  /** Return the number of its connections, including the one that asks. */
  async connections() {
    const { stdout } = await run(resolve(DIRTYD_BIN), ["status", "--json", "--socket", this.socket]);
    return JSON.parse(stdout).arbiter.connections;
  }

  /** Send it a signal. */
  signal(name) {
    this.child.kill(name);
  }

  async stop() {
    this.child.kill("SIGTERM");
    const [status] = await this.exited;
    await rm(this.directory, { recursive: true });
    return status;
  }
}

/** Run `use` with a daemon, and then stop the daemon. */
export async function withDaemon(configuration, use) {
  const daemon = await startDaemon(configuration);
  try {
    return await use(daemon);
  } finally {
    await daemon.stop();
  }
}
