/** What was thrown as a Failure message: type, message, traceback, and what the app has chosen for its caller. */

import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { status } from "@grpc/grpc-js";
import type { Failure } from "../gen/dirty/worker/v1/worker.js";

const MAX_MESSAGE = 16 * 1024;
const MAX_TRACEBACK = 64 * 1024;
/** For all keys and values together; an entry that does not fit is left out. The arbiter passes on even less. */
const MAX_METADATA = 16 * 1024;

// Frames in these files belong to the runtime, not to the app.
const OWN = fileURLToPath(new URL(".", import.meta.url));

interface Choice {
  dirtyCode?: unknown;
  metadata?: unknown;
}

/** Return what was thrown as a Failure. Never throws, however odd that is. */
export function describe(thrown: unknown): Failure {
  const chosen: Choice = typeof thrown === "object" && thrown !== null ? thrown : {};
  const code = attempt(() => codeOf(chosen.dirtyCode), 0);
  return {
    exceptionType: attempt(() => typeName(thrown), "unknown"),
    message: attempt(() => messageOf(thrown), "<its message cannot be read>"),
    traceback: attempt(() => traceback(thrown), ""),
    code,
    metadata: code ? attempt(() => facts(chosen.metadata), new Map()) : new Map(),
  };
}

/** Return a Failure that does not come from something thrown. */
export function plain(message: string, exceptionType = ""): Failure {
  const cut = message.toWellFormed().slice(0, MAX_MESSAGE);
  return { exceptionType, message: cut, traceback: "", code: 0, metadata: new Map() };
}

/** Return the name of an error's type: its `name`, or that of its class if the class does not set `name`. */
export function typeName(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  return thrown.name === "Error" ? thrown.constructor.name : thrown.name;
}

function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : typeof thrown === "object" ? inspect(thrown) : String(thrown);
  return text.toWellFormed().slice(0, MAX_MESSAGE).toWellFormed();
}

/** Return the stack with those of its causes, without frames of the runtime. */
function traceback(thrown: unknown): string {
  const mine = (line: string) => /^\s+at /.test(line) && (line.includes(OWN) || line.includes("node:internal"));
  const text = inspect(thrown, { colors: false, depth: 3, maxStringLength: MAX_MESSAGE })
    .split("\n")
    .filter((line) => !mine(line))
    .join("\n")
    .toWellFormed();
  return text.length <= MAX_TRACEBACK ? text : `...\n${text.slice(-MAX_TRACEBACK)}`.toWellFormed();
}

/** Return the number of a gRPC code that is given by name or number; 0 if it is not an error code. */
function codeOf(chosen: unknown): number {
  const codes: Record<string, unknown> = status;
  const number = typeof chosen === "string" ? codes[chosen] : Number(chosen);
  return typeof number === "number" && number in status ? number : 0;
}

function facts(metadata: unknown): Map<string, string> {
  let room = MAX_METADATA;
  const entries = Object.entries(metadata ?? {})
    .map(([key, value]): [string, string] => [key.toWellFormed(), String(value).toWellFormed()])
    .filter(([key, value]) => {
      const fits = key.length + value.length <= room;
      if (fits) room -= key.length + value.length;
      return fits;
    });
  return new Map(entries);
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
