/**
 * JavaScript values to `dirty.v1.Value` and back, without loss; README.md has the
 * table. Anything else is refused with a TypeError that names the place:
 * `result["rows"][3]: Set has no form as a Value`.
 */

import type { Value } from "./gen/dirty/v1/value.js";
import { NullValue } from "./gen/google/protobuf/struct.js";
import { dtypeOf, isTensor, Tensor, type TypedArray } from "./tensor.js";

/** What can travel. A `number` that is a safe integer travels as an int, any other as a double. */
export type DirtyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Double
  | Tensor
  | TypedArray
  | readonly DirtyValue[]
  | ReadonlyMap<string, DirtyValue>
  | { readonly [key: string]: DirtyValue | undefined };

/** How a double with an integral value arrives: as `Double`, so that nothing is lost, or as a plain number. */
export type Doubles = "exact" | "number";

type Kind = NonNullable<Value["kind"]>;

// Decoders of protobuf stop at 100 nested messages, and a map in a map takes
// three of them. With this limit every side can read what any side can send.
const MAX_DEPTH = 32;
const BRAND = Symbol.for("dirtyd.Double");
const HINTS: Record<string, string> = {
  Date: "; convert it with toISOString()",
  Promise: "; await it",
  Set: "; convert it to an array",
  symbol: "; convert it to a string",
};

/** A number that travels as a double even if it is integral: `new Double(1)` is 1.0. */
export class Double extends Number {
  get [BRAND](): true {
    return true;
  }
}

/** Return `new Double(value)`. */
export function double(value: number): Double {
  return new Double(value);
}

class Unfit extends Error {
  readonly steps: string[] = [];
}

/** Return `value` encoded. The path in an error begins with `label`. Throws TypeError for what has no form. */
export function encode(value: unknown, label = "value"): Value {
  try {
    return { kind: kindOf(value, MAX_DEPTH) };
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    const path = error.steps.reverse().join("");
    const shown = path.length > 200 ? `${path.slice(0, 120)} ... ${path.slice(-60)}` : path;
    throw new TypeError(`${label}${shown}: ${error.message}`);
  }
}

function kindOf(value: unknown, depth: number): Kind {
  switch (typeof value) {
    case "undefined":
      return { $case: "nullValue", value: NullValue.NULL_VALUE };
    case "boolean":
      return { $case: "boolValue", value };
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { $case: "intValue", value: BigInt(value) }
        : { $case: "doubleValue", value };
    case "bigint":
      if (BigInt.asIntN(64, value) !== value)
        throw new Unfit("the bigint does not fit in 64 bits; convert it to a string");
      return { $case: "intValue", value };
    case "string":
      if (!value.isWellFormed()) throw new Unfit("the string holds lone surrogates; send bytes instead");
      return { $case: "stringValue", value };
    case "object":
      return value === null ? kindOf(undefined, depth) : kindOfObject(value, depth);
    default:
      throw unfit(typeof value);
  }
}

function kindOfObject(value: object, depth: number): Kind {
  if (Array.isArray(value)) return { $case: "listValue", value: { values: list(value, depth) } };
  if (BRAND in value) return { $case: "doubleValue", value: Number(value) };
  if (isTensor(value)) return tensor(value);
  if (value instanceof Uint8Array) return { $case: "bytesValue", value };
  if (dtypeOf(value)) return tensor(Tensor.from(value as TypedArray));
  if (value instanceof Map) return { $case: "mapValue", value: { entries: map(value, depth) } };
  if (isPlain(value)) return { $case: "mapValue", value: { entries: map(present(value), depth) } };
  throw unfit(value.constructor?.name ?? "object");
}

function unfit(name: string): Unfit {
  return new Unfit(`${name} has no form as a Value${HINTS[name] ?? ""}`);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** As in JSON, a property that is undefined is absent. */
function* present(value: object): Iterable<[string, unknown]> {
  for (const entry of Object.entries(value)) if (entry[1] !== undefined) yield entry;
}

function list(items: readonly unknown[], depth: number): Value[] {
  // Unlike map(), Array.from also visits holes.
  return Array.from(items, (item, index) => nested(item, depth, () => `[${index}]`));
}

function map(entries: Iterable<[unknown, unknown]>, depth: number): Map<string, Value> {
  const encoded = new Map<string, Value>();
  for (const [key, item] of entries) {
    if (typeof key !== "string") throw new Unfit(`keys must be strings, this one is of type ${typeof key}`);
    if (!key.isWellFormed()) throw new Unfit("a key holds lone surrogates");
    encoded.set(
      key,
      nested(item, depth, () => `[${JSON.stringify(key)}]`),
    );
  }
  return encoded;
}

function nested(item: unknown, depth: number, step: () => string): Value {
  try {
    if (depth === 0) throw new Unfit(`nested deeper than ${MAX_DEPTH} levels, or in a cycle`);
    return { kind: kindOf(item, depth - 1) };
  } catch (error) {
    if (error instanceof Unfit) error.steps.push(step());
    throw error;
  }
}

function tensor({ dtype, shape, data }: Tensor): Kind {
  return { $case: "tensorValue", value: { dtype, shape: shape.map(BigInt), data } };
}

/** Return what `value` holds. Throws TypeError or RangeError if it is malformed. */
export function decode(value: Value | undefined, doubles: Doubles = "exact", depth = MAX_DEPTH): unknown {
  const kind = value?.kind;
  if (depth === 0 && (kind?.$case === "listValue" || kind?.$case === "mapValue")) {
    throw new TypeError(`malformed Value: nested deeper than ${MAX_DEPTH} levels`);
  }
  switch (kind?.$case) {
    case undefined:
      throw new TypeError("malformed Value: no kind is set; use null_value for nothing");
    case "nullValue":
      return null;
    case "intValue": {
      const number = Number(kind.value);
      return Number.isSafeInteger(number) ? number : kind.value;
    }
    case "doubleValue": {
      // Only these would otherwise leave as ints.
      const integral = Number.isSafeInteger(kind.value) && !Object.is(kind.value, -0);
      return integral && doubles === "exact" ? new Double(kind.value) : kind.value;
    }
    case "listValue":
      return kind.value.values.map((item) => decode(item, doubles, depth - 1));
    case "mapValue":
      return decodeMap(kind.value.entries, doubles, depth - 1);
    case "tensorValue":
      return new Tensor(kind.value.dtype as Tensor["dtype"], kind.value.shape.map(Number), kind.value.data);
    default:
      return kind?.value;
  }
}

/** Return the entries of a map as an object. */
export function decodeMap(entries: Map<string, Value>, doubles?: Doubles, depth = MAX_DEPTH): Record<string, unknown> {
  // An assignment would not do, because a key may be "__proto__".
  return Object.fromEntries(Array.from(entries, ([key, item]) => [key, decode(item, doubles, depth)]));
}

/** Return a view of the same memory that is not a Buffer, so that bytes inside it are plain Uint8Arrays. */
export function plainBytes(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
