/** JSON to values, in the form in which all values arrive. */

import type { Value } from "../../gen/dirty/v1/value.js";
import { NullValue } from "../../gen/google/protobuf/struct.js";
import { plainBytes } from "../../values.js";
import { special } from "./numbers.js";
import { readTensor } from "./tensors.js";
import { integerOf, isInt, type Json, Numeral, parse } from "./text.js";

type Kind = NonNullable<Value["kind"]>;

/** The arguments of a request. How deep they nest is for the decoder of values to check. */
export interface Arguments {
  readonly args: Value[];
  readonly kwargs: Map<string, Value>;
}

/** Return the arguments that a payload holds. Throws SyntaxError or TypeError if it is malformed. */
export function readArguments(payload: Uint8Array): Arguments {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  if (/^[ \t\n\r]*$/.test(text)) return { args: [], kwargs: new Map() };
  const json = parse(text);
  const parts: Map<string, Json> = json instanceof Map ? json : new Map([["args", json]]);
  for (const key of parts.keys()) {
    if (key !== "args" && key !== "kwargs") {
      throw new TypeError(`${JSON.stringify(key)} is not a key of a request; "args" and "kwargs" are`);
    }
  }
  const { args = [], kwargs = new Map<string, Json>() } = Object.fromEntries(parts);
  if (!Array.isArray(args)) throw new TypeError("positional arguments are a list");
  if (!(kwargs instanceof Map)) throw new TypeError("keyword arguments are an object");
  return { args: args.map(read), kwargs: readEntries(kwargs) };
}

function read(json: Json): Value {
  return { kind: kindOf(json) };
}

function readEntries(entries: ReadonlyMap<string, Json>): Map<string, Value> {
  return new Map(Array.from(entries, ([key, item]) => [key, read(item)]));
}

function kindOf(json: Json): Kind {
  if (json === null) return { $case: "nullValue", value: NullValue.NULL_VALUE };
  if (typeof json === "boolean") return { $case: "boolValue", value: json };
  if (typeof json === "string") return { $case: "stringValue", value: json };
  if (typeof json === "number") {
    return isInt(json) ? { $case: "intValue", value: BigInt(json) } : { $case: "doubleValue", value: json };
  }
  if (json instanceof Numeral) return kindOfNumeral(json);
  if (Array.isArray(json)) return { $case: "listValue", value: { values: json.map(read) } };
  return kindOfMarked(json) ?? { $case: "mapValue", value: { entries: readEntries(json) } };
}

function kindOfNumeral(numeral: Numeral): Kind {
  if (!numeral.isInteger) return { $case: "doubleValue", value: Number(numeral.text) };
  const value = integerOf(numeral);
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    throw new TypeError(`${numeral.text} does not fit into 64 bits; send it as text or as a double`);
  }
  return { $case: "intValue", value };
}

/** Return what JSON lacks: the value of an object with one key that says so. */
function kindOfMarked(entries: Map<string, Json>): Kind | undefined {
  const [first] = entries;
  if (!first || entries.size !== 1) return undefined;
  const [key, inner] = first;
  if (key === "$bytes") return { $case: "bytesValue", value: bytes(inner) };
  if (key === "$tensor") return { $case: "tensorValue", value: readTensor(inner) };
  const value = special(entries);
  return value === undefined ? undefined : { $case: "doubleValue", value };
}

function bytes(json: Json): Uint8Array {
  // Buffer.from leaves out what is no base64, so that only base64 comes back as it was.
  const data = typeof json === "string" ? Buffer.from(json, "base64") : undefined;
  if (data?.toString("base64") !== json) throw new TypeError("$bytes: its value is not base64");
  return plainBytes(data as Buffer);
}
