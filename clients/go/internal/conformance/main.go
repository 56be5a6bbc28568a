// Conformance runs the shared cases of tests/conformance through the client,
// against the daemon at $DIRTYD_SOCKET or one that it starts ($DIRTYD_BIN). It
// prints a line per case and exits with 1 if one fails.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"github.com/dirtyd/dirtyd/clients/go/internal/daemon"
)

func main() {
	failed, err := serveAndRun(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "failed to run the conformance cases:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// serveAndRun returns how many cases failed.
func serveAndRun(report io.Writer) (failed int, err error) {
	if socket := os.Getenv("DIRTYD_SOCKET"); socket != "" {
		return run(socket, report)
	}
	dir, err := os.MkdirTemp("", "dirtyd-go-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "dirtyd.toml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return 0, err
	}
	d, err := daemon.Start(daemon.Path("tests/conformance"), "conformance:Conformance", "--config", config)
	if err != nil {
		return 0, err
	}
	if failed, err = run(d.Socket, report); err != nil {
		return failed, err
	}
	return failed, d.Stop()
}

// settings are those that tests/conformance/README.md asks for.
const settings = `
workers = 1
max_queue = 4
max_message_size = "8MiB"
[[app]]
path = "conformance:Conformance"
`

func run(socket string, report io.Writer) (failed int, err error) {
	cases, err := load(daemon.Path("tests/conformance/cases.json"))
	if err != nil {
		return 0, err
	}
	client, err := dirtyd.New(socket)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	record, err := newRecord("go")
	if err != nil {
		return 0, err
	}
	defer record.Close()
	for _, c := range cases {
		outcome, err := c.run(client)
		if err != nil {
			failed++
			fmt.Fprintf(report, "FAIL %s: %v\n", c.Name, err)
		} else {
			fmt.Fprintf(report, "PASS %s\n", c.Name)
		}
		if err := record.write(c.Name, outcome, err); err != nil {
			return failed, err
		}
	}
	fmt.Fprintf(report, "%d passed, %d failed, 0 skipped\n", len(cases)-failed, failed)
	return failed, nil
}
