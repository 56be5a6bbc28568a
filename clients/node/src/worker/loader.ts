/** The apps of this worker: import, construct, init and close them, and import them afresh after a failure. */

import { existsSync } from "node:fs";
import { createRequire, register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ActionNotFound } from "../app.js";
import { REGISTRY } from "../metrics/registry.js";
import type { Doubles } from "../values.js";
import { FRESH } from "./fresh.js";

type Action = (...args: unknown[]) => unknown;
type Instance = Record<string, unknown>;
type AppClass = (new () => Instance) & { workers?: unknown; doubles?: Doubles };

const EXTENSIONS = ["", ".js", ".mjs", ".cjs"];
const LIFE_CYCLE = new Set(["constructor", "init", "close", "preload"]);

/** An app that takes calls. */
export class App {
  constructor(
    readonly instance: Instance,
    readonly doubles: Doubles,
  ) {}

  /** Call an action. Keyword arguments, if there are any, are one object and come last. */
  call(name: string, args: readonly unknown[], kwargs: Record<string, unknown>): unknown {
    if (name.startsWith("_")) {
      throw new ActionNotFound(`the action "${name}" is private: its name starts with an underscore`);
    }
    const method = LIFE_CYCLE.has(name) || name in Object.prototype ? undefined : this.instance[name];
    if (typeof method !== "function") {
      throw new ActionNotFound(`${this.instance.constructor?.name ?? "the app"} has no action "${name}"`);
    }
    const named = Object.keys(kwargs).length ? [kwargs] : [];
    return (method as Action).call(this.instance, ...args, ...named);
  }
}

/** The apps by import path. */
export class Apps {
  readonly #ready = new Map<string, App>();
  #failures = 0;

  get(path: string): App | undefined {
    return this.#ready.get(path);
  }

  /** Return how doubles are decoded for an app. */
  doubles(path: string): Doubles {
    return this.#ready.get(path)?.doubles ?? "exact";
  }

  /** Import the app and return its static property `workers`. */
  async workers(path: string): Promise<number | undefined> {
    const { workers } = await this.#afreshAfterFailure(() => this.#class(path));
    if (workers === undefined || workers === null) return undefined;
    if (!Number.isInteger(workers) || Number(workers) < 0 || Number(workers) >= 2 ** 32) {
      throw new TypeError(`${path}: the property \`workers\` is ${String(workers)}; expected a number of workers`);
    }
    return Number(workers);
  }

  /** Import and construct the app, and call its init(). After a failed load, the next one imports afresh. */
  async load(path: string): Promise<void> {
    if (this.#ready.has(path)) return;
    const app = await this.#afreshAfterFailure(async () => {
      const AppClass = await this.#class(path);
      const instance = new AppClass();
      if (typeof instance["init"] === "function") await instance["init"]();
      return new App(instance, AppClass.doubles ?? "exact");
    });
    this.#ready.set(path, app);
  }

  /** Call close() of every app, in the reverse order of loading. Failures go to `failed`. */
  async close(failed: (path: string, error: unknown) => void): Promise<void> {
    for (const [path, { instance }] of [...this.#ready].reverse()) {
      try {
        if (typeof instance["close"] === "function") await instance["close"]();
      } catch (error) {
        failed(path, error);
      }
    }
    this.#ready.clear();
  }

  async #class(path: string): Promise<AppClass> {
    const found = await importPath(path, this.#failures);
    if (typeof found !== "function") throw new TypeError(`${path}: expected a class, found ${typeof found}`);
    return found as AppClass;
  }

  async #afreshAfterFailure<T>(load: () => Promise<T>): Promise<T> {
    const metrics = REGISTRY.names();
    try {
      return await load();
    } catch (error) {
      REGISTRY.forgetAllBut(metrics);
      if (this.#failures++ === 0) register("./fresh.js", import.meta.url);
      forgetCommonJs();
      throw error;
    }
  }
}

/**
 * Return what "module:export" names. The module is a file, with or without its
 * extension, relative to the working directory, or else a package. With an
 * `attempt` other than 0, files are imported afresh. An error says which part is
 * wrong.
 */
export async function importPath(path: string, attempt = 0): Promise<unknown> {
  const colon = path.lastIndexOf(":");
  const module = path.slice(0, Math.max(colon, 0));
  const names = path.slice(colon + 1).split(".");
  if (!module || names.includes("")) {
    throw new TypeError(`"${path}" is not an import path; expected module:Export, such as ./thumbs.js:Thumbs`);
  }
  const url = locate(module);
  if (attempt) url.searchParams.set(FRESH, String(attempt));
  let found: unknown = await import(url.href);
  for (const name of names) found = (found as Record<string, unknown> | undefined)?.[name];
  if (found === undefined) throw new ReferenceError(`${path}: the module has no export "${names.join(".")}"`);
  return found;
}

function locate(module: string): URL {
  const files = EXTENSIONS.map((extension) => resolve(module + extension));
  const file = files.find((name, index) => (index > 0 || /\.[cm]?js$/.test(name)) && existsSync(name));
  return pathToFileURL(file ?? createRequire(resolve("_")).resolve(module));
}

/** Drop the user's CommonJS files from the cache; installed packages stay. */
function forgetCommonJs(): void {
  const { cache } = createRequire(import.meta.url);
  for (const name of Object.keys(cache)) if (!name.includes("/node_modules/")) delete cache[name];
}
