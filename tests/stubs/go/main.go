// Stub runs the conformance cases of tests/conformance with nothing but what
// protoc-gen-go and protoc-gen-go-grpc generate from proto/, and a connection
// without options. It prints a line per case and exits with 1 if one fails.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

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

	report, err := newReport("stock-go")
	if err != nil {
		log.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range cases {
		verdict, why := "PASS", ""
		switch skip, err := c.run(arbiter); {
		case err != nil:
			verdict, why = "FAIL", err.Error()
		case skip != "":
			verdict, why = "SKIP", skip
		}
		count[verdict]++
		fmt.Println(strings.TrimSuffix(verdict+" "+c.Name+": "+why, ": "))
		if err := report.Encode(map[string]string{"case": c.Name, "verdict": verdict, "why": why}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", count["PASS"], count["FAIL"], count["SKIP"])
	if count["FAIL"] > 0 {
		os.Exit(1)
	}
}

// newReport opens what tests/conformance/README.md describes; without a folder
// it goes nowhere.
func newReport(client string) (*json.Encoder, error) {
	path := os.DevNull
	if folder := os.Getenv("DIRTYD_CONFORMANCE_REPORT"); folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
		path = filepath.Join(folder, client+".jsonl")
	}
	file, err := os.Create(path)
	return json.NewEncoder(file), err
}
