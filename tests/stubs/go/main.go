// Stub runs the conformance cases of tests/conformance with nothing but what
// protoc-gen-go and protoc-gen-go-grpc generate from proto/, and a connection
// without options. It prints a line per case and exits with 1 if one fails.
package main

import (
	"fmt"
	"log"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	dirtyv1 "stub/gen/dirty/v1"
)

func main() {
	cases, err := load("../../conformance/cases.json")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient("unix:"+os.Getenv("DIRTYD_SOCKET"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	arbiter := dirtyv1.NewArbiterClient(conn)

	var passed, failed, skipped int
	for _, c := range cases {
		switch verdict, err := c.run(arbiter); {
		case err != nil:
			failed++
			fmt.Printf("FAIL %s: %v\n", c.Name, err)
		case verdict != "":
			skipped++
			fmt.Printf("SKIP %s: %s\n", c.Name, verdict)
		default:
			passed++
			fmt.Printf("PASS %s\n", c.Name)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		os.Exit(1)
	}
}
