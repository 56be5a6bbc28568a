package dev.dirtyd;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import com.google.protobuf.NullValue;
import dev.dirtyd.proto.v1.ListValue;
import dev.dirtyd.proto.v1.MapValue;
import dev.dirtyd.proto.v1.Value;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The values of the conformance cases, as Java's own and as messages. */
final class TaggedValue {
    private TaggedValue() {}

    static Object toObject(JsonObject tagged) {
        String tag = tagged.keySet().iterator().next();
        JsonElement value = tagged.get(tag);
        return switch (tag) {
            case "null" -> null;
            case "bool" -> value.getAsBoolean();
            case "int" -> Long.valueOf(value.getAsString());
            case "double" -> Double.valueOf(value.getAsString());
            case "string" -> value.getAsString();
            case "bytes" -> base64(value);
            case "string_repeat" -> string(value.getAsJsonObject());
            case "bytes_repeat" -> bytes(value.getAsJsonObject());
            case "list" -> {
                List<Object> items = new ArrayList<>();
                value.getAsJsonArray().forEach(item -> items.add(toObject(item.getAsJsonObject())));
                yield items;
            }
            case "map" -> {
                Map<String, Object> entries = new HashMap<>();
                value.getAsJsonObject().asMap().forEach((k, v) -> entries.put(k, toObject(v.getAsJsonObject())));
                yield entries;
            }
            case "tensor" -> {
                JsonObject tensor = value.getAsJsonObject();
                ByteBuffer data = ByteBuffer.wrap(base64(tensor.get("data")));
                yield new Tensor(tensor.get("dtype").getAsString(), shape(tensor), data);
            }
            default -> throw new IllegalArgumentException(tag);
        };
    }

    /** The inverse of {@link #toObject}. */
    static JsonObject fromObject(Object value) {
        JsonObject tagged = new JsonObject();
        if (value == null) {
            tagged.addProperty("null", true);
        } else if (value instanceof Boolean bool) {
            tagged.addProperty("bool", bool);
        } else if (value instanceof Long number) {
            tagged.addProperty("int", number.toString());
        } else if (value instanceof Double number) {
            tagged.addProperty("double", number.toString());
        } else if (value instanceof String text) {
            tagged.addProperty("string", text);
        } else if (value instanceof byte[] bytes) {
            tagged.addProperty("bytes", base64(ByteBuffer.wrap(bytes)));
        } else if (value instanceof List<?> list) {
            JsonArray items = new JsonArray();
            list.forEach(item -> items.add(fromObject(item)));
            tagged.add("list", items);
        } else if (value instanceof Map<?, ?> map) {
            JsonObject entries = new JsonObject();
            map.forEach((key, item) -> entries.add((String) key, fromObject(item)));
            tagged.add("map", entries);
        } else if (value instanceof Tensor tensor) {
            JsonArray shape = new JsonArray();
            Arrays.stream(tensor.shape()).forEach(shape::add);
            JsonObject parts = new JsonObject();
            parts.addProperty("dtype", tensor.dtype());
            parts.add("shape", shape);
            parts.addProperty("data", base64(tensor.data()));
            tagged.add("tensor", parts);
        } else {
            throw new IllegalArgumentException(value.getClass() + " is no value");
        }
        return tagged;
    }

    static Value toMessage(JsonObject tagged) {
        String tag = tagged.keySet().iterator().next();
        JsonElement value = tagged.get(tag);
        Value.Builder into = Value.newBuilder();
        switch (tag) {
            case "null" -> into.setNullValue(NullValue.NULL_VALUE);
            case "bool" -> into.setBoolValue(value.getAsBoolean());
            case "int" -> into.setIntValue(Long.parseLong(value.getAsString()));
            case "double" -> into.setDoubleValue(Double.parseDouble(value.getAsString()));
            case "string" -> into.setStringValue(value.getAsString());
            case "bytes" -> into.setBytesValue(ByteString.copyFrom(base64(value)));
            case "string_repeat" -> into.setStringValue(string(value.getAsJsonObject()));
            case "bytes_repeat" -> into.setBytesValue(ByteString.copyFrom(bytes(value.getAsJsonObject())));
            case "list" -> {
                ListValue.Builder items = into.getListValueBuilder();
                value.getAsJsonArray().forEach(item -> items.addValues(toMessage(item.getAsJsonObject())));
            }
            case "map" -> {
                MapValue.Builder entries = into.getMapValueBuilder();
                value.getAsJsonObject()
                        .asMap()
                        .forEach((k, v) -> entries.putEntries(k, toMessage(v.getAsJsonObject())));
            }
            case "tensor" -> {
                JsonObject tensor = value.getAsJsonObject();
                var message = into.getTensorValueBuilder()
                        .setDtype(tensor.get("dtype").getAsString());
                Arrays.stream(shape(tensor)).forEach(message::addShape);
                message.setData(ByteString.copyFrom(base64(tensor.get("data"))));
            }
            default -> throw new IllegalArgumentException(tag);
        }
        return into.build();
    }

    /** Equal in value and type, down to the bits of doubles. */
    static boolean same(Object a, Object b) {
        if (a instanceof byte[] bytes) {
            return b instanceof byte[] others && Arrays.equals(bytes, others);
        }
        if (a instanceof List<?> items && b instanceof List<?> others) {
            return items.size() == others.size()
                    && java.util.stream.IntStream.range(0, items.size())
                            .allMatch(i -> same(items.get(i), others.get(i)));
        }
        if (a instanceof Map<?, ?> map && b instanceof Map<?, ?> other) {
            return map.keySet().equals(other.keySet())
                    && map.keySet().stream().allMatch(key -> same(map.get(key), other.get(key)));
        }
        return a == null ? b == null : a.equals(b);
    }

    private static byte[] base64(JsonElement text) {
        return Base64.getDecoder().decode(text.getAsString());
    }

    private static String base64(ByteBuffer bytes) {
        return StandardCharsets.ISO_8859_1
                .decode(Base64.getEncoder().encode(bytes))
                .toString();
    }

    private static String string(JsonObject repeated) {
        return repeated.get("text").getAsString().repeat(repeated.get("count").getAsInt());
    }

    private static byte[] bytes(JsonObject repeated) {
        byte[] bytes = new byte[repeated.get("count").getAsInt()];
        Arrays.fill(bytes, repeated.get("byte").getAsByte());
        return bytes;
    }

    private static long[] shape(JsonObject tensor) {
        return tensor.getAsJsonArray("shape").asList().stream()
                .mapToLong(JsonElement::getAsLong)
                .toArray();
    }
}
