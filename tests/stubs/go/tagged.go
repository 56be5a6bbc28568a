package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	dirtyv1 "stub/gen/dirty/v1"
)

// tagged is a value as the cases write it: an object with the one key that
// names its kind.
type tagged struct {
	value      *dirtyv1.Value
	closedFile bool
}

func (t *tagged) UnmarshalJSON(content []byte) error {
	object, err := read[map[string]json.RawMessage](content)
	if err != nil {
		return err
	}
	for tag, content := range object {
		t.closedFile = tag == "closed_file"
		if t.value, err = untag(tag, content); err != nil {
			return fmt.Errorf("%s %s: %w", tag, content, err)
		}
	}
	return nil
}

func untag(tag string, content []byte) (*dirtyv1.Value, error) {
	switch tag {
	case "null", "closed_file":
		return &dirtyv1.Value{Kind: &dirtyv1.Value_NullValue{}}, nil
	case "bool":
		b, err := read[bool](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_BoolValue{BoolValue: b}}, err
	case "int":
		digits, err := read[string](content)
		n, wrong := strconv.ParseInt(digits, 10, 64)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_IntValue{IntValue: n}}, errors.Join(err, wrong)
	case "double":
		digits, err := read[string](content)
		x, wrong := strconv.ParseFloat(digits, 64)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_DoubleValue{DoubleValue: x}}, errors.Join(err, wrong)
	case "string":
		s, err := read[string](content)
		return text(s), err
	case "string_repeat":
		r, err := read[struct {
			Text  string
			Count int
		}](content)
		return text(strings.Repeat(r.Text, r.Count)), err
	case "bytes":
		b, err := read[[]byte](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_BytesValue{BytesValue: b}}, err
	case "bytes_repeat":
		r, err := read[struct {
			Byte  byte
			Count int
		}](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_BytesValue{BytesValue: bytes.Repeat([]byte{r.Byte}, r.Count)}}, err
	case "list":
		list, err := read[[]tagged](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_ListValue{ListValue: &dirtyv1.ListValue{Values: untagList(list)}}}, err
	case "map":
		mapping, err := read[map[string]tagged](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_MapValue{MapValue: &dirtyv1.MapValue{Entries: untagMap(mapping)}}}, err
	case "tensor":
		tensor, err := read[*dirtyv1.Tensor](content)
		return &dirtyv1.Value{Kind: &dirtyv1.Value_TensorValue{TensorValue: tensor}}, err
	}
	return nil, errors.New("there is no such tag")
}

func text(s string) *dirtyv1.Value {
	return &dirtyv1.Value{Kind: &dirtyv1.Value_StringValue{StringValue: s}}
}

func read[T any](content []byte) (T, error) {
	var value T
	err := json.Unmarshal(content, &value)
	return value, err
}

func untagList(list []tagged) []*dirtyv1.Value {
	values := make([]*dirtyv1.Value, len(list))
	for i, item := range list {
		values[i] = item.value
	}
	return values
}

func untagMap(mapping map[string]tagged) map[string]*dirtyv1.Value {
	values := make(map[string]*dirtyv1.Value, len(mapping))
	for key, item := range mapping {
		values[key] = item.value
	}
	return values
}
