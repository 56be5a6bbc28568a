package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	"github.com/dirtyd/dirtyd/clients/go/internal/daemon"
	"google.golang.org/genproto/googleapis/rpc/code"
)

// testCase is a call and what must come of it; see tests/conformance/README.md.
type testCase struct {
	Name        string
	Method      string
	App, Action string
	Args        []tagged
	Kwargs      map[string]tagged
	TimeoutMS   int64 `json:"timeout_ms"`
	CancelAfter int   `json:"cancel_after"`
	Expect      struct {
		Result      *tagged
		Chunks      []tagged
		FirstChunks []tagged `json:"first_chunks"`
		Error       *expectedError
	}
}

type expectedError struct {
	Code, Reason      string
	MessageContains   string `json:"message_contains"`
	RemoteType        string `json:"remote_type"`
	TracebackContains string `json:"traceback_contains"`
	AfterChunks       int    `json:"after_chunks"`
	ClientMayRefuse   bool   `json:"client_may_refuse"`
}

func load(path string) ([]testCase, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := read[struct{ Cases []testCase }](text)
	return file.Cases, err
}

// run makes the call and returns what came of it, and what is not as expected.
func (c *testCase) run(client *dirtyd.Client) (*outcome, error) {
	timeout := daemon.Patience
	if c.TimeoutMS > 0 {
		timeout = time.Duration(c.TimeoutMS) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "dirtyd-go-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	closed := filepath.Join(dir, "closed")

	got, err := c.call(ctx, client, closed)
	return newOutcome(got, err), c.check(got, err, closed)
}

func (c *testCase) check(got []any, err error, closed string) error {
	if c.Expect.Error != nil {
		return c.Expect.Error.check(err, len(got))
	}
	if err != nil {
		return err
	}
	if want := c.wanted(); !equal(want, got) {
		return fmt.Errorf("expected %s, got %s", short(want), short(got))
	}
	if c.CancelAfter > 0 {
		return appears(closed, 2*time.Second)
	}
	return nil
}

// call returns the chunks of a stream, or the result as the only one.
func (c *testCase) call(ctx context.Context, client *dirtyd.Client, closed string) (got []any, err error) {
	args := untagList(c.Args)
	for i, arg := range args {
		if _, ok := arg.(closedFile); ok {
			args[i] = closed
		}
	}
	args = append(args, dirtyd.Kwargs(untagMap(c.Kwargs)))
	if c.Method == "execute" {
		result, err := client.Execute(ctx, c.App, c.Action, args...)
		if err != nil {
			return nil, err
		}
		return []any{result}, nil
	}
	for chunk, err := range client.Stream(ctx, c.App, c.Action, args...) {
		if err != nil {
			return got, err
		}
		if got = append(got, chunk); len(got) == c.CancelAfter {
			break
		}
	}
	return got, nil
}

func (c *testCase) wanted() []any {
	if c.Expect.Result != nil {
		return []any{c.Expect.Result.value}
	}
	return untagList(append(c.Expect.Chunks, c.Expect.FirstChunks...))
}

func (e *expectedError) check(err error, chunks int) error {
	var got *dirtyd.Error
	if !errors.As(err, &got) {
		if err != nil && e.ClientMayRefuse {
			return nil
		}
		return fmt.Errorf("expected %s, got %v", e.Reason, err)
	}
	name, contains := code.Code(got.Code).String(), strings.Contains
	refused := e.ClientMayRefuse && got.Reason == ""
	switch {
	case name != e.Code, !refused && string(got.Reason) != e.Reason:
		return fmt.Errorf("expected %s %s, got %s %w", e.Code, e.Reason, name, got)
	case !refused && !contains(got.Message, e.MessageContains):
		return fmt.Errorf("%q is not in the message: %w", e.MessageContains, got)
	case e.RemoteType != "" && got.RemoteType != e.RemoteType:
		return fmt.Errorf("expected the type %s, got %s", e.RemoteType, got.RemoteType)
	case !contains(got.RemoteTraceback, e.TracebackContains):
		return fmt.Errorf("%q is not in the traceback %s", e.TracebackContains, got.RemoteTraceback)
	case chunks != e.AfterChunks:
		return fmt.Errorf("expected %d chunks before the error, got %d", e.AfterChunks, chunks)
	}
	return nil
}

// appears waits for a file, which only its writer could announce better.
func appears(path string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the generator did not end within %s", limit)
		}
	}
}
