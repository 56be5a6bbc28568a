/** Requests and values of values.js to and from those of protobuf-es: `kind` is a pair, 64 bits are a bigint. */

const entries = (object, change) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, change(v)]));
const identity = (value) => value;

const WRITE = {
  nullValue: () => 0,
  intValue: BigInt,
  listValue: ({ values }) => ({ values: values.map(write) }),
  mapValue: (value) => ({ entries: entries(value.entries, write) }),
  tensorValue: ({ dtype, shape, data }) => ({ dtype, shape: shape.map(BigInt), data }),
};

function write(value) {
  const [[name, inner]] = Object.entries(value);
  return { kind: { case: name, value: (WRITE[name] ?? identity)(inner) } };
}

/** A request, with its values as values.js writes them. */
export const toMessage = ({ args, kwargs, ...rest }) => ({
  ...rest,
  args: args.map(write),
  kwargs: entries(kwargs, write),
});

const READ = {
  nullValue: () => "NULL_VALUE",
  intValue: String,
  bytesValue: (bytes) => Buffer.from(bytes),
  listValue: ({ values }) => ({ values: values.map(fromMessage) }),
  mapValue: (value) => ({ entries: entries(value.entries, fromMessage) }),
  tensorValue: ({ dtype, shape, data }) => ({ dtype, shape: shape.map(String), data: Buffer.from(data) }),
};

/** A value as values.js reads it. */
export function fromMessage({ kind }) {
  return { [kind.case]: (READ[kind.case] ?? identity)(kind.value) };
}
