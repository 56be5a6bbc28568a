package stub

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.protobuf.ByteString
import com.google.protobuf.NullValue
import dev.dirtyd.proto.v1.ListValue
import dev.dirtyd.proto.v1.MapValue
import dev.dirtyd.proto.v1.Tensor
import dev.dirtyd.proto.v1.Value
import java.util.Base64

/** A tagged value of the cases as a message. */
fun toValue(tagged: JsonElement): Value {
    val (tag, inner) = tagged.asJsonObject.entrySet().single()
    val value = Value.newBuilder()
    when (tag) {
        "null" -> value.nullValue = NullValue.NULL_VALUE
        "bool" -> value.boolValue = inner.asBoolean
        "int" -> value.intValue = inner.asString.toLong()
        "double" -> value.doubleValue = inner.asString.toDouble()
        "string" -> value.stringValue = inner.asString
        "bytes" -> value.bytesValue = toBytes(inner)
        "list" -> value.setListValue(ListValue.newBuilder().addAllValues(inner.asJsonArray.map(::toValue)))
        "map" -> value.setMapValue(MapValue.newBuilder().putAllEntries(toValues(inner.asJsonObject)))
        "tensor" -> value.tensorValue = toTensor(inner.asJsonObject)
        "string_repeat" -> value.stringValue = inner["text"].asString.repeat(inner["count"].asInt)
        "bytes_repeat" -> {
            val byte = inner["byte"].asByte
            value.bytesValue = ByteString.copyFrom(ByteArray(inner["count"].asInt) { byte })
        }
        else -> error("no such tag: $tag")
    }
    return value.build()
}

fun toValues(tagged: JsonObject): Map<String, Value> = tagged.asMap().mapValues { (_, inner) -> toValue(inner) }

fun text(text: String): Value = Value.newBuilder().setStringValue(text).build()

private fun toTensor(tensor: JsonObject): Tensor =
    Tensor.newBuilder()
        .setDtype(tensor["dtype"].asString)
        .addAllShape(tensor["shape"].asJsonArray.map { it.asLong })
        .setData(toBytes(tensor["data"]))
        .build()

private fun toBytes(base64: JsonElement): ByteString = ByteString.copyFrom(Base64.getDecoder().decode(base64.asString))

private operator fun JsonElement.get(key: String): JsonElement = asJsonObject.get(key)
