// Cancel shows that leaving a stream closes its generator, and that the end of
// a context cancels a coroutine.
//
// Run the daemon beside it, in samples: dirtyd serve --app apps:Endless
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

const app = "apps:Endless"

func main() {
	client, err := dirtyd.New("", dirtyd.WithTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	for number, err := range client.Stream(ctx, app, "count") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("number", number)
		if number == int64(2) {
			break
		}
	}
	// The one worker is free for this call once the generator has ended.
	fmt.Println(client.Execute(ctx, app, "how_many_closed"))

	impatient, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = client.Execute(impatient, app, "ponder")
	fmt.Println("gave up:", errors.Is(err, context.DeadlineExceeded))
	fmt.Println(client.Execute(ctx, app, "how_many_closed"))
}
