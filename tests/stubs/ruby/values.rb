# Tagged values of the cases, as messages of dirty.v1.

require "dirty/v1/value_pb"

module Values
  include Dirty::V1

  # A tagged value as a message.
  def self.write(tagged)
    tag, inner = tagged.first
    case tag
    when "null" then Value.new(null_value: :NULL_VALUE)
    when "bool" then Value.new(bool_value: inner)
    when "int" then Value.new(int_value: Integer(inner))
    when "double" then Value.new(double_value: double(inner))
    when "string" then Value.new(string_value: inner)
    when "bytes" then Value.new(bytes_value: inner.unpack1("m"))
    when "list" then Value.new(list_value: ListValue.new(values: inner.map { |item| write(item) }))
    when "map" then Value.new(map_value: MapValue.new(entries: inner.transform_values { |item| write(item) }))
    when "tensor"
      data = inner["data"].unpack1("m")
      Value.new(tensor_value: Tensor.new(dtype: inner["dtype"], shape: inner["shape"], data: data))
    when "string_repeat" then Value.new(string_value: inner["text"] * inner["count"])
    when "bytes_repeat" then Value.new(bytes_value: [inner["byte"]].pack("C") * inner["count"])
    else raise ArgumentError, "unknown tag #{tag}"
    end
  end

  # Equal for messages of the same kind and value; doubles are by their bits, NaN to any NaN.
  def self.comparable(value)
    inner = value.public_send(value.kind)
    case value.kind
    when :double_value then [:double, inner.nan? ? "NaN" : [inner].pack("G")]
    when :list_value then [:list, inner.values.map { |item| comparable(item) }]
    when :map_value then [:map, inner.entries.keys.to_h { |key| [key, comparable(inner.entries[key])] }]
    when :tensor_value then [:tensor, inner.dtype, inner.shape.to_a, inner.data]
    else [value.kind, inner]
    end
  end

  def self.double(text)
    named = { "NaN" => Float::NAN, "Infinity" => Float::INFINITY, "-Infinity" => -Float::INFINITY }
    named.fetch(text) { Float(text) }
  end
  private_class_method :double
end
