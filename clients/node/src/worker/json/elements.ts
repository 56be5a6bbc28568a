/** The elements of tensors in JSON, by dtype. */

import type { DType } from "../../tensor.js";
import { fromHalf, toHalf } from "./half.js";
import { doubleText, special } from "./numbers.js";
import { integerOf, isInt, type Json, Numeral } from "./text.js";

/** How an element is read and written. */
export interface Element {
  /** Its bytes. */
  readonly size: number;
  /** Put a JSON value into the view. Returns false if it is no such element. */
  put(json: Json, view: DataView, at: number): boolean;
  /** Return the JSON of the element in the view. */
  text(view: DataView, at: number): string;
}

type Method = "Int8" | "Int16" | "Int32" | "Uint8" | "Uint16" | "Uint32" | "Float32" | "Float64";

function integer(method: Method, size: number, lowest: number, highest: number): Element {
  return {
    size,
    put(json, view, at) {
      if (typeof json !== "number" || !isInt(json) || json < lowest || json > highest) return false;
      view[`set${method}`](at, json, true);
      return true;
    },
    text: (view, at) => String(view[`get${method}`](at, true)),
  };
}

function wide(method: "BigInt64" | "BigUint64", wrap: (bits: number, integer: bigint) => bigint): Element {
  return {
    size: 8,
    put(json, view, at) {
      const integer = integerOf(json);
      if (integer === undefined || wrap(64, integer) !== integer) return false;
      view[`set${method}`](at, integer, true);
      return true;
    },
    text: (view, at) => String(view[`get${method}`](at, true)),
  };
}

function float(
  size: number,
  set: (view: DataView, at: number, number: number) => void,
  get: (view: DataView, at: number) => number,
): Element {
  return {
    size,
    put(json, view, at) {
      const marked = special(json);
      const number = marked ?? numberOf(json);
      if (number === undefined) return false;
      set(view, at, number);
      // A number may be too large for the type.
      return marked !== undefined || Number.isFinite(get(view, at));
    },
    text: (view, at) => doubleText(get(view, at)),
  };
}

function numberOf(json: Json): number | undefined {
  if (typeof json === "number") return json;
  return json instanceof Numeral ? Number(json.text) : undefined;
}

/** A complex number is a pair. */
function complex(part: Element): Element {
  return {
    size: 2 * part.size,
    put(json, view, at) {
      if (!Array.isArray(json) || json.length !== 2) return false;
      return json.every((number, index) => part.put(number, view, at + index * part.size));
    },
    text: (view, at) => `[${part.text(view, at)},${part.text(view, at + part.size)}]`,
  };
}

const BOOL: Element = {
  size: 1,
  put(json, view, at) {
    if (typeof json !== "boolean") return false;
    view.setUint8(at, Number(json));
    return true;
  },
  text: (view, at) => String(view.getUint8(at) !== 0),
};

const FLOAT32 = float(
  4,
  (view, at, number) => view.setFloat32(at, number, true),
  (view, at) => view.getFloat32(at, true),
);
const FLOAT64 = float(
  8,
  (view, at, number) => view.setFloat64(at, number, true),
  (view, at) => view.getFloat64(at, true),
);

const ELEMENTS: Record<DType, Element> = {
  bool: BOOL,
  int8: integer("Int8", 1, -(2 ** 7), 2 ** 7 - 1),
  int16: integer("Int16", 2, -(2 ** 15), 2 ** 15 - 1),
  int32: integer("Int32", 4, -(2 ** 31), 2 ** 31 - 1),
  int64: wide("BigInt64", BigInt.asIntN),
  uint8: integer("Uint8", 1, 0, 2 ** 8 - 1),
  uint16: integer("Uint16", 2, 0, 2 ** 16 - 1),
  uint32: integer("Uint32", 4, 0, 2 ** 32 - 1),
  uint64: wide("BigUint64", BigInt.asUintN),
  float16: float(
    2,
    (view, at, number) => view.setUint16(at, toHalf(number), true),
    (view, at) => fromHalf(view.getUint16(at, true)),
  ),
  float32: FLOAT32,
  float64: FLOAT64,
  complex64: complex(FLOAT32),
  complex128: complex(FLOAT64),
};

/** Return the element of a dtype, if there is such a dtype. */
export function elementOf(dtype: string): Element | undefined {
  return Object.hasOwn(ELEMENTS, dtype) ? ELEMENTS[dtype as DType] : undefined;
}
