package e2e

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

func TestArgumentsArriveInPlace(t *testing.T) {
	got := execute[map[string]any](t, "arguments", 1, []string{"a"}, dirtyd.Kwargs{"x": map[string]float32{"y": 0.5}})
	want := map[string]any{
		"args":   []any{int64(1), []any{"a"}},
		"kwargs": map[string]any{"x": map[string]any{"y": 0.5}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestTensorsAreArrays(t *testing.T) {
	doubled := execute[dirtyd.Tensor](t, "doubled", dirtyd.NewTensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3))
	got, err := dirtyd.Elements[float32](doubled)
	if err != nil || !reflect.DeepEqual(got, []float32{2, 4, 6, 8, 10, 12}) || !reflect.DeepEqual(doubled.Shape, []int{2, 3}) {
		t.Fatal(got, doubled.Shape, err)
	}
}

func TestEveryElementTypeOfNumpy(t *testing.T) {
	elementsOf(t, []bool{false, true, true, false})
	elementsOf(t, []int8{0, 1, 1, 0})
	elementsOf(t, []int16{0, 1, 1, 0})
	elementsOf(t, []int32{0, 1, 1, 0})
	elementsOf(t, []int64{0, 1, 1, 0})
	elementsOf(t, []uint8{0, 1, 1, 0})
	elementsOf(t, []uint16{0, 1, 1, 0})
	elementsOf(t, []uint32{0, 1, 1, 0})
	elementsOf(t, []uint64{0, 1, 1, 0})
	elementsOf(t, []float32{0, 1, 1, 0})
	elementsOf(t, []float64{0, 1, 1, 0})
	elementsOf(t, []complex64{0, 1, 1, 0})
	elementsOf(t, []complex128{0, 1, 1, 0})
}

// elementsOf asks numpy for the array, and checks that NewTensor makes the same.
func elementsOf[T dirtyd.Element](t *testing.T, want []T) {
	t.Helper()
	tensor := execute[dirtyd.Tensor](t, "array_of", reflect.TypeFor[T]().Name())
	got, err := dirtyd.Elements[T](tensor)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Error(got, err)
	}
	if made := dirtyd.NewTensor(want, 2, 2); !reflect.DeepEqual(made, tensor) {
		t.Errorf("NewTensor makes %v, numpy %v", made, tensor)
	}
}

func TestMetadataReachesTheAction(t *testing.T) {
	bob := client.With(dirtyd.WithMetadata("user", "ann")).With(dirtyd.WithMetadata("user", "bob"), dirtyd.WithMetadata("raw-bin", "\x00\xff"))
	got, err := dirtyd.As[map[string]any](bob.Execute(context.Background(), app, "metadata"))
	if err != nil || got["user"] != "bob" || !reflect.DeepEqual(got["raw-bin"], []byte("\x00\xff")) {
		t.Fatal(got, err)
	}
	if _, leaked := execute[map[string]any](t, "metadata")["user"]; leaked {
		t.Fatal("a view changed its client")
	}
}

func TestManyGoroutinesShareOneClient(t *testing.T) {
	var all sync.WaitGroup
	for n := range int64(200) {
		all.Go(func() {
			got, err := client.Execute(context.Background(), app, "square", n)
			if err != nil || got != n*n {
				t.Error(n, got, err)
			}
		})
	}
	all.Wait()
}

func TestLeavingTheLoopClosesTheGenerator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "closed")
	var want int64
	for number, err := range client.Stream(context.Background(), app, "count", path) {
		if err != nil || number != want {
			t.Fatal(number, err)
		}
		if want++; want == 3 {
			break
		}
	}
	appears(t, path)
}

func TestTheEndOfTheContextEndsAStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "closed")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for number, err := range client.Stream(ctx, app, "count", path) {
		if number == int64(2) {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatal(last)
	}
	appears(t, path)
}

func TestADeadlineCancelsTheAction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cancelled")
	_, err := client.With(dirtyd.WithTimeout(200*time.Millisecond)).Execute(context.Background(), app, "ponder", path)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	appears(t, path)
}

func TestEachRangeIsACallOfItsOwn(t *testing.T) {
	numbers := client.Stream(context.Background(), app, "square", 3)
	for range 2 {
		var got []any
		for number, err := range numbers {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, number)
		}
		if !reflect.DeepEqual(got, []any{int64(9)}) {
			t.Fatal(got)
		}
	}
}
