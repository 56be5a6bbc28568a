package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

// tagged is a value as the cases write it: an object with the one key that
// names its kind.
type tagged struct{ value any }

type tensor struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Data  []byte `json:"data"`
}

// closedFile stands for a path that each run of a case chooses.
type closedFile struct{}

func (t *tagged) UnmarshalJSON(text []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	for tag, content := range object {
		value, err := untag(tag, content)
		if err != nil {
			return fmt.Errorf("%s %s: %w", tag, content, err)
		}
		t.value = value
	}
	return nil
}

func untag(tag string, content []byte) (any, error) {
	switch tag {
	case "null":
		return nil, nil
	case "closed_file":
		return closedFile{}, nil
	case "bool":
		return read[bool](content)
	case "string":
		return read[string](content)
	case "bytes":
		return read[[]byte](content)
	case "int":
		digits, err := read[string](content)
		if err != nil {
			return nil, err
		}
		return strconv.ParseInt(digits, 10, 64)
	case "double":
		digits, err := read[string](content)
		if err != nil {
			return nil, err
		}
		return strconv.ParseFloat(digits, 64)
	case "list":
		list, err := read[[]tagged](content)
		return untagList(list), err
	case "map":
		mapping, err := read[map[string]tagged](content)
		return untagMap(mapping), err
	case "tensor":
		t, err := read[tensor](content)
		return dirtyd.Tensor(t), err
	case "string_repeat":
		r, err := read[struct {
			Text  string
			Count int
		}](content)
		return strings.Repeat(r.Text, r.Count), err
	case "bytes_repeat":
		r, err := read[struct {
			Byte  byte
			Count int
		}](content)
		return bytes.Repeat([]byte{r.Byte}, r.Count), err
	}
	return nil, fmt.Errorf("there is no such tag")
}

func read[T any](text []byte) (T, error) {
	var value T
	err := json.Unmarshal(text, &value)
	return value, err
}

func untagList(list []tagged) []any {
	values := make([]any, len(list))
	for i, item := range list {
		values[i] = item.value
	}
	return values
}

func untagMap(mapping map[string]tagged) map[string]any {
	values := make(map[string]any, len(mapping))
	for key, item := range mapping {
		values[key] = item.value
	}
	return values
}

// equal compares doubles by their bits, and any NaN with any other.
func equal(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || a != a && b != b)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case dirtyd.Tensor:
		b, ok := b.(dirtyd.Tensor)
		return ok && a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, item := range a {
			if other, found := b[key]; !found || !equal(item, other) {
				return false
			}
		}
		return true
	}
	return a == b
}

// short keeps a report readable.
func short(value any) string {
	text := fmt.Sprintf("%T %v", value, value)
	return text[:min(len(text), 200)]
}
