// Stub runs the conformance cases of tests/conformance with nothing but what
// stock generators make of proto/, and a connection without options: over gRPC,
// Connect or gRPC-Web, as its argument says. It prints a line per case and exits
// with 1 if one fails.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
)

func main() {
	cases, err := load("../../conformance/cases.json")
	if err != nil {
		log.Fatal(err)
	}
	name, arbiter, err := choose(os.Args[1:], os.Getenv("DIRTYD_SOCKET"))
	if err != nil {
		log.Fatal(err)
	}
	report, err := newReport(name)
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

// choose returns the stub of a protocol, and what its report is called.
func choose(arguments []string, socket string) (string, caller, error) {
	switch strings.Join(arguments, " ") {
	case "grpc":
		stub, err := newGRPC(socket)
		return "stock-go", stub, err
	case "connect":
		return "connect-go", newConnect(socket), nil
	case "connect-json":
		return "connect-go-json", newConnect(socket, connect.WithProtoJSON()), nil
	case "grpc-web":
		return "connect-go-grpc-web", newConnect(socket, connect.WithGRPCWeb()), nil
	}
	return "", nil, fmt.Errorf("usage: %s grpc|connect|connect-json|grpc-web", os.Args[0])
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
