package dirtyd_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

// echo answers with its only argument.
func echo(t *testing.T) *dirtyd.Client {
	t.Helper()
	socket := socketIn(t)
	fake{execute: func(_ context.Context, request *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		return &dirtyv1.ExecuteResponse{Result: request.Args[0]}, nil
	}}.serve(t, socket)
	return dial(t, socket)
}

type (
	celsius float32
	word    string
)

func TestValuesOfGoArriveAsWhatTheyAreMadeOf(t *testing.T) {
	t.Parallel()
	client, seven := echo(t), 7
	deep := any("bottom")
	for range 32 {
		deep = []any{deep}
	}
	for _, c := range []struct{ sent, got any }{
		{nil, nil},
		{true, true},
		{7, int64(7)},
		{int8(-7), int64(-7)},
		{uint8(7), int64(7)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{math.MinInt64, int64(math.MinInt64)},
		{float32(0.5), 0.5},
		{celsius(0.5), 0.5},
		{math.Inf(-1), math.Inf(-1)},
		{"grüße\x00", "grüße\x00"},
		{word("a"), "a"},
		{[]byte{0, 255}, []byte{0, 255}},
		{[2]byte{0, 255}, []byte{0, 255}},
		{[]byte(nil), []byte{}},
		{[]int{1, 2}, []any{int64(1), int64(2)}},
		{[2]word{"a", "b"}, []any{"a", "b"}},
		{[]string(nil), []any{}},
		{map[word]int{"a": 1}, map[string]any{"a": int64(1)}},
		{map[string]any(nil), map[string]any{}},
		{&seven, int64(7)},
		{(*int)(nil), nil},
		{[]any{nil, []any{map[string]any{}}}, []any{nil, []any{map[string]any{}}}},
		{deep, deep},
		{dirtyd.NewTensor([]int16{1, -1}), dirtyd.Tensor{DType: "int16", Shape: []int{2}, Data: []byte{1, 0, 255, 255}}},
		{&dirtyd.Tensor{DType: "float16", Shape: []int{}, Data: []byte{0, 60}}, dirtyd.Tensor{DType: "float16", Shape: []int{}, Data: []byte{0, 60}}},
	} {
		got, err := client.Execute(t.Context(), "a:A", "echo", c.sent)
		if err != nil || !reflect.DeepEqual(got, c.got) {
			t.Errorf("%T %v arrives as %T %v: %v", c.sent, c.sent, got, got, err)
		}
	}
}

func TestWhatHasNoFormIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	cycle := map[string]any{}
	cycle["again"] = cycle
	client := dial(t, socketIn(t)) // Nothing is sent: nobody listens there.
	for _, c := range []struct {
		want string
		args []any
	}{
		{`args[0]: 9223372036854775808 does not fit`, []any{uint64(math.MaxInt64) + 1}},
		{`args[1]["rows"][3]: chan int has no form`, []any{1, map[string][]any{"rows": {1, 2, 3, make(chan int)}}}},
		{`args[0]: struct struct {} has no form`, []any{struct{}{}}},
		{`args[0]: complex128 has no form`, []any{1i}},
		{`args[0]: the string is not valid UTF-8`, []any{"\xff"}},
		{`args[0]["\xff"]: the key is not valid UTF-8`, []any{map[string]int{"\xff": 1}}},
		{`args[0]: the keys of a map must be strings, these are int`, []any{map[int]int{}}},
		{`kwargs["f"]: func() has no form`, []any{dirtyd.Kwargs{"f": func() {}}}},
		{`args[0]: Kwargs must be the last argument`, []any{dirtyd.Kwargs{}, 1}},
		{`nested deeper than 32 levels, or in a cycle`, []any{cycle}},
		{`args[0]: a tensor of int64 with shape [3] takes 24 bytes, not 16`, []any{dirtyd.NewTensor([]int64{1, 2}, 3)}},
		{`args[0]: a tensor cannot have the dtype "object"`, []any{dirtyd.Tensor{DType: "object"}}},
		{`args[0]: a tensor cannot have the shape [-1]`, []any{dirtyd.Tensor{DType: "bool", Shape: []int{-1}}}},
	} {
		_, err := client.Execute(t.Context(), "a:A", "b", c.args...)
		var refused *dirtyd.ValueError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %s, got %v", c.want, err)
		}
		for _, err := range client.Stream(t.Context(), "a:A", "b", c.args...) {
			if !errors.As(err, &refused) {
				t.Errorf("expected %s of a stream, got %v", c.want, err)
			}
		}
	}
}

func TestAMalformedResultIsRefused(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	fake{execute: func(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		list := &dirtyv1.ListValue{Values: []*dirtyv1.Value{integer(1), {}}}
		return &dirtyv1.ExecuteResponse{Result: &dirtyv1.Value{Kind: &dirtyv1.Value_ListValue{ListValue: list}}}, nil
	}}.serve(t, socket)
	_, err := dial(t, socket).Execute(t.Context(), "a:A", "b")
	if err == nil || !strings.Contains(err.Error(), "result[1]: malformed value") {
		t.Fatal(err)
	}
}

func TestAsChecksTheType(t *testing.T) {
	t.Parallel()
	if _, err := dirtyd.As[string](int64(1), nil); err == nil || !strings.Contains(err.Error(), "it is int64, not string") {
		t.Error(err)
	}
	cause := errors.New("cause")
	if _, err := dirtyd.As[string](nil, cause); !errors.Is(err, cause) {
		t.Error(err)
	}
	if _, err := dirtyd.Elements[float32](dirtyd.NewTensor([]float64{1})); err == nil {
		t.Error("float64 was taken for float32")
	}
}
