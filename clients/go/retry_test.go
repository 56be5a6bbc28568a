package dirtyd_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refuseFirst fails the first calls of either method; it counts all.
func refuseFirst(calls *atomic.Int64, times int64, err error) fake {
	return fake{
		execute: func(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
			if calls.Add(1) <= times {
				return nil, err
			}
			return &dirtyv1.ExecuteResponse{Result: integer(1)}, nil
		},
		stream: func(_ *dirtyv1.ExecuteRequest, stream grpc.ServerStreamingServer[dirtyv1.ExecuteStreamResponse]) error {
			if calls.Add(1) <= times {
				return err
			}
			return stream.Send(&dirtyv1.ExecuteStreamResponse{Chunk: integer(1)})
		},
	}
}

// One table for all clients.
func TestWhatIsTriedAgainFollowsTheTable(t *testing.T) {
	text, err := os.ReadFile("../../tests/conformance/retries.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Failures []struct {
			Code    codes.Code
			Reason  dirtyd.Reason
			Retried bool
		}
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Failures {
		t.Run(row.Code.String()+" "+string(row.Reason), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			socket, failure := socketIn(t), refusal(t, row.Code, row.Reason, time.Millisecond)
			if row.Reason == "" {
				failure = status.Error(row.Code, "who knows")
			}
			refuseFirst(&calls, 1, failure).serve(t, socket)
			_, err := dial(t, socket, dirtyd.WithRetries(5)).Execute(t.Context(), "a:A", "b")
			if retried := err == nil && calls.Load() == 2; retried != row.Retried || !retried && calls.Load() != 1 {
				t.Fatal(err, calls.Load())
			}
		})
	}
}

func TestAStreamIsTriedAgainBeforeItsFirstChunk(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	socket := socketIn(t)
	refuseFirst(&calls, 2, refusal(t, codes.ResourceExhausted, dirtyd.ErrQueueFull, time.Millisecond)).serve(t, socket)
	for chunk, err := range dial(t, socket, dirtyd.WithRetries(2)).Stream(t.Context(), "a:A", "b") {
		if chunk != int64(1) {
			t.Fatal(chunk, err)
		}
	}
	if calls.Load() != 3 {
		t.Fatal(calls.Load())
	}
}

func TestAStreamIsNotTriedAgainAfterItsFirstChunk(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	socket, refused := socketIn(t), refusal(t, codes.Unavailable, dirtyd.ErrDraining, time.Millisecond)
	fake{stream: func(_ *dirtyv1.ExecuteRequest, stream grpc.ServerStreamingServer[dirtyv1.ExecuteStreamResponse]) error {
		calls.Add(1)
		if err := stream.Send(&dirtyv1.ExecuteStreamResponse{Chunk: integer(1)}); err != nil {
			return err
		}
		return refused
	}}.serve(t, socket)
	var last error
	for _, err := range dial(t, socket, dirtyd.WithRetries(2)).Stream(t.Context(), "a:A", "b") {
		last = err
	}
	if !errors.Is(last, dirtyd.ErrDraining) || calls.Load() != 1 {
		t.Fatal(last, calls.Load())
	}
}

func TestAConnectionThatBreaksDuringTheCallIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var calls atomic.Int64
	server := grpc.NewServer()
	dirtyv1.RegisterArbiterServer(server, fake{execute: func(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		calls.Add(1)
		go server.Stop() // breaks the connection under the call, which ends its context
		<-t.Context().Done()
		return nil, nil
	}})
	go func() { _ = server.Serve(listener) }() // The call ends it.
	_, err = dial(t, socket, dirtyd.WithRetries(99)).Execute(t.Context(), "a:A", "b")
	if !errors.Is(err, dirtyd.ErrConnection) || calls.Load() != 1 {
		t.Fatal(err, calls.Load())
	}
}

func TestADaemonThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	_, err := dial(t, socket).Execute(t.Context(), "a:A", "b")
	var failure *dirtyd.Error
	if !errors.Is(err, dirtyd.ErrConnection) || !errors.As(err, &failure) || failure.Code != codes.Unavailable {
		t.Fatal(err)
	}
	t.Log(err)
}

func TestADaemonThatComesLateIsFound(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	client := dial(t, socket, dirtyd.WithRetries(999))
	if _, err := client.With(dirtyd.WithRetries(0)).Execute(t.Context(), "a:A", "b"); !errors.Is(err, dirtyd.ErrConnection) {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() {
		_, err := client.Execute(t.Context(), "a:A", "b")
		answer <- err
	}()
	var calls atomic.Int64
	refuseFirst(&calls, 0, nil).serve(t, socket)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
}

func TestARetryThatComesTooLateIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	socket := socketIn(t)
	refuseFirst(&calls, 2, refusal(t, codes.ResourceExhausted, dirtyd.ErrQueueFull, time.Hour)).serve(t, socket)
	_, err := dial(t, socket, dirtyd.WithRetries(2)).Execute(t.Context(), "a:A", "b")
	var failure *dirtyd.Error
	if !errors.As(err, &failure) || failure.RetryAfter != time.Hour || calls.Load() != 1 {
		t.Fatal(err, calls.Load())
	}
}

func TestWithoutRetryACallIsMadeOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	socket := socketIn(t)
	refuseFirst(&calls, 2, refusal(t, codes.ResourceExhausted, dirtyd.ErrQueueFull, 0)).serve(t, socket)
	_, err := dial(t, socket).Execute(t.Context(), "a:A", "b")
	if !errors.Is(err, dirtyd.ErrQueueFull) || calls.Load() != 1 {
		t.Fatal(err, calls.Load())
	}
}
