package dirtyd

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
)

// Tensor is an n-dimensional array of numbers; a numpy array in Python.
type Tensor struct {
	// DType is the type of an element, as numpy and Go name it: "bool", "int8"
	// to "int64", "uint8" to "uint64", "float32", "float64", "complex64",
	// "complex128", or "float16".
	DType string
	// Shape has the length of each dimension, outermost first; a scalar has
	// none.
	Shape []int
	// Data has the elements, little-endian, the last dimension varying fastest.
	Data []byte
}

// Element is a type that the elements of a tensor can have in Go.
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

var elementSizes = map[string]int{
	"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
	"float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
}

// NewTensor makes a tensor of a copy of the elements. Without a shape it has
// one dimension. Whether shape and elements agree is found out when it is sent.
func NewTensor[T Element](elements []T, shape ...int) Tensor {
	if len(shape) == 0 {
		shape = []int{len(elements)}
	}
	data := make([]byte, 0, binary.Size(elements))
	data, err := binary.Append(data, binary.LittleEndian, elements)
	if err != nil {
		panic(err) // Every Element is of fixed size, which is all that is asked for.
	}
	return Tensor{DType: reflect.TypeFor[T]().Name(), Shape: slices.Clone(shape), Data: data}
}

// Elements returns a copy of the elements of a tensor whose DType is T.
func Elements[T Element](t Tensor) ([]T, error) {
	if want := reflect.TypeFor[T]().Name(); t.DType != want {
		return nil, fmt.Errorf("dirtyd: the elements of the tensor are %s, not %s", t.DType, want)
	}
	if err := t.check(); err != nil {
		return nil, err.within("%s", "tensor")
	}
	elements := make([]T, len(t.Data)/elementSizes[t.DType])
	_, err := binary.Decode(t.Data, binary.LittleEndian, elements)
	return elements, err
}

func (t Tensor) check() *ValueError {
	size, known := elementSizes[t.DType]
	if !known {
		return refuse("a tensor cannot have the dtype %q", t.DType)
	}
	for _, length := range t.Shape {
		if length < 0 {
			return refuse("a tensor cannot have the shape %v", t.Shape)
		}
		size *= length
	}
	if size != len(t.Data) {
		return refuse("a tensor of %s with shape %v takes %d bytes, not %d", t.DType, t.Shape, size, len(t.Data))
	}
	return nil
}

func encodeTensor(t Tensor) (*dirtyv1.Value, *ValueError) {
	if err := t.check(); err != nil {
		return nil, err
	}
	tensor := &dirtyv1.Tensor{Dtype: t.DType, Shape: make([]int64, len(t.Shape)), Data: t.Data}
	for i, length := range t.Shape {
		tensor.Shape[i] = int64(length)
	}
	return &dirtyv1.Value{Kind: &dirtyv1.Value_TensorValue{TensorValue: tensor}}, nil
}

func decodeTensor(tensor *dirtyv1.Tensor) (any, *ValueError) {
	t := Tensor{DType: tensor.GetDtype(), Shape: make([]int, len(tensor.GetShape())), Data: tensor.GetData()}
	for i, length := range tensor.GetShape() {
		t.Shape[i] = int(length)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}
