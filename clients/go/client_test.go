package dirtyd_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestTheSocketIsFound(t *testing.T) {
	for _, c := range []struct{ explicit, environment, runtime, want string }{
		{"/a/b.sock", "/c/d.sock", "/run/user/1", "/a/b.sock"},
		{"", "/c/d.sock", "/run/user/1", "/c/d.sock"},
		{"", "", "/run/user/1", "/run/user/1/dirtyd/dirtyd.sock"},
	} {
		t.Setenv("DIRTYD_SOCKET", c.environment)
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		if got := dial(t, c.explicit).Socket(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	t.Chdir(t.TempDir())
	if got := dial(t, "d.sock").Socket(); !filepath.IsAbs(got) {
		t.Error(got)
	}
}

func TestViewsOfOneClientDoNotShareMetadata(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	fake{execute: func(ctx context.Context, _ *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		sent, _ := metadata.FromIncomingContext(ctx)
		return &dirtyv1.ExecuteResponse{Result: integer(int64(len(sent["common"])*100 + len(sent["a"])*10 + len(sent["b"])))}, nil
	}}.serve(t, socket)
	// With three entries the slice behind them has room for one more.
	common := dirtyd.WithMetadata("common", "x")
	client := dial(t, socket, common, common, common)
	a, b := client.With(dirtyd.WithMetadata("a", "x")), client.With(dirtyd.WithMetadata("b", "x"))
	for client, want := range map[*dirtyd.Client]int64{client: 300, a: 310, b: 301} {
		if got, err := client.Execute(t.Context(), "a:A", "b"); got != want {
			t.Error(got, want, err)
		}
	}
}

func TestGoroutinesAndViewsShareOneConnection(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	// All calls are under way before the first is answered.
	const callers = 50
	var all sync.WaitGroup
	all.Add(callers)
	_, listener := fake{execute: func(_ context.Context, request *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		all.Done()
		all.Wait()
		return &dirtyv1.ExecuteResponse{Result: request.Args[0]}, nil
	}}.serveCounting(t, socket)
	client := dial(t, socket)
	var answered sync.WaitGroup
	for n := range int64(callers) {
		answered.Go(func() {
			view := client.With(dirtyd.WithMetadata("caller", strconv.FormatInt(n, 10)))
			if got, err := view.Execute(t.Context(), "a:A", "b", n); got != n {
				t.Error(n, got, err)
			}
		})
	}
	answered.Wait()
	if got := listener.accepted.Load(); got != 1 {
		t.Error("connections:", got)
	}
}

func TestAStreamOverABrokenConnectionSaysSo(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	server := fake{stream: func(_ *dirtyv1.ExecuteRequest, stream grpc.ServerStreamingServer[dirtyv1.ExecuteStreamResponse]) error {
		if err := stream.Send(&dirtyv1.ExecuteStreamResponse{Chunk: integer(1)}); err != nil {
			return err
		}
		<-stream.Context().Done()
		return nil
	}}.serve(t, socket)
	var last error
	for _, err := range dial(t, socket).Stream(t.Context(), "a:A", "b") {
		if last = err; err == nil {
			go server.Stop()
		}
	}
	if !errors.Is(last, dirtyd.ErrConnection) || !strings.Contains(last.Error(), "broke during the call") {
		t.Fatal(last)
	}
}

func TestAReasonOfAnotherDomainIsNotTheArbiters(t *testing.T) {
	t.Parallel()
	socket := socketIn(t)
	foreign, err := status.New(codes.Internal, "other").WithDetails(&errdetails.ErrorInfo{Domain: "example.com", Reason: "QUEUE_FULL"})
	if err != nil {
		t.Fatal(err)
	}
	fake{execute: func(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		return nil, foreign.Err()
	}}.serve(t, socket)
	if _, err := dial(t, socket).Execute(t.Context(), "a:A", "b"); errors.Is(err, dirtyd.ErrQueueFull) || status.Code(err) != codes.Internal {
		t.Fatal(err)
	}
}

// silent says on `began` that a call began, and answers never.
func silent(t *testing.T) (client *dirtyd.Client, began <-chan struct{}) {
	t.Helper()
	socket, calls := socketIn(t), make(chan struct{}, 1)
	fake{execute: func(ctx context.Context, _ *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
		calls <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}.serve(t, socket)
	return dial(t, socket), calls
}

func TestCancellingTheContextEndsTheCall(t *testing.T) {
	t.Parallel()
	client, began := silent(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-began
		cancel()
	}()
	if _, err := client.Execute(ctx, "a:A", "b"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestTheTimeoutOfTheClientBoundsACall(t *testing.T) {
	t.Parallel()
	client, _ := silent(t)
	_, err := client.With(dirtyd.WithTimeout(50*time.Millisecond)).Execute(t.Context(), "a:A", "b")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestClosingEndsCallsAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	client, began := silent(t)
	go func() {
		<-began
		_ = client.Close() // The error of the call says whether it did.
	}()
	for range 2 {
		_, err := client.Execute(t.Context(), "a:A", "b")
		if !errors.Is(err, dirtyd.ErrConnection) || errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}
