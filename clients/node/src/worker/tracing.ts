/**
 * The caller's trace as the active context of OpenTelemetry, if `@opentelemetry/api`
 * is installed where the app is. It is loaded for the first call that has a
 * `traceparent`. Whatever goes wrong in it, the call goes on without a trace.
 */

import { createRequire } from "node:module";
import { join } from "node:path";

type Metadata = Readonly<Record<string, string | Uint8Array>>;

/** What is used of `@opentelemetry/api`. */
interface Api {
  readonly ROOT_CONTEXT: object;
  readonly context: { with<T>(context: object, run: () => T): T };
  readonly propagation: { extract(context: object, carrier: object): object };
}

/** `undefined` until it was looked for, `null` if it is missing. */
let loaded: Api | null | undefined;

/** Run a function in the trace that the metadata of a call names, if any. */
export function inTrace<T>(metadata: Metadata, run: () => T): T {
  if (!("traceparent" in metadata)) return run();
  let hasBegun = false;
  try {
    loaded ??= load(loaded);
    if (loaded) {
      const { context, propagation, ROOT_CONTEXT } = loaded;
      return context.with(propagation.extract(ROOT_CONTEXT, carrierOf(metadata)), () => {
        hasBegun = true;
        return run();
      });
    }
  } catch (error) {
    if (hasBegun) throw error;
    console.error("the call goes on without its trace, because OpenTelemetry failed:", error);
  }
  return run();
}

/** Return the API, null if there is none. One look is enough. */
function load(before: null | undefined): Api | null {
  if (before === null) return null;
  loaded = null;
  const require = createRequire(join(process.cwd(), "app.js"));
  try {
    return require("@opentelemetry/api") as Api;
  } catch (error) {
    if ((error as { code?: unknown }).code === "MODULE_NOT_FOUND") return null;
    throw error;
  }
}

function carrierOf(metadata: Metadata): Record<string, string> {
  const texts = Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts);
}
