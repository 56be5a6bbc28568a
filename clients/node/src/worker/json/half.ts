/** IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction. Node 20 has no type for it. */

/** The smallest number that rounds to infinity: halfway from the largest half to the next. */
const OVERFLOW = 65520;
/** The exponent of the smallest normal half; what is below is a multiple of 2^-24. */
const SMALLEST_NORMAL = -14;

/** Return the number that the bits stand for. */
export function fromHalf(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Return the bits of the nearest half, of two that are as near the even one. */
export function toHalf(number: number): number {
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const size = Math.abs(number);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= OVERFLOW) return sign | 0x7c00;
  const exponent = size < 2 ** SMALLEST_NORMAL ? SMALLEST_NORMAL : exponentOf(size);
  // In units of the last place. A carry goes on into the exponent, whose bits are the next.
  const units = roundTiesEven(size * 2 ** (10 - exponent));
  return sign | (((exponent - SMALLEST_NORMAL) << 10) + units);
}

const VIEW = new DataView(new ArrayBuffer(8));

function exponentOf(normal: number): number {
  VIEW.setFloat64(0, normal);
  return (VIEW.getUint16(0) >> 4) - 1023;
}

function roundTiesEven(number: number): number {
  const floor = Math.floor(number);
  const rest = number - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
