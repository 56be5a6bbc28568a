#!/usr/bin/env node
/** `dirtyd-worker`: one worker process, which the arbiter starts. */

import { Socket } from "node:net";
import { Runtime } from "./worker/runtime.js";

const FD = "DIRTYD_WORKER_FD";

function inheritedSocket(): Socket {
  const number = process.env[FD] ?? "";
  delete process.env[FD];
  try {
    if (!/^\d+$/.test(number)) throw new Error("not a number");
    return new Socket({ fd: Number(number), readable: true, writable: true });
  } catch (error) {
    console.error(`dirtyd-worker: ${FD}="${number}" is not a socket (${error}); only dirtyd can start this program`);
    process.exit(1);
  }
}

const runtime = new Runtime(inheritedSocket());
// A promise for which nobody waits may reject when its call is cancelled. That is no reason to lose a loaded model.
process.on("unhandledRejection", (reason) => console.error("unhandled rejection:", reason));
// Ctrl-C at a terminal reaches the whole process group, but the arbiter decides when a worker ends.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => runtime.stop());
runtime.start();
