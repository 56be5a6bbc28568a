/** Tensors in JSON: dtype, shape, and lists that nest like the shape. */

import type { Tensor } from "../../gen/dirty/v1/value.js";
import { type Element, elementOf } from "./elements.js";
import type { Output } from "./output.js";
import { integerOf, type Json } from "./text.js";

/** The most dimensions that are read or written: as many as numpy has. */
const MAX_DIMENSIONS = 64;
/** The most empty lists that are written. Few bytes can state a shape with a great many of them. */
const MAX_EMPTY_LISTS = 2 ** 16;

/** Return the tensor that `{"dtype", "shape", "values"}` is. Throws TypeError if it is none. */
export function readTensor(json: Json): Tensor {
  const parts: Map<string, Json> = json instanceof Map ? json : new Map();
  const dtype = parts.get("dtype");
  const element = typeof dtype === "string" ? elementOf(dtype) : undefined;
  if (typeof dtype !== "string" || !element) throw malformed("`dtype` is missing or unknown");
  const shape = lengths(parts.get("shape"));
  const values: Json[] = [];
  flatten(parts.get("values"), shape, values);
  const data = new Uint8Array(values.length * element.size);
  const view = new DataView(data.buffer);
  values.forEach((value, index) => {
    if (!element.put(value, view, index * element.size)) throw malformed(`an element is not of dtype ${dtype}`);
  });
  return { dtype, shape: shape.map(BigInt), data };
}

function malformed(why: string): TypeError {
  return new TypeError(`$tensor: ${why}`);
}

function lengths(json: Json | undefined): number[] {
  if (!Array.isArray(json)) throw malformed("`shape` is missing");
  if (json.length > MAX_DIMENSIONS) {
    throw malformed(`\`shape\` has ${json.length} dimensions, the limit is ${MAX_DIMENSIONS}`);
  }
  return json.map((length) => {
    const count = Number(integerOf(length) ?? -1);
    if (count < 0) throw malformed("`shape` holds counts");
    return count;
  });
}

/** Add the elements in lists that nest like `shape`. */
function flatten(json: Json | undefined, [count, ...rest]: readonly number[], values: Json[]): void {
  if (json === undefined) throw malformed("`values` is missing");
  if (count === undefined) {
    values.push(json);
    return;
  }
  if (!Array.isArray(json)) throw malformed("`values` is not nested like `shape`");
  if (json.length !== count) throw malformed(`${json.length} values where \`shape\` says ${count}`);
  for (const item of json) flatten(item, rest, values);
}

/** Write a tensor that is well-formed. Throws TypeError if its shape has no form as lists. */
export function writeTensor({ dtype, shape, data }: Tensor, output: Output): void {
  const element = elementOf(dtype);
  const counts = shape.map(Number);
  const lists = product(counts.slice(0, counts.indexOf(0)));
  if (!element || counts.length > MAX_DIMENSIONS || (counts.includes(0) && lists > MAX_EMPTY_LISTS)) {
    throw new TypeError(`a tensor of shape [${shape}] has no form as lists in JSON`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  output.add(`{"$tensor":{"dtype":"${dtype}","shape":[${shape}],"values":`);
  writeNested(element, counts, view, 0, output);
  output.add("}}");
}

function product(counts: readonly number[]): number {
  return counts.reduce((product, count) => product * count, 1);
}

/** Write the part of the elements that begins at byte `at`. */
function writeNested(
  element: Element,
  [count, ...rest]: readonly number[],
  view: DataView,
  at: number,
  output: Output,
): void {
  if (count === undefined) {
    output.add(element.text(view, at));
    return;
  }
  const stride = product(rest) * element.size;
  output.add("[");
  for (let index = 0; index < count; index++) {
    if (index) output.add(",");
    writeNested(element, rest, view, at + index * stride, output);
  }
  output.add("]");
}
