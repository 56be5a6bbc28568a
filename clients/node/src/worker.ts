#!/usr/bin/env node
/** `dirtyd-worker`: one worker process, started by the arbiter. */

import { Socket } from "node:net";
import { Runtime } from "./worker/runtime.js";

const FD = "DIRTYD_WORKER_FD";

function inheritedSocket(): Socket {
  const number = process.env[FD] ?? "";
  delete process.env[FD];
  try {
    if (!/^\d+$/.test(number)) throw new Error("it is no number");
    return new Socket({ fd: Number(number), readable: true, writable: true });
  } catch (error) {
    console.error(`dirtyd-worker: ${FD}="${number}" names no socket (${error}); dirtyd starts this program itself`);
    process.exit(1);
  }
}

const runtime = new Runtime(inheritedSocket());
// A promise that nobody waits for may well reject when its call is cancelled; that is no reason to lose a model.
process.on("unhandledRejection", (reason) => console.error("unhandled rejection:", reason));
// Ctrl-C at a terminal reaches the whole process group; when to end is the arbiter's to say.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => runtime.stop());
runtime.start();
