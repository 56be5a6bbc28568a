// Tagged values of the cases, as messages of dirty.v1.

#pragma once

#include <nlohmann/json.hpp>

#include "dirty/v1/value.pb.h"

// A tagged value as a message.
dirty::v1::Value write(const nlohmann::json& tagged);

// Whether two messages are of the same kind and value; doubles are by their bits, NaN to any NaN.
bool same(const dirty::v1::Value& one, const dirty::v1::Value& other);
