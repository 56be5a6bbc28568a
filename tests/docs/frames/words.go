package main

import (
	"context"
	"fmt"
	"log"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
)

func tell(ctx context.Context) error {
	// SNIPPETS
	return nil
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
