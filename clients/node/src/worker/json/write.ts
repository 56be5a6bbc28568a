/** Values to JSON on one line. */

import type { Value } from "../../gen/dirty/v1/value.js";
import { doubleText } from "./numbers.js";
import { Output } from "./output.js";
import { writeTensor } from "./tensors.js";

/** The keys that alone in an object stand for what JSON lacks. */
const MARKS = new Set(["$bytes", "$double", "$tensor"]);

/**
 * Return the JSON of a valid value. Throws TypeError for what has no form that
 * means the same, TooLong if it has more than `limit` characters.
 */
export function write(value: Value, limit: number): string {
  const output = new Output(limit);
  writeValue(value, output);
  return output.toString();
}

function writeValue({ kind }: Value, output: Output): void {
  switch (kind?.$case) {
    case "boolValue":
    case "intValue":
      return output.add(String(kind.value));
    case "doubleValue":
      return output.add(doubleText(kind.value));
    case "stringValue":
      return writeString(kind.value, output);
    case "bytesValue":
      return writeBytes(kind.value, output);
    case "listValue":
      return writeList(kind.value.values, output);
    case "mapValue":
      return writeMap(kind.value.entries, output);
    case "tensorValue":
      return writeTensor(kind.value, output);
    default:
      return output.add("null");
  }
}

function writeString(text: string, output: Output): void {
  output.reserve(text.length);
  output.add(JSON.stringify(text));
}

function writeBytes(bytes: Uint8Array, output: Output): void {
  output.reserve(bytes.length);
  output.add(`{"$bytes":"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")}"}`);
}

function writeList(values: readonly Value[], output: Output): void {
  output.add("[");
  values.forEach((value, index) => {
    if (index) output.add(",");
    writeValue(value, output);
  });
  output.add("]");
}

function writeMap(entries: ReadonlyMap<string, Value>, output: Output): void {
  const [first] = entries.keys();
  if (entries.size === 1 && first !== undefined && MARKS.has(first)) {
    throw new TypeError(`a map with the single key "${first}" has another meaning in JSON`);
  }
  let separator = "{";
  for (const [key, value] of entries) {
    output.add(separator);
    writeString(key, output);
    output.add(":");
    writeValue(value, output);
    separator = ",";
  }
  output.add(entries.size ? "}" : "{}");
}
