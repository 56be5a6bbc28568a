/** Values: what travels, in which form, and what is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Double, double, Tensor } from "dirtyd";
import { Value } from "../dist/gen/dirty/v1/value.js";
import { decode, encode, plainBytes } from "../dist/values.js";

const travel = (value, doubles) => decode(Value.decode(Value.encode(encode(value)).finish()), doubles);
const kindOf = (value) => encode(value).kind.$case;

describe("what comes back as it left", () => {
  for (const value of [
    null,
    true,
    false,
    0,
    -1,
    Number.MAX_SAFE_INTEGER,
    2n ** 53n + 1n,
    -(2n ** 63n),
    2n ** 63n - 1n,
    0.1,
    -0,
    NaN,
    Infinity,
    -Infinity,
    1e300,
    double(1),
    double(0),
    "",
    "Grüße 🦀\0",
    "\ufeffwith a mark",
    new Uint8Array([0, 255]),
    [],
    [1, [null, "a"]],
    {},
    { a: { b: [1.5] } },
    JSON.parse('{"__proto__": 1, "constructor": 2}'),
    new Tensor("float32", [2, 1], new Uint8Array(8)),
    new Tensor("int64", [0, 4], new Uint8Array(0)),
  ]) {
    test(typeof value === "bigint" ? `${value}n` : `${value?.constructor?.name} ${JSON.stringify(value)}`, () => {
      assert.deepEqual(travel(value), value);
    });
  }
});

test("an integral number is an int, as a Double it is a double", () => {
  assert.equal(kindOf(1), "intValue");
  assert.equal(kindOf(5n), "intValue");
  assert.equal(travel(5n), 5);
  assert.equal(kindOf(new Double(1)), "doubleValue");
  assert.ok(travel(new Double(1)) instanceof Double);
  assert.equal(travel(new Double(1), "number"), 1);
  assert.equal(new Double(2) * 3, 6);
  assert.equal(JSON.stringify([double(1)]), "[1]");
  // Too large for a safe integer, so what the number stands for is a double.
  assert.equal(kindOf(2 ** 60), "doubleValue");
});

test("what has a near form takes it", () => {
  assert.equal(travel(undefined), null);
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested.
  assert.deepEqual(travel([undefined, , 1]), [null, null, 1]);
  assert.deepEqual(travel({ a: undefined, b: 1 }), { b: 1 });
  assert.deepEqual(travel(new Map([["a", 1]])), { a: 1 });
  assert.deepEqual(travel(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
  assert.deepEqual(travel(Buffer.from("ab")), new Uint8Array([97, 98]));
});

test("typed arrays are tensors", () => {
  for (const [array, dtype] of [
    [new Float64Array([1, 2]), "float64"],
    [new BigInt64Array([-1n]), "int64"],
    [new Int16Array([1, -1]), "int16"],
    [new Uint32Array(3), "uint32"],
  ]) {
    const back = travel(array);
    assert.deepEqual([back.dtype, back.shape], [dtype, [array.length]]);
    assert.deepEqual(back.toArray(), array);
  }
});

test("a tensor shows its elements, aligned or not", () => {
  const bytes = new Uint8Array(new Float32Array([0, 1.5, -2]).buffer);
  const shifted = new Uint8Array(13);
  shifted.set(bytes, 1);
  assert.deepEqual(new Tensor("float32", [3], shifted.subarray(1)).toArray(), new Float32Array([0, 1.5, -2]));
  assert.deepEqual(Tensor.from(new Float32Array(4), [2, 2]).shape, [2, 2]);
  assert.deepEqual(Tensor.from(new Float32Array([1, 2]), [1], "complex64").toArray(), new Float32Array([1, 2]));
});

for (const [name, make, message] of [
  [
    "a size that does not fit",
    () => new Tensor("float32", [2], new Uint8Array(4)),
    /4 bytes for shape \[2\] of float32/,
  ],
  ["a negative length", () => new Tensor("int8", [-1], new Uint8Array(0)), /malformed/],
  ["an unknown dtype", () => new Tensor("toString", [], new Uint8Array(0)), /unknown dtype/],
]) {
  test(`a tensor with ${name} is refused`, () => assert.throws(make, message));
}

const cycle = [];
cycle.push(cycle);

for (const [value, message] of [
  [
    { rows: [1, { at: new Date() }] },
    /^result\["rows"\]\[1\]\["at"\]: Date has no form as a Value; convert it with toISO/,
  ],
  [[new Set()], /^result\[0\]: Set has no form.*array/],
  [Promise.resolve(), /Promise has no form.*await/],
  [() => 1, /function has no form/],
  [Symbol("a"), /symbol has no form/],
  [new (class Own {})(), /Own has no form/],
  [2n ** 63n, /does not fit in 64 bits/],
  ["\ud800", /lone surrogates/],
  [{ "\ud800": 1 }, /key holds lone surrogates/],
  [new Map([[1, 2]]), /keys must be strings/],
  [cycle, /^result(\[0\])+: nested deeper than 32 levels/],
]) {
  test(`refused: ${message}`, () => assert.throws(() => encode(value, "result"), { name: "TypeError", message }));
}

test("32 levels are not too deep", () => {
  let value = 1;
  for (let level = 0; level < 32; level++) value = [value];
  assert.deepEqual(travel(value), value);
  assert.throws(() => encode([value]), /nested deeper/);
});

test("a Value of no kind is malformed", () => {
  assert.throws(() => decode({ kind: undefined }), /no kind/);
});

test("bytes inside a Buffer arrive as plain bytes", () => {
  const message = Buffer.from(Value.encode(encode(new Uint8Array([1]))).finish());
  assert.deepEqual(decode(Value.decode(plainBytes(message))), new Uint8Array([1]));
});
