// Basic makes three calls, of which one fails.
//
// Run the daemon beside it, in samples: dirtyd serve --app apps:Counter
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

const app = "apps:Counter"

func main() {
	client, err := dirtyd.New("", dirtyd.WithTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	total, err := dirtyd.As[int64](client.Execute(ctx, app, "add", 3))
	fmt.Println("total", total, err)
	total, err = dirtyd.As[int64](client.Execute(ctx, app, "add", dirtyd.Kwargs{"n": 4}))
	fmt.Println("total", total, err)

	_, err = client.Execute(ctx, app, "add", -1)
	var failure *dirtyd.Error
	if errors.As(err, &failure) && errors.Is(err, dirtyd.ErrApp) {
		fmt.Println("refused:", failure.Code, failure.RemoteType)
	}
}
