/** Doubles in JSON: those that are not finite are `{"$double": ...}`. */

import type { Json } from "./text.js";

const SPECIAL: ReadonlyMap<Json, number> = new Map([
  ["NaN", Number.NaN],
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
]);

/** Return the double of `{"$double": ...}`; undefined for anything else. Throws TypeError for another name. */
export function special(json: Json): number | undefined {
  if (!(json instanceof Map) || json.size !== 1) return undefined;
  const name = json.get("$double");
  if (name === undefined) return undefined;
  const double = SPECIAL.get(name);
  if (double === undefined) throw new TypeError('$double: its value is not "NaN", "inf" or "-inf"');
  return double;
}

/** Return the JSON of a double; a finite one has a fraction or an exponent. */
export function doubleText(double: number): string {
  for (const [name, value] of SPECIAL) if (Object.is(value, double)) return `{"$double":"${name}"}`;
  const text = Object.is(double, -0) ? "-0" : String(double);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
