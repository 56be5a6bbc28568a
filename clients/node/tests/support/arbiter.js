/** A fake arbiter: one worker process, and the frames between. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ExecuteRequest, ExecuteResponse } from "../../dist/gen/dirty/v1/arbiter.js";
import {
  ArbiterFrame,
  CancelReason,
  ErrorKind,
  PayloadKind,
  WorkerFrame,
} from "../../dist/gen/dirty/worker/v1/worker.js";
import { decode, encode, plainBytes } from "../../dist/values.js";

export { CancelReason, ErrorKind };

const WORKER = join(import.meta.dirname, "../../dist/worker.js");

/** Starts a worker in the directory `cwd`; `received` are its frames as `[kind, message]`. */
export class Arbiter {
  log = "";
  #frames = [];
  #waiting = [];
  #bytes = Buffer.alloc(0);
  #calls = 0n;
  #version = 0;

  constructor(cwd) {
    this.child = spawn(process.execPath, [WORKER], {
      cwd,
      env: { ...process.env, DIRTYD_WORKER_FD: "3" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    for (const output of [this.child.stdout, this.child.stderr]) output.on("data", (data) => (this.log += data));
    this.exited = once(this.child, "exit").then(([status, signal]) => status ?? signal);
    this.socket = this.child.stdio[3];
    this.socket.on("data", (data) => this.#receive(data)).on("error", () => {});
  }

  /** Return a worker that was welcomed and has loaded `apps`. */
  static async booted(cwd, apps = [], welcome = {}) {
    const arbiter = new Arbiter(cwd);
    await arbiter.expect("hello");
    arbiter.welcome(welcome);
    for (const app of apps) {
      arbiter.send("initApp", { app });
      await arbiter.expect("appReady");
    }
    return arbiter;
  }

  welcome(settings) {
    const defaults = {
      protocolVersion: 2,
      workerId: 7n,
      threads: 1,
      maxMessageSize: 1000n,
      workerInitHook: "",
      busyWaitMicros: 100,
      pool: "p",
      capabilities: [],
    };
    const welcome = { ...defaults, ...settings };
    this.#version = welcome.protocolVersion;
    this.send("welcome", welcome);
  }

  send($case, value) {
    this.write(ArbiterFrame.encode({ kind: { $case, value } }).finish());
  }

  write(message, size = message.length) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(size);
    this.socket.write(Buffer.concat([head, message]));
  }

  /**
   * Start a call; a credit makes it a stream. Returns its id. `frame` is what
   * its Request says in place of what an arbiter would write.
   */
  call(app, action, args = [], { kwargs = {}, credit, metadata = [], frame = {} } = {}) {
    const callId = ++this.#calls;
    const names =
      this.#version < 2
        ? { app: "", action: "", payloadKind: PayloadKind.PAYLOAD_KIND_UNSPECIFIED }
        : { app, action, payloadKind: PayloadKind.PAYLOAD_KIND_EXECUTE_REQUEST };
    const named = Object.entries(kwargs).map(([key, value]) => [key, encode(value)]);
    const request = { app, action, args: args.map((value) => encode(value)), kwargs: new Map(named) };
    this.send("request", {
      callId,
      stream: credit !== undefined,
      timeoutMicros: 60_000_000n,
      credit: credit && { callId: 0n, chunks: credit, bytes: 1_000_000n },
      requestId: "r1",
      metadata,
      payload: ExecuteRequest.encode(request).finish(),
      ...names,
      ...frame,
    });
    return callId;
  }

  cancel(callId, reason = CancelReason.CANCEL_REASON_CALLER_GONE) {
    this.send("cancel", { callId, reason });
  }

  /** Return the next frame as `[kind, message]`. */
  next() {
    const frame = this.#frames.shift();
    return frame ? Promise.resolve(frame) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Return the next frame, which must be of this kind; of a frame with a payload, the decoded value. */
  async expect(expected) {
    const [kind, message] = await this.next();
    if (kind !== expected) throw new Error(`expected ${expected}, got ${kind} ${message.failure?.message}`);
    return message.payload ? decode(ExecuteResponse.decode(message.payload).result) : message;
  }

  /** End the worker and return its exit status. */
  async end() {
    this.socket.end();
    return this.exited;
  }

  #receive(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readUInt32BE()) {
      const end = 4 + this.#bytes.readUInt32BE();
      const { kind } = WorkerFrame.decode(plainBytes(this.#bytes.subarray(4, end)));
      this.#bytes = this.#bytes.subarray(end);
      const resolve = this.#waiting.shift();
      if (resolve) resolve([kind.$case, kind.value]);
      else this.#frames.push([kind.$case, kind.value]);
    }
  }
}
