package dirtyd

import (
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

// maxDepth keeps a message within the 100 levels that decoders of protobuf
// allow, of which a map in a map takes three.
const maxDepth = 32

var tensorType = reflect.TypeFor[Tensor]()

// ValueError says that something has no form as a value, or that a value that
// came is malformed.
type ValueError struct {
	// Path is the place of the fault, such as `args[0]["rows"][3]`.
	Path string
	// Problem is what is wrong there.
	Problem string
}

func (e *ValueError) Error() string { return fmt.Sprintf("dirtyd: %s: %s", e.Path, e.Problem) }

func refuse(format string, args ...any) *ValueError {
	return &ValueError{Problem: fmt.Sprintf(format, args...)}
}

// within adds a step on the way out of a container.
func (e *ValueError) within(format string, step any) *ValueError {
	e.Path = fmt.Sprintf(format, step) + e.Path
	return e
}

// encodeAs encodes what the caller knows as label.
func encodeAs(label string, value any) (*dirtyv1.Value, error) {
	encoded, err := encode(reflect.ValueOf(value), maxDepth)
	if err != nil {
		return nil, err.within("%s", label)
	}
	return encoded, nil
}

func encode(v reflect.Value, depth int) (*dirtyv1.Value, *ValueError) {
	switch v.Kind() {
	case reflect.Invalid:
		return &dirtyv1.Value{Kind: &dirtyv1.Value_NullValue{}}, nil
	case reflect.Bool:
		return &dirtyv1.Value{Kind: &dirtyv1.Value_BoolValue{BoolValue: v.Bool()}}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &dirtyv1.Value{Kind: &dirtyv1.Value_IntValue{IntValue: v.Int()}}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return nil, refuse("%d does not fit into 64 signed bits; convert it to string or float64", v.Uint())
		}
		return &dirtyv1.Value{Kind: &dirtyv1.Value_IntValue{IntValue: int64(v.Uint())}}, nil
	case reflect.Float32, reflect.Float64:
		return &dirtyv1.Value{Kind: &dirtyv1.Value_DoubleValue{DoubleValue: v.Float()}}, nil
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return nil, refuse("the string is not valid UTF-8; send []byte instead")
		}
		return &dirtyv1.Value{Kind: &dirtyv1.Value_StringValue{StringValue: v.String()}}, nil
	case reflect.Interface:
		return encode(v.Elem(), depth)
	case reflect.Struct:
		if v.Type() == tensorType {
			return encodeTensor(v.Interface().(Tensor))
		}
		return nil, refuse("struct %s has no form as a value; convert it to a map", v.Type())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return &dirtyv1.Value{Kind: &dirtyv1.Value_BytesValue{BytesValue: bytesOf(v)}}, nil
		}
		return encodeNested(v, depth, encodeList)
	case reflect.Map:
		return encodeNested(v, depth, encodeMap)
	case reflect.Pointer:
		return encodeNested(v.Elem(), depth, encode)
	}
	return nil, refuse("%s has no form as a value", v.Type())
}

// encodeNested goes one level down, and ends in a cycle.
func encodeNested(v reflect.Value, depth int, inner func(reflect.Value, int) (*dirtyv1.Value, *ValueError)) (*dirtyv1.Value, *ValueError) {
	if depth == 0 {
		return nil, refuse("nested deeper than %d levels, or in a cycle", maxDepth)
	}
	return inner(v, depth-1)
}

func encodeList(v reflect.Value, depth int) (*dirtyv1.Value, *ValueError) {
	values := make([]*dirtyv1.Value, v.Len())
	for i := range values {
		var err *ValueError
		if values[i], err = encode(v.Index(i), depth); err != nil {
			return nil, err.within("[%d]", i)
		}
	}
	return &dirtyv1.Value{Kind: &dirtyv1.Value_ListValue{ListValue: &dirtyv1.ListValue{Values: values}}}, nil
}

func bytesOf(v reflect.Value) []byte {
	if v.Kind() == reflect.Array && !v.CanAddr() {
		addressable := reflect.New(v.Type()).Elem()
		addressable.Set(v)
		v = addressable
	}
	return v.Bytes()
}

func encodeMap(v reflect.Value, depth int) (*dirtyv1.Value, *ValueError) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, refuse("the keys of a map must be strings, these are %s", v.Type().Key())
	}
	entries := make(map[string]*dirtyv1.Value, v.Len())
	for entry := v.MapRange(); entry.Next(); {
		key := entry.Key().String()
		value, err := encode(entry.Value(), depth)
		if err == nil && !utf8.ValidString(key) {
			err = refuse("the key is not valid UTF-8")
		}
		if err != nil {
			return nil, err.within("[%q]", key)
		}
		entries[key] = value
	}
	return &dirtyv1.Value{Kind: &dirtyv1.Value_MapValue{MapValue: &dirtyv1.MapValue{Entries: entries}}}, nil
}
