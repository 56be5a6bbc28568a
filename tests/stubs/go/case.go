package main

import (
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	dirtyv1 "stub/gen/dirty/v1"
)

const patience = time.Minute

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

// caller is a generated stub.
type caller interface {
	execute(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.Value, error)
	// stream yields the chunks, and an error as the last; who leaves the loop leaves the stream.
	stream(context.Context, *dirtyv1.ExecuteRequest) iter.Seq2[*dirtyv1.Value, error]
	// status is what gRPC has for an error of its own.
	status(error) *status.Status
}

// run makes the call. It returns why the case is beyond a connection without
// options, or what is not as expected.
func (c *testCase) run(arbiter caller) (skip string, err error) {
	timeout := patience
	if c.TimeoutMS > 0 {
		timeout = time.Duration(c.TimeoutMS) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "dirtyd-stub-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	closed := filepath.Join(dir, "closed")

	got, err := c.call(ctx, arbiter, closed)
	if c.Expect.Error != nil {
		return "", c.Expect.Error.check(arbiter.status(err), len(got))
	}
	if err != nil {
		return tooLarge(arbiter.status(err))
	}
	if want := c.wanted(); !slices.EqualFunc(want, got, equal) {
		return "", fmt.Errorf("expected %.200s, got %.200s", fmt.Sprint(want), fmt.Sprint(got))
	}
	if c.CancelAfter > 0 {
		cancel()
		return "", appears(closed, 2*time.Second)
	}
	return "", nil
}

// call returns the chunks of a stream, or the result as the only one.
func (c *testCase) call(ctx context.Context, arbiter caller, closed string) (got []*dirtyv1.Value, err error) {
	request := &dirtyv1.ExecuteRequest{App: c.App, Action: c.Action, Args: untagList(c.Args), Kwargs: untagMap(c.Kwargs)}
	for i, arg := range c.Args {
		if arg.closedFile {
			request.Args[i] = text(closed)
		}
	}
	if c.Method == "execute" {
		result, err := arbiter.execute(ctx, request)
		if err != nil {
			return nil, err
		}
		return []*dirtyv1.Value{result}, nil
	}
	for chunk, err := range arbiter.stream(ctx, request) {
		if err != nil {
			return got, err
		}
		if got = append(got, chunk); len(got) == c.CancelAfter {
			break
		}
	}
	return got, nil
}

// tooLarge tells limits that a connection without options has, and that the case passes, from other errors.
func tooLarge(failed *status.Status) (skip string, err error) {
	says := func(words string) bool {
		return failed.Code() == codes.ResourceExhausted && strings.Contains(failed.Message(), words)
	}
	switch {
	case says("received message larger than max"):
		return "grpc-go refuses messages above 4 MiB by itself; grpc.MaxCallRecvMsgSize raises that", nil
	case says("the limit of protobuf's JSON"):
		return "dirtyd reads and writes at most 1 MiB of protobuf's JSON", nil
	}
	return "", failed.Err()
}

func (c *testCase) wanted() []*dirtyv1.Value {
	if c.Expect.Result != nil {
		return []*dirtyv1.Value{c.Expect.Result.value}
	}
	return untagList(append(c.Expect.Chunks, c.Expect.FirstChunks...))
}

func (e *expectedError) check(got *status.Status, chunks int) error {
	info, traceback := &errdetails.ErrorInfo{}, ""
	for _, detail := range got.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.DebugInfo:
			traceback = strings.Join(detail.StackEntries, "\n")
		}
	}
	name, contains := code.Code(got.Code()).String(), strings.Contains
	local := e.ClientMayRefuse && info.Reason == ""
	switch {
	case name != e.Code, !local && info.Reason != e.Reason:
		return fmt.Errorf("expected %s %s, got %s %s: %s", e.Code, e.Reason, name, info.Reason, got.Message())
	case !local && !contains(got.Message(), e.MessageContains):
		return fmt.Errorf("%q is not in the message %q", e.MessageContains, got.Message())
	case e.RemoteType != "" && info.Metadata["exception_type"] != e.RemoteType:
		return fmt.Errorf("expected the type %s, got %s", e.RemoteType, info.Metadata["exception_type"])
	case !contains(traceback, e.TracebackContains):
		return fmt.Errorf("%q is not in the traceback %s", e.TracebackContains, traceback)
	case chunks != e.AfterChunks:
		return fmt.Errorf("expected %d chunks before the error, got %d", e.AfterChunks, chunks)
	}
	return nil
}

// equal compares a double by its bits, and any NaN with any other.
func equal(a, b *dirtyv1.Value) bool {
	x, y := a.GetDoubleValue(), b.GetDoubleValue()
	return proto.Equal(a, b) && math.Signbit(x) == math.Signbit(y)
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
