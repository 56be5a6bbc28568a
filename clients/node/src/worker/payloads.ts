/** The payloads of a call: what its request holds, and its results. */

import { ExecuteRequest, ExecuteResponse } from "../gen/dirty/v1/arbiter.js";
import type { Value } from "../gen/dirty/v1/value.js";
import { ErrorKind, PayloadKind } from "../gen/dirty/worker/v1/worker.js";
import { decode, decodeMap, encode } from "../values.js";
import { plain } from "./failures.js";
import { TooLong } from "./json/output.js";
import { type Arguments, readArguments } from "./json/read.js";
import { write } from "./json/write.js";
import type { Apps } from "./loader.js";
import { invalid, Refusal, refusal } from "./refusal.js";
import type { Running } from "./running.js";

/** How the payloads of a call are encoded: as messages of dirty.v1, or as JSON. */
export type Form = "message" | "json";

/** What a request asks for. */
export interface Opened {
  app: string;
  action: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
}

/** Return the form of a call's payloads. Throws Refusal if this worker does not know their kind. */
export function formOf({ payloadKind, hasJson }: Running): Form {
  if (payloadKind === undefined || payloadKind === PayloadKind.PAYLOAD_KIND_EXECUTE_REQUEST) return "message";
  if (payloadKind === PayloadKind.PAYLOAD_KIND_JSON && hasJson) return "json";
  throw invalid(`the request has payload kind ${payloadKind}, which this worker does not know`);
}

/** Return the names and arguments of a request. Throws Refusal if it cannot be decoded. */
export function open(call: Running, form: Form, apps: Apps): Opened {
  try {
    const { names, values } = form === "json" ? openJson(call) : openMessage(call);
    const doubles = apps.doubles(names.app);
    const args = values.args.map((value) => decode(value, doubles));
    return { ...names, args, kwargs: decodeMap(values.kwargs, doubles) };
  } catch (error) {
    throw refusal(ErrorKind.ERROR_KIND_INVALID_REQUEST, error);
  }
}

interface Read {
  names: { app: string; action: string };
  values: Arguments;
}

function openMessage({ payload, payloadKind, public: { app, action } }: Running): Read {
  const request = ExecuteRequest.decode(payload);
  const names = payloadKind === undefined ? { app: request.app, action: request.action } : { app, action };
  return { names, values: request };
}

function openJson({ payload, public: { app, action } }: Running): Read {
  return { names: { app, action }, values: readArguments(payload) };
}

/** Return a result or a chunk, encoded. The two messages are the same on the wire. */
export function seal(form: Form, value: unknown, what: string, limit: number): Uint8Array {
  let payload: Uint8Array;
  try {
    const result = encode(value, what);
    payload = form === "json" ? text(result, limit) : ExecuteResponse.encode({ result }).finish();
  } catch (error) {
    if (error instanceof TooLong) throw tooLarge(what, `more than ${limit}`, limit);
    throw refusal(ErrorKind.ERROR_KIND_RESULT_NOT_SERIALIZABLE, error);
  }
  if (payload.length > limit) throw tooLarge(what, String(payload.length), limit);
  return payload;
}

function text(value: Value, limit: number): Uint8Array {
  return Buffer.from(write(value, limit));
}

function tooLarge(what: string, size: string, limit: number): Refusal {
  const message = `the ${what} takes ${size} bytes, max_message_size is ${limit}`;
  return new Refusal(ErrorKind.ERROR_KIND_MESSAGE_TOO_LARGE, plain(message));
}
