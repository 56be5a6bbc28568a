/** Values as JSON, in the worker: each row of the table in docs/worker-protocol.md, and what is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Double, double, Tensor } from "dirtyd";
import { decode, decodeMap, encode } from "../dist/values.js";
import { fromHalf, toHalf } from "../dist/worker/json/half.js";
import { TooLong } from "../dist/worker/json/output.js";
import { readArguments } from "../dist/worker/json/read.js";
import { write } from "../dist/worker/json/write.js";

const given = (text, doubles) => {
  const { args, kwargs } = readArguments(Buffer.from(text));
  return { args: args.map((value) => decode(value, doubles)), kwargs: decodeMap(kwargs, doubles) };
};
const read = (text, doubles) => given(`[${text}]`, doubles).args[0];
const written = (value, limit = 10_000) => write(encode(value), limit);
const nest = (levels, inner = "1") => "[".repeat(levels) + inner + "]".repeat(levels);

describe("what comes back as it left", () => {
  for (const [text, value] of [
    ["null", null],
    ["true", true],
    ["false", false],
    ["0", 0],
    ["-1", -1],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["9007199254740993", 2n ** 53n + 1n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["-9223372036854775808", -(2n ** 63n)],
    ["1.0", double(1)],
    ["0.0", double(0)],
    ["-0.0", -0],
    ["0.1", 0.1],
    ["5e-324", 5e-324],
    ["1e+300", 1e300],
    ["9007199254740992.0", 2 ** 53],
    ['{"$double":"NaN"}', NaN],
    ['{"$double":"inf"}', Infinity],
    ['{"$double":"-inf"}', -Infinity],
    ['""', ""],
    ['"ü \\u0000\\n\\"\\\\ 🦀"', 'ü \0\n"\\ 🦀'],
    ['{"$bytes":"AP8="}', new Uint8Array([0, 255])],
    ['{"$bytes":""}', new Uint8Array(0)],
    ["[]", []],
    ["[1,[2.0]]", [1, [double(2)]]],
    ["{}", {}],
    ['{"a":{"":null}}', { a: { "": null } }],
    ['{"__proto__":1,"constructor":2}', JSON.parse('{"__proto__": 1, "constructor": 2}')],
    ['{"$other":1}', { $other: 1 }],
    ['{"$bytes":"AP8=","a":1}', { $bytes: "AP8=", a: 1 }],
  ]) {
    test(text, () => {
      assert.deepEqual(read(text), value);
      assert.equal(written(value), text);
    });
  }
});

test("a number is what its form says", () => {
  for (const [text, value] of [
    ["-0", 0],
    ["1e0", double(1)],
    ["1E+2", double(100)],
    ["18446744073709551616.0", 2 ** 64],
    ["1e-999", double(0)],
  ]) {
    assert.deepEqual(read(text), value, text);
  }
  assert.equal(read("1.0", "number"), 1);
  assert.ok(read("1.0") instanceof Double);
});

test("white space, escapes, and equal keys", () => {
  assert.deepEqual(given(' \t\r\n[ 1 , { "a" : [ ] } ] '), { args: [1, { a: [] }], kwargs: {} });
  assert.equal(read('"\\ud83e\\udd80\\u00fc\\/\\\\"'), "🦀ü/\\");
  assert.equal(read('"\\\\\\""'), '\\"');
  assert.deepEqual(read('{"a":[1],"\\u0061":2}'), { a: 2 });
  assert.deepEqual(read('{"$bytes":1,"$bytes":"AA=="}'), new Uint8Array([0]));
});

test("arguments have three forms", () => {
  const none = { args: [], kwargs: {} };
  for (const text of ["", " \t\r\n", "[]", "{}", '{"args":[],"kwargs":{}}']) assert.deepEqual(given(text), none);
  assert.deepEqual(given('{"args":[1]}'), { args: [1], kwargs: {} });
  assert.deepEqual(given('{"kwargs":{"a":1.5}}'), { args: [], kwargs: { a: 1.5 } });
  // A keyword argument may have any name.
  assert.deepEqual(given('{"kwargs":{"$bytes":"AA=="}}').kwargs, { $bytes: "AA==" });
  assert.deepEqual(given('{"args":7,"args":[1]}').args, [1]);
});

describe("requests that are refused", () => {
  for (const [text, message] of [
    ["1", /positional arguments are a list/],
    ["null", /positional arguments are a list/],
    ['{"args":null}', /positional arguments are a list/],
    ['{"args":{}}', /positional arguments are a list/],
    ['{"kwargs":[]}', /keyword arguments are an object/],
    ['{"kwargs":null}', /keyword arguments are an object/],
    ['{"args":[],"more":1}', /"more" is not a key/],
    ['{"__proto__":[]}', /"__proto__" is not a key/],
    ['{"$bytes":""}', /"\$bytes" is not a key/],
    ["\ufeff[]", /unexpected/],
    ["\u00a0", /unexpected/],
    ["[", /unexpected the end at character 2/],
    ["[1", /unexpected the end/],
    ["[1,]", /unexpected "]" at character 4/],
    ["[1 2]", /unexpected "2"/],
    ["[] []", /unexpected "\["/],
    ["{", /unexpected the end/],
    ['{"args"}', /unexpected "}"/],
    ['{"args":[],}', /unexpected "}"/],
    ["{args:[]}", /unexpected "a"/],
    ["[01]", /unexpected "1"/],
    ["[.5]", /unexpected "\."/],
    ["[1.]", /unexpected "\."/],
    ["[+1]", /unexpected "\+"/],
    ["[-]", /unexpected "-"/],
    ["[1e]", /unexpected "e"/],
    ["[NaN]", /unexpected "N"/],
    ["[nul]", /unexpected "n"/],
    ["[nulll]", /unexpected "l"/],
    ["['a']", /unexpected "'"/],
    ['["a]', /unexpected the end/],
    ['["a\\"]', /unexpected the end/],
    ['["\\x"]', /./],
    ['["a\nb"]', /control character/],
  ]) {
    test(text, () => assert.throws(() => given(text), { message }));
  }

  test("text that is not UTF-8", () => {
    assert.throws(() => readArguments(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])), { name: "TypeError" });
  });
});

describe("values that are refused", () => {
  for (const [text, message] of [
    ["9223372036854775808", /9223372036854775808 does not fit into 64 bits/],
    ["-9223372036854775809", /does not fit into 64 bits/],
    ["1".repeat(1000), /does not fit into 64 bits/],
    ["1e999", /1e999 does not fit into a double/],
    ['"\\ud800"', /lone surrogate/],
    ['"\\udc00\\ud800"', /lone surrogate/],
    ['{"\\ud800":1}', /lone surrogate/],
    ['{"$bytes":"?"}', /not base64/],
    ['{"$bytes":"AP8"}', /not base64/],
    ['{"$bytes":"AP9="}', /not base64/],
    ['{"$bytes":"AP 8="}', /not base64/],
    ['{"$bytes":"-_8="}', /not base64/],
    ['{"$bytes":1}', /not base64/],
    ['{"$bytes":null}', /not base64/],
    ['{"$double":"1.5"}', /is not "NaN"/],
    ['{"$double":null}', /is not "NaN"/],
  ]) {
    test(text.slice(0, 40), () => assert.throws(() => read(text), { name: "TypeError", message }));
  }
});

test("values nest 32 levels deep, and tensors beside that", () => {
  read(nest(32));
  read(nest(32, '{"$bytes":""}'));
  read(nest(32, '{"$tensor":{"dtype":"bool","shape":[1,1],"values":[[true]]}}'));
  for (const inner of ["[]", "{}", '{"$other":1}']) assert.throws(() => read(nest(32, inner)), /deeper than 32/);
  assert.throws(() => read(nest(1_000_000)), /nests deeper/);
  const shape = Array(64).fill(1);
  const deepest = `{"$tensor":{"dtype":"complex64","shape":[${shape}],"values":${nest(64, '[1,{"$double":"inf"}]')}}}`;
  assert.deepEqual(given(`{"args":[${nest(32, deepest)}]}`).args.flat(32)[0].shape, shape);
});

describe("tensors", () => {
  const tensor = (dtype, shape, values) => `{"$tensor":{"dtype":"${dtype}","shape":[${shape}],"values":${values}}}`;
  const bytes = (array) => new Uint8Array(array.buffer);

  for (const [dtype, shape, values, data] of [
    ["bool", [2], "[true,false]", [1, 0]],
    ["int8", [2], "[-128,127]", [128, 127]],
    ["uint8", [2, 2], "[[0,1],[2,255]]", [0, 1, 2, 255]],
    ["int16", [1], "[-2]", [0xfe, 0xff]],
    ["uint16", [1], "[65535]", [0xff, 0xff]],
    ["int32", [], "-2147483648", [0, 0, 0, 0x80]],
    ["uint32", [1], "[4294967295]", [255, 255, 255, 255]],
    ["int64", [2], "[-9223372036854775808,9007199254740993]", bytes(new BigInt64Array([-(2n ** 63n), 2n ** 53n + 1n]))],
    ["uint64", [1], "[18446744073709551615]", Array(8).fill(255)],
    ["float16", [3], '[1.5,-0.0,{"$double":"inf"}]', [0x00, 0x3e, 0x00, 0x80, 0x00, 0x7c]],
    ["float32", [2, 1], '[[0.5],[{"$double":"-inf"}]]', bytes(new Float32Array([0.5, -Infinity]))],
    ["float64", [2], '[0.1,{"$double":"NaN"}]', bytes(new Float64Array([0.1, NaN]))],
    ["complex64", [2], "[[1.0,-2.0],[0.5,0.0]]", bytes(new Float32Array([1, -2, 0.5, 0]))],
    ["complex128", [], "[0.1,1e+300]", bytes(new Float64Array([0.1, 1e300]))],
    ["float32", [0, 3], "[]", []],
    ["float32", [2, 0, 3], "[[],[]]", []],
  ]) {
    test(`${dtype} [${shape}]`, () => {
      const value = new Tensor(dtype, shape, new Uint8Array(data));
      assert.deepEqual(read(tensor(dtype, shape, values)), value);
      assert.equal(written(value), tensor(dtype, shape, values));
    });
  }

  test("a float has the nearest value, an integer is one, too", () => {
    assert.deepEqual(read(tensor("float32", [2], "[0.1,1]")).toArray(), new Float32Array([0.1, 1]));
    assert.deepEqual(read(tensor("float64", [1], `[1${"0".repeat(30)}]`)).toArray(), new Float64Array([1e30]));
    assert.deepEqual(read(written(new Float32Array([0.1]))).toArray(), new Float32Array([0.1]));
    assert.deepEqual(read(tensor("uint8", [1], "[-0]")).toArray(), new Uint8Array([0]));
  });

  test("typed arrays are tensors", () => {
    assert.equal(written(new BigUint64Array([2n ** 64n - 1n])), tensor("uint64", [1], "[18446744073709551615]"));
    const part = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    assert.equal(written(Tensor.from(part)), tensor("uint8", [2], "[1,2]"));
  });

  for (const [inner, message] of [
    ["1", /`dtype` is missing/],
    ["{}", /`dtype` is missing/],
    ['{"dtype":"object","shape":[1],"values":[1]}', /`dtype` is missing or unknown/],
    ['{"dtype":"toString","shape":[],"values":1}', /`dtype` is missing or unknown/],
    ['{"dtype":"int8","values":[1]}', /`shape` is missing/],
    ['{"dtype":"int8","shape":[1]}', /`values` is missing/],
    ['{"dtype":"int8","shape":[-1],"values":[]}', /holds counts/],
    ['{"dtype":"int8","shape":[1.0],"values":[1]}', /holds counts/],
    ['{"dtype":"int8","shape":["1"],"values":[1]}', /holds counts/],
    ['{"dtype":"int8","shape":[2],"values":[1]}', /1 values where `shape` says 2/],
    ['{"dtype":"int8","shape":[1],"values":1}', /not nested like/],
    ['{"dtype":"int8","shape":[1],"values":[[1]]}', /not of dtype int8/],
    ['{"dtype":"int8","shape":[1],"values":[128]}', /not of dtype int8/],
    ['{"dtype":"uint8","shape":[1],"values":[-1]}', /not of dtype uint8/],
    ['{"dtype":"uint8","shape":[1],"values":[1.0]}', /not of dtype uint8/],
    ['{"dtype":"int64","shape":[1],"values":[9223372036854775808]}', /not of dtype int64/],
    ['{"dtype":"uint64","shape":[1],"values":[-1]}', /not of dtype uint64/],
    ['{"dtype":"uint64","shape":[1],"values":[18446744073709551616]}', /not of dtype uint64/],
    ['{"dtype":"bool","shape":[1],"values":[1]}', /not of dtype bool/],
    ['{"dtype":"float32","shape":[1],"values":[1e300]}', /not of dtype float32/],
    ['{"dtype":"float16","shape":[1],"values":[65520]}', /not of dtype float16/],
    ['{"dtype":"float64","shape":[1],"values":["1"]}', /not of dtype float64/],
    ['{"dtype":"float64","shape":[1],"values":[{"$double":"x"}]}', /\$double/],
    ['{"dtype":"complex64","shape":[1],"values":[1]}', /not of dtype complex64/],
    ['{"dtype":"complex64","shape":[],"values":[1,2,3]}', /not of dtype complex64/],
    [`{"dtype":"int8","shape":[${Array(65).fill(1)}],"values":1}`, /65 dimensions, the limit is 64/],
  ]) {
    test(`refused: ${inner}`, () => assert.throws(() => read(`{"$tensor":${inner}}`), { name: "TypeError", message }));
  }

  test("a shape that has no form as lists", () => {
    for (const shape of [[2 ** 40, 0], Array(65).fill(1)]) {
      const value = new Tensor("int8", shape, new Uint8Array(shape.includes(0) ? 0 : 1));
      assert.throws(() => written(value), { name: "TypeError", message: /has no form as lists/ });
    }
  });
});

test("a map that would be read as something else has no form", () => {
  for (const key of ["$bytes", "$double", "$tensor"]) {
    assert.throws(() => written([{ [key]: "x" }]), { name: "TypeError", message: /has another meaning/ });
  }
});

test("text is one line, and ends at its limit", () => {
  assert.equal(written("a\r\n\u2028"), '"a\\r\\n\u2028"');
  assert.equal(written("x".repeat(8), 10).length, 10);
  assert.throws(() => written("x".repeat(9), 10), TooLong);
  assert.throws(() => written(new Uint8Array(9), 10), TooLong);
  assert.throws(() => written(new Float64Array(100), 50), TooLong);
});

test("halves", () => {
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const number = fromHalf(bits);
    if (!Number.isNaN(number)) assert.equal(toHalf(number), bits, String(number));
  }
  assert.ok(Number.isNaN(fromHalf(toHalf(NaN))));
  assert.equal(toHalf(1 + 1 / 2048), 0x3c00);
  assert.equal(toHalf(1 + 3 / 2048), 0x3c02);
  assert.equal(toHalf(1.99999), 0x4000);
  assert.equal(toHalf(6.1034e-5), 0x0400);
  assert.equal(toHalf(65519.9), 0x7bff);
  assert.equal(toHalf(-65520), 0xfc00);
  assert.equal(toHalf(5e-324), 0);
});
