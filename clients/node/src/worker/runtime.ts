/** The life of a worker: what each frame asks for, and how the worker ends. */

import type { Socket } from "node:net";
import {
  CancelReason,
  type GetStacks,
  type ImportApp,
  type InitApp,
  type Request,
  type Welcome,
} from "../gen/dirty/worker/v1/worker.js";
import { VERSION } from "../version.js";
import { perform } from "./actions.js";
import { describe } from "./failures.js";
import { ENVELOPE, type Incoming, Link, ProtocolError } from "./link.js";
import { Apps, importPath } from "./loader.js";
import { Agreement, hello } from "./protocol.js";
import { Reporter } from "./reporting.js";
import { Running } from "./running.js";
import { stacksOf } from "./stacks.js";

/** The milliseconds that a worker has to clean up without an arbiter, and to exit once its apps are closed. */
const LINGER = 2000;

/** One worker. All its code runs on one thread; `threads` is the number of actions that may wait at a time. */
export class Runtime {
  readonly #link: Link;
  readonly #apps = new Apps();
  readonly #calls = new Map<bigint, Running>();
  #agreed = Agreement.lowest;
  #reporter: Reporter | undefined;
  #limit = 2 ** 31 - 1;
  /** Runs imports and init() calls one after another, in the order of their frames. */
  #loading = Promise.resolve();
  #stopping = false;
  #ending = false;
  #status = 0;

  constructor(socket: Socket) {
    this.#link = new Link(
      socket,
      (frame) => this.#dispatch(frame),
      (fault) => this.#onLost(fault),
    );
  }

  /** Introduce this worker to the arbiter. */
  start(): void {
    const runtime = `node ${process.versions.node} dirtyd ${VERSION}`;
    this.#link.send({ $case: "hello", value: hello(runtime) });
  }

  /** Finish the calls, then end. */
  stop(): void {
    this.#stopping = true;
    if (this.#calls.size === 0) void this.#end();
  }

  #dispatch(frame: Incoming): void {
    switch (frame.$case) {
      case "welcome":
        return this.#onWelcome(frame.value);
      case "importApp":
        return this.#afterLoading(() => this.#importApp(frame.value));
      case "initApp":
        return this.#afterLoading(() => this.#initApp(frame.value));
      case "request":
        return void this.#onRequest(frame.value);
      case "cancel":
        return this.#calls.get(frame.value.callId)?.cancel(frame.value.reason);
      case "credit":
        return this.#calls.get(frame.value.callId)?.credit?.add(frame.value.chunks, frame.value.bytes);
      case "ping":
        return this.#link.send({ $case: "pong", value: frame.value });
      case "getStacks":
        return this.#onGetStacks(frame.value);
      case "shutdown":
        return this.stop();
    }
  }

  #onWelcome(welcome: Welcome): void {
    const { maxMessageSize, workerInitHook, workerId, pool, threads } = welcome;
    this.#agreed = Agreement.of(welcome);
    if (maxMessageSize) this.#limit = Number(maxMessageSize);
    this.#link.limit = this.#limit + ENVELOPE;
    if (this.#agreed.hasMetrics) {
      this.#reporter = new Reporter(this.#link);
      this.#reporter.start();
    }
    if (!workerInitHook) return;
    this.#afterLoading(async () => {
      const hook = (await importPath(workerInitHook)) as (worker: object) => unknown;
      await hook({ id: Number(workerId), pid: process.pid, pool, threads });
    });
  }

  #onGetStacks({ nonce }: GetStacks): void {
    if (!this.#agreed.hasStacks) return;
    this.#link.send({ $case: "stacks", value: stacksOf(nonce, this.#calls.values(), this.#limit) });
  }

  #afterLoading(job: () => Promise<void>): void {
    this.#loading = this.#loading
      .then(job)
      .catch((error) => console.error("the hook dirty_worker_init failed:", error));
  }

  async #importApp({ app }: ImportApp): Promise<void> {
    try {
      this.#link.send({ $case: "appImported", value: { app, workers: await this.#apps.workers(app) } });
    } catch (error) {
      this.#link.send({ $case: "appFailed", value: { app, failure: describe(error), needsNewProcess: false } });
    }
  }

  async #initApp({ app }: InitApp): Promise<void> {
    try {
      await this.#apps.load(app);
      this.#link.send({ $case: "appReady", value: { app } });
    } catch (error) {
      this.#link.send({ $case: "appFailed", value: { app, failure: describe(error), needsNewProcess: false } });
    }
  }

  async #onRequest(request: Request): Promise<void> {
    const call = new Running(request, this.#link, this.#agreed);
    this.#calls.set(call.id, call);
    await perform(call, this.#apps, this.#limit);
    this.#calls.delete(call.id);
    if (this.#stopping && this.#calls.size === 0) void this.#end();
  }

  /** Interrupt what runs, because the socket is of no more use, and exit soon. */
  #onLost(fault?: Error): void {
    if (this.#ending) return;
    if (fault)
      console.error(fault instanceof ProtocolError ? `failed to read from the arbiter: ${fault.message}` : fault);
    else if (!this.#stopping) console.error("the arbiter is gone; this worker exits");
    this.#status = fault ? 1 : 0;
    exitWithin(LINGER, this.#status);
    for (const call of this.#calls.values()) call.cancel(CancelReason.CANCEL_REASON_TIMEOUT);
    // Calls that go on have half of the time; the other half is for close().
    if (this.#calls.size > 0) setTimeout(() => void this.#end(), LINGER / 2);
    this.stop();
  }

  async #end(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#apps.close((path, error) => console.error(`close() of the app ${path} failed:`, error));
    exitWithin(LINGER, this.#status);
    this.#reporter?.flush();
    await this.#link.flushed();
    process.exit(this.#status);
  }
}

function exitWithin(milliseconds: number, status: number): void {
  setTimeout(() => process.exit(status), milliseconds);
}
