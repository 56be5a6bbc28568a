/** Failures of a call that come from the runtime, not from the app. */

import { ErrorKind, type Failure } from "../gen/dirty/worker/v1/worker.js";
import { plain, typeName } from "./failures.js";

/** What ends a call with an error of the runtime. */
export class Refusal extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly failure: Failure,
  ) {
    super(failure.message);
  }
}

/** Return the refusal of a request. */
export function invalid(message: string): Refusal {
  return new Refusal(ErrorKind.ERROR_KIND_INVALID_REQUEST, plain(message));
}

/** Return the refusal that something thrown is the reason for. */
export function refusal(kind: ErrorKind, error: unknown): Refusal {
  return new Refusal(kind, plain(error instanceof Error ? error.message : String(error), typeName(error)));
}
