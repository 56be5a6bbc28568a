/** n-dimensional arrays of numbers in the form in which they travel: little-endian, in C order. */

// By this symbol a tensor of another copy of this package in the same process is recognised.
const BRAND = Symbol.for("dirtyd.Tensor");

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): TypedArray;
}

/** What `Tensor.toArray` returns and `Tensor.from` takes. */
export type TypedArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** numpy's names of the element types, each with the typed array that holds it and how many of its elements make one. */
const DTYPES = {
  bool: [Uint8Array, 1],
  int8: [Int8Array, 1],
  int16: [Int16Array, 1],
  int32: [Int32Array, 1],
  int64: [BigInt64Array, 1],
  uint8: [Uint8Array, 1],
  uint16: [Uint16Array, 1],
  uint32: [Uint32Array, 1],
  uint64: [BigUint64Array, 1],
  float16: [Uint16Array, 1],
  float32: [Float32Array, 1],
  float64: [Float64Array, 1],
  complex64: [Float32Array, 2],
  complex128: [Float64Array, 2],
} as const satisfies Record<string, readonly [ArrayType, number]>;

/** The type of one element, as numpy names it. */
export type DType = keyof typeof DTYPES;

const OF_ARRAY: Record<string, DType> = {
  Int8Array: "int8",
  Int16Array: "int16",
  Int32Array: "int32",
  BigInt64Array: "int64",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
  Uint16Array: "uint16",
  Uint32Array: "uint32",
  BigUint64Array: "uint64",
  Float16Array: "float16",
  Float32Array: "float32",
  Float64Array: "float64",
};

/** An n-dimensional array. `data` holds product(shape) elements of `dtype`. */
export class Tensor {
  /** Throws RangeError if the size of `data` does not match `dtype` and `shape`. */
  constructor(
    readonly dtype: DType,
    readonly shape: readonly number[],
    readonly data: Uint8Array,
  ) {
    if (!Object.hasOwn(DTYPES, dtype)) throw new RangeError(`malformed Tensor: unknown dtype "${dtype}"`);
    const [array, each] = DTYPES[dtype];
    const size = shape.reduce((product, length) => product * length, array.BYTES_PER_ELEMENT * each);
    if (shape.some((length) => !Number.isSafeInteger(length) || length < 0) || size !== data.length) {
      throw new RangeError(`malformed Tensor: ${data.length} bytes for shape [${shape}] of ${dtype}`);
    }
  }

  /** Return a tensor over the memory of a typed array. It has one dimension unless `shape` says otherwise. */
  static from(array: TypedArray, shape: readonly number[] = [array.length], dtype?: DType): Tensor {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    return new Tensor(dtype ?? dtypeOf(array) ?? "uint8", shape, bytes);
  }

  /**
   * Return the elements in one flat array, without a copy where alignment allows. A
   * bool is a byte, a float16 its 16 bits, a complex number two floats: the real
   * and the imaginary part.
   */
  toArray(): TypedArray {
    const [array] = DTYPES[this.dtype];
    const data = this.data.byteOffset % array.BYTES_PER_ELEMENT ? this.data.slice() : this.data;
    return new array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / array.BYTES_PER_ELEMENT);
  }

  get [BRAND](): true {
    return true;
  }
}

/** Return true for a Tensor of any copy of this package. */
export function isTensor(value: object): value is Tensor {
  return BRAND in value;
}

/** Return the dtype as which a typed array is sent; undefined for anything else. */
export function dtypeOf(array: object): DType | undefined {
  return OF_ARRAY[Object.prototype.toString.call(array).slice("[object ".length, -1)];
}
