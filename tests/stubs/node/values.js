/** Tagged values of the cases to and from dirty.v1.Value, as proto-loader shows it: 64 bits as text. */

const bytes = (base64) => Buffer.from(base64, "base64");
const entries = (object, change) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, change(v)]));
const tensor = ({ dtype, shape, data }) => ({ dtype, shape: shape.map(String), data: bytes(data) });

const WRITE = {
  null: () => ({ nullValue: "NULL_VALUE" }),
  bool: (boolValue) => ({ boolValue }),
  int: (intValue) => ({ intValue }),
  double: (text) => ({ doubleValue: Number(text) }),
  string: (stringValue) => ({ stringValue }),
  bytes: (base64) => ({ bytesValue: bytes(base64) }),
  list: (items) => ({ listValue: { values: items.map(toValue) } }),
  map: (object) => ({ mapValue: { entries: entries(object, toValue) } }),
  tensor: (value) => ({ tensorValue: tensor(value) }),
  string_repeat: ({ text, count }) => ({ stringValue: text.repeat(count) }),
  bytes_repeat: ({ byte, count }) => ({ bytesValue: Buffer.alloc(count, byte) }),
};

/** A tagged value as a message. */
export function toValue(tagged) {
  const [[tag, value]] = Object.entries(tagged);
  return WRITE[tag](value);
}

const READ = {
  nullValue: () => null,
  doubleValue: (number) => ({ double: Object.is(number, -0) ? "-0" : String(number) }),
  intValue: (text) => ({ int: text }),
  bytesValue: (data) => ({ bytes: data.toString("base64") }),
  listValue: ({ values }) => ({ list: values.map(canonical) }),
  mapValue: (value) => ({ map: entries(value.entries, canonical) }),
  tensorValue: ({ dtype, shape, data }) => ({ tensor: { dtype, shape, data: data.toString("base64") } }),
};

/** A form in which a received and an expected message are equal if and only if they are the same value. */
export function canonical(message) {
  const kind = message.kind ?? Object.keys(message)[0];
  return READ[kind]?.(message[kind]) ?? { [kind]: message[kind] };
}
