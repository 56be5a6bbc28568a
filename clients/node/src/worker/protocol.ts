/**
 * What this worker speaks, and what it has agreed on with its arbiter: the
 * version and the capabilities. A feature that not every arbiter knows asks the
 * Agreement before it is used.
 */

import type { Hello, Welcome } from "../gen/dirty/worker/v1/worker.js";
import { ProtocolError } from "./link.js";

/** The versions of the protocol that this worker speaks, both included. */
const LOWEST = 1;
const LATEST = 2;
/** From this version on a Request names its app, its action and the kind of its payload. */
const NAMES_IN_FRAME = 2;
/** The capability to read and write payloads of JSON. */
const JSON_PAYLOADS = "json";
/** The capability to send Metrics. */
const METRICS = "metrics";
/** The capability to answer GetStacks. */
const STACKS = "stacks";
/** What this worker can do beyond its versions, by name. */
const CAPABILITIES: ReadonlySet<string> = new Set([JSON_PAYLOADS, METRICS, STACKS]);

/** What both sides speak from Welcome on. */
export class Agreement {
  /** What every arbiter speaks: the agreement until Welcome says more. */
  static readonly lowest = new Agreement(LOWEST, []);

  readonly #version: number;
  /** Holds no name that this worker does not know. */
  readonly #capabilities: ReadonlySet<string>;

  private constructor(version: number, capabilities: readonly string[]) {
    this.#version = version;
    this.#capabilities = new Set(capabilities.filter((name) => CAPABILITIES.has(name)));
  }

  /** Return what a Welcome settles. Throws ProtocolError if its version is none of this worker's. */
  static of({ protocolVersion: version, capabilities }: Welcome): Agreement {
    if (version < LOWEST || version > LATEST) {
      throw new ProtocolError(
        `the arbiter chose version ${version} of the worker protocol, this worker speaks ${LOWEST} to ${LATEST}; ` +
          "install the same version of dirtyd for both",
      );
    }
    return new Agreement(version, capabilities);
  }

  /** Whether a Request names its app, its action and the kind of its payload. */
  get namesInFrame(): boolean {
    return this.#version >= NAMES_IN_FRAME;
  }

  /** Whether a payload may be JSON. */
  get hasJson(): boolean {
    return this.#capabilities.has(JSON_PAYLOADS);
  }

  /** Whether the arbiter takes Metrics. */
  get hasMetrics(): boolean {
    return this.#capabilities.has(METRICS);
  }

  /** Whether the arbiter may ask for stacks. */
  get hasStacks(): boolean {
    return this.#capabilities.has(STACKS);
  }
}

/** Return the Hello of this worker. Node has no signal that prints its stack. */
export function hello(runtime: string): Hello {
  return {
    protocolVersion: LOWEST,
    latestProtocolVersion: LATEST,
    runtime,
    stackDumpSignal: 0,
    pid: 0,
    capabilities: [...CAPABILITIES].sort(),
  };
}
