package dirtyd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

func Example() {
	client, err := dirtyd.New("", dirtyd.WithTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	total, err := dirtyd.As[int64](client.Execute(context.Background(), "myapp:Counter", "add", 3))
	fmt.Println(total, err)
}

func ExampleClient_Stream() {
	client, err := dirtyd.New("")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	// Leaving the loop ends the action, and so does the end of the context.
	for token, err := range client.Stream(context.Background(), "myapp:Model", "generate", "Once", dirtyd.Kwargs{"temperature": 0.8}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token)
	}
}

func ExampleError() {
	client, err := dirtyd.New("", dirtyd.WithRetries(2))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	_, err = client.Execute(context.Background(), "myapp:Counter", "add", -1)
	var failure *dirtyd.Error
	switch {
	case errors.Is(err, dirtyd.ErrQueueFull) && errors.As(err, &failure):
		fmt.Println("busy, try again in", failure.RetryAfter)
	case errors.Is(err, dirtyd.ErrApp) && errors.As(err, &failure):
		fmt.Println(failure.RemoteType, failure.Message, failure.RemoteTraceback)
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("too slow")
	}
}

func ExampleNewTensor() {
	matrix := dirtyd.NewTensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	elements, err := dirtyd.Elements[float32](matrix)
	fmt.Println(matrix.DType, matrix.Shape, elements, err)
	// Output: float32 [2 3] [1 2 3 4 5 6] <nil>
}
