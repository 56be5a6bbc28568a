package dirtyd

import (
	"fmt"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

// decodeAs decodes what the caller knows as label.
func decodeAs(label string, value *dirtyv1.Value) (any, error) {
	decoded, err := decode(value)
	if err != nil {
		return nil, err.within("%s", label)
	}
	return decoded, nil
}

func decode(value *dirtyv1.Value) (any, *ValueError) {
	switch kind := value.GetKind().(type) {
	case *dirtyv1.Value_NullValue:
		return nil, nil
	case *dirtyv1.Value_BoolValue:
		return kind.BoolValue, nil
	case *dirtyv1.Value_IntValue:
		return kind.IntValue, nil
	case *dirtyv1.Value_DoubleValue:
		return kind.DoubleValue, nil
	case *dirtyv1.Value_StringValue:
		return kind.StringValue, nil
	case *dirtyv1.Value_BytesValue:
		return kind.BytesValue, nil
	case *dirtyv1.Value_ListValue:
		return decodeList(kind.ListValue.GetValues())
	case *dirtyv1.Value_MapValue:
		return decodeMap(kind.MapValue.GetEntries())
	case *dirtyv1.Value_TensorValue:
		return decodeTensor(kind.TensorValue)
	}
	return nil, refuse("malformed value: it has no kind, or one that this client does not know")
}

func decodeList(values []*dirtyv1.Value) (any, *ValueError) {
	list := make([]any, len(values))
	for i, value := range values {
		var err *ValueError
		if list[i], err = decode(value); err != nil {
			return nil, err.within("[%d]", i)
		}
	}
	return list, nil
}

func decodeMap(entries map[string]*dirtyv1.Value) (any, *ValueError) {
	mapping := make(map[string]any, len(entries))
	for key, value := range entries {
		var err *ValueError
		if mapping[key], err = decode(value); err != nil {
			return nil, err.within("[%q]", key)
		}
	}
	return mapping, nil
}

// As gives a result the type that it must have: int64, float64, string, []byte,
// bool, []any, map[string]any or Tensor.
//
//	total, err := dirtyd.As[int64](client.Execute(ctx, app, "add", 3))
func As[T any](value any, err error) (T, error) {
	typed, ok := value.(T)
	if err == nil && !ok {
		err = &ValueError{"result", fmt.Sprintf("it is %T, not %T", value, typed)}
	}
	return typed, err
}
