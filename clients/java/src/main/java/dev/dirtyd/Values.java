package dev.dirtyd;

import com.google.protobuf.ByteString;
import com.google.protobuf.NullValue;
import com.google.protobuf.UnsafeByteOperations;
import dev.dirtyd.proto.v1.ListValue;
import dev.dirtyd.proto.v1.MapValue;
import dev.dirtyd.proto.v1.Value;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;

/**
 * Java objects to {@code dirty.v1.Value} and back, without loss. What has no form is refused with the place of the
 * fault: {@code args[0]["rows"][3]: java.util.Date has no form as a Value}.
 */
final class Values {
    /** Every decoder stops at 100 nested messages, and a map in a map takes three. */
    private static final int MAX_DEPTH = 32;

    private static final Value NULL =
            Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();

    private Values() {}

    /** Carries a refusal up through the containers; each puts its step before the path. */
    private static final class Unfit extends RuntimeException {
        private final StringBuilder path = new StringBuilder();

        Unfit(String reason) {
            super(reason, null, false, false);
        }

        Unfit at(String step) {
            path.insert(0, step);
            return this;
        }
    }

    /** The Value of an object; {@code label} begins the path in an error. */
    static Value encode(Object value, String label) {
        try {
            checkText(label);
            return encode(value, MAX_DEPTH);
        } catch (Unfit unfit) {
            throw new IllegalArgumentException(label + unfit.path + ": " + unfit.getMessage());
        }
    }

    private static Value encode(Object value, int depth) {
        if (value == null) {
            return NULL;
        }
        Value.Builder into = Value.newBuilder();
        if (value instanceof String text) {
            into.setStringValue(checkText(text));
        } else if (value instanceof Boolean truth) {
            into.setBoolValue(truth);
        } else if (value instanceof Number number) {
            encodeNumber(number, into);
        } else if (value instanceof byte[] bytes) {
            into.setBytesValue(ByteString.copyFrom(bytes));
        } else if (value instanceof Map<?, ?> map) {
            into.setMapValue(encodeMap(map, below(depth)));
        } else if (value instanceof List<?> items) {
            into.setListValue(encodeList(items, below(depth)));
        } else if (value instanceof Object[] items) {
            into.setListValue(encodeList(Arrays.asList(items), below(depth)));
        } else if (value instanceof Tensor tensor) {
            into.setTensorValue(encodeTensor(tensor));
        } else {
            throw new Unfit(value.getClass().getTypeName() + " has no form as a Value" + hint(value));
        }
        return into.build();
    }

    private static void encodeNumber(Number number, Value.Builder into) {
        if (number instanceof Long || number instanceof Integer || number instanceof Short || number instanceof Byte) {
            into.setIntValue(number.longValue());
        } else if (number instanceof Double || number instanceof Float) {
            into.setDoubleValue(number.doubleValue());
        } else if (number instanceof BigInteger big && big.bitLength() < Long.SIZE) {
            into.setIntValue(big.longValue());
        } else if (number instanceof BigInteger) {
            throw new Unfit("the integer does not fit in 64 bits; convert it to String or double");
        } else {
            throw new Unfit(number.getClass().getTypeName() + " has no form as a Value; convert it");
        }
    }

    private static ListValue encodeList(List<?> items, int depth) {
        ListValue.Builder list = ListValue.newBuilder();
        for (Object item : items) {
            try {
                list.addValues(encode(item, depth));
            } catch (Unfit unfit) {
                throw unfit.at("[" + list.getValuesCount() + "]");
            }
        }
        return list.build();
    }

    private static MapValue encodeMap(Map<?, ?> map, int depth) {
        MapValue.Builder entries = MapValue.newBuilder();
        for (Entry<?, ?> entry : map.entrySet()) {
            if (!(entry.getKey() instanceof String key)) {
                throw new Unfit("the key " + entry.getKey() + " is no String");
            }
            try {
                entries.putEntries(checkText(key), encode(entry.getValue(), depth));
            } catch (Unfit unfit) {
                throw unfit.at("[\"" + key + "\"]");
            }
        }
        return entries.build();
    }

    private static dev.dirtyd.proto.v1.Tensor encodeTensor(Tensor tensor) {
        dev.dirtyd.proto.v1.Tensor.Builder into =
                dev.dirtyd.proto.v1.Tensor.newBuilder().setDtype(tensor.dtype());
        for (long length : tensor.shape()) {
            into.addShape(length);
        }
        return into.setData(UnsafeByteOperations.unsafeWrap(tensor.data())).build();
    }

    private static int below(int depth) {
        if (depth == 0) {
            throw new Unfit("nested deeper than " + MAX_DEPTH + " levels");
        }
        return depth - 1;
    }

    /** Protobuf would replace a lone surrogate by a question mark. */
    private static String checkText(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (i + 1 == text.length() || !Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
                    throw new Unfit("the String holds lone surrogates; send byte[] instead");
                }
                i++;
            }
        }
        return text;
    }

    private static String hint(Object value) {
        return value.getClass().isArray() ? "; send Tensor.of(it)" : "; convert it to String, List or Map";
    }

    /**
     * What a Value holds.
     *
     * @throws IllegalArgumentException if it is malformed
     */
    static Object decode(Value value) {
        return switch (value.getKindCase()) {
            case NULL_VALUE -> null;
            case BOOL_VALUE -> value.getBoolValue();
            case INT_VALUE -> value.getIntValue();
            case DOUBLE_VALUE -> value.getDoubleValue();
            case STRING_VALUE -> value.getStringValue();
            case BYTES_VALUE -> value.getBytesValue().toByteArray();
            case LIST_VALUE -> decodeList(value.getListValue());
            case MAP_VALUE -> decodeMap(value.getMapValue());
            case TENSOR_VALUE -> decodeTensor(value.getTensorValue());
            case KIND_NOT_SET -> throw new IllegalArgumentException("malformed Value: no kind is set");
        };
    }

    private static List<Object> decodeList(ListValue list) {
        List<Object> items = new ArrayList<>(list.getValuesCount());
        for (Value item : list.getValuesList()) {
            items.add(decode(item));
        }
        return items;
    }

    private static Map<String, Object> decodeMap(MapValue map) {
        Map<String, Object> entries = new HashMap<>();
        for (Entry<String, Value> entry : map.getEntriesMap().entrySet()) {
            entries.put(entry.getKey(), decode(entry.getValue()));
        }
        return entries;
    }

    private static Tensor decodeTensor(dev.dirtyd.proto.v1.Tensor tensor) {
        long[] shape = new long[tensor.getShapeCount()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = tensor.getShape(i);
        }
        return new Tensor(tensor.getDtype(), shape, tensor.getData().asReadOnlyByteBuffer());
    }
}
