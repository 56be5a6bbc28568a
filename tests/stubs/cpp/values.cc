#include "values.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

using dirty::v1::Value;
using google::protobuf::util::MessageDifferencer;
using nlohmann::json;

namespace {

std::string from_base64(const std::string& text) {
    static const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (char letter : text) {
        if (letter == '=') break;
        bits = bits << 6 | static_cast<std::uint32_t>(letters.find(letter));
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<char>(bits >> count & 0xff));
        }
    }
    return bytes;
}

std::string repeated(const json& inner) {
    std::string text;
    for (int i = 0; i < inner["count"]; i++) text += inner["text"].get_ref<const std::string&>();
    return text;
}

bool same_bits(double one, double other) {
    return std::isnan(one) ? std::isnan(other) : one == other && std::signbit(one) == std::signbit(other);
}

}  // namespace

Value write(const json& tagged) {
    const std::string& tag = tagged.begin().key();
    const json& inner = tagged.begin().value();
    Value value;
    if (tag == "null") {
        value.set_null_value(google::protobuf::NULL_VALUE);
    } else if (tag == "bool") {
        value.set_bool_value(inner);
    } else if (tag == "int") {
        value.set_int_value(std::stoll(inner.get<std::string>()));
    } else if (tag == "double") {
        // Not std::stod, which refuses the smallest doubles.
        value.set_double_value(std::strtod(inner.get<std::string>().c_str(), nullptr));
    } else if (tag == "string") {
        value.set_string_value(inner.get<std::string>());
    } else if (tag == "bytes") {
        value.set_bytes_value(from_base64(inner));
    } else if (tag == "list") {
        auto* list = value.mutable_list_value();
        for (const json& item : inner) *list->add_values() = write(item);
    } else if (tag == "map") {
        auto& entries = *value.mutable_map_value()->mutable_entries();
        for (const auto& [key, item] : inner.items()) entries[key] = write(item);
    } else if (tag == "tensor") {
        auto* tensor = value.mutable_tensor_value();
        tensor->set_dtype(inner["dtype"].get<std::string>());
        for (std::int64_t side : inner["shape"]) tensor->add_shape(side);
        tensor->set_data(from_base64(inner["data"]));
    } else if (tag == "string_repeat") {
        value.set_string_value(repeated(inner));
    } else if (tag == "bytes_repeat") {
        value.set_bytes_value(std::string(inner["count"].get<std::size_t>(), inner["byte"].get<char>()));
    } else {
        throw std::invalid_argument("unknown tag " + tag);
    }
    return value;
}

bool same(const Value& one, const Value& other) {
    if (one.kind_case() != other.kind_case()) return false;
    switch (one.kind_case()) {
        case Value::kDoubleValue:
            return same_bits(one.double_value(), other.double_value());
        case Value::kListValue:
            return std::equal(one.list_value().values().begin(), one.list_value().values().end(),
                              other.list_value().values().begin(), other.list_value().values().end(), same);
        case Value::kMapValue: {
            const auto& others = other.map_value().entries();
            const auto is_in_others = [&](const auto& entry) {
                const auto found = others.find(entry.first);
                return found != others.end() && same(entry.second, found->second);
            };
            const auto& entries = one.map_value().entries();
            return entries.size() == others.size() && std::all_of(entries.begin(), entries.end(), is_in_others);
        }
        default:
            return MessageDifferencer::Equals(one, other);
    }
}
