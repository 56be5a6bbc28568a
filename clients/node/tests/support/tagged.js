/** Tagged values of tests/conformance/cases.json to what this client sends, and back to plain JSON for comparison. */

import { Double, Tensor } from "dirtyd";

const bytes = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
const base64 = (data) => Buffer.from(data).toString("base64");
const entries = (object, change) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, change(v)]));

const READ = {
  null: () => null,
  bool: (value) => value,
  int: (text) => BigInt(text),
  double: (text) => new Double(text),
  string: (value) => value,
  bytes,
  list: (items) => items.map(untag),
  map: (object) => entries(object, untag),
  tensor: ({ dtype, shape, data }) => new Tensor(dtype, shape, bytes(data)),
  string_repeat: ({ text, count }) => text.repeat(count),
  bytes_repeat: ({ byte, count }) => new Uint8Array(count).fill(byte),
};

/** Return what a tagged value stands for. */
export function untag(tagged) {
  const [[tag, value]] = Object.entries(tagged);
  return READ[tag](value);
}

const TAG = { boolean: "bool", string: "string" };

/** Return a tagged value in one form. Two values are the same if their forms are equal. */
export function canonical(value) {
  if (value instanceof Double) return { double: canonicalDouble(Number(value)) };
  if (value instanceof Tensor) return { tensor: { dtype: value.dtype, shape: value.shape, data: base64(value.data) } };
  if (value instanceof Uint8Array) return { bytes: base64(value) };
  if (Array.isArray(value)) return { list: value.map(canonical) };
  if (typeof value === "bigint") return { int: String(value) };
  if (typeof value === "number") {
    const isInt = Number.isSafeInteger(value) && !Object.is(value, -0);
    return isInt ? { int: String(value) } : { double: canonicalDouble(value) };
  }
  if (value === null) return { null: true };
  return typeof value === "object" ? { map: entries(value, canonical) } : { [TAG[typeof value]]: value };
}

const canonicalDouble = (number) => (Object.is(number, -0) ? "-0" : String(number));
