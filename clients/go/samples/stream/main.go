// Stream prints chunks as they are produced.
//
// Run the daemon beside it, in samples: dirtyd serve --app apps:Writer
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

func main() {
	client, err := dirtyd.New("", dirtyd.WithTimeout(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	for word, err := range client.Stream(context.Background(), "apps:Writer", "words", "to be or not to be") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(word)
	}
}
