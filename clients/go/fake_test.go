package dirtyd_test

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	dirtyd "github.com/dirtyd/dirtyd/clients/go"
	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// fake is an arbiter whose answers a test writes.
type fake struct {
	dirtyv1.UnimplementedArbiterServer
	execute func(context.Context, *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error)
	stream  func(*dirtyv1.ExecuteRequest, grpc.ServerStreamingServer[dirtyv1.ExecuteStreamResponse]) error
}

func (f fake) Execute(ctx context.Context, request *dirtyv1.ExecuteRequest) (*dirtyv1.ExecuteResponse, error) {
	return f.execute(ctx, request)
}

func (f fake) ExecuteStream(request *dirtyv1.ExecuteRequest, stream grpc.ServerStreamingServer[dirtyv1.ExecuteStreamResponse]) error {
	return f.stream(request, stream)
}

// counting is a listener that knows how many connections it has accepted.
type counting struct {
	net.Listener
	accepted atomic.Int32
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// serve runs the fake until the test ends, or until the server is stopped.
func (f fake) serve(t *testing.T, socket string) *grpc.Server {
	t.Helper()
	server, _ := f.serveCounting(t, socket)
	return server
}

func (f fake) serveCounting(t *testing.T, socket string) (*grpc.Server, *counting) {
	t.Helper()
	inner, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	listener, server := &counting{Listener: inner}, grpc.NewServer()
	dirtyv1.RegisterArbiterServer(server, f)
	go func() { _ = server.Serve(listener) }() // It ends with the test.
	t.Cleanup(server.Stop)
	return server, listener
}

// dial returns a client with a limit to all that it does.
func dial(t *testing.T, socket string, options ...dirtyd.Option) *dirtyd.Client {
	t.Helper()
	client, err := dirtyd.New(socket, append(options, dirtyd.WithTimeout(30*time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // A test may have closed it.
	return client
}

func socketIn(t *testing.T) string { return filepath.Join(t.TempDir(), "d.sock") }

// refusal is an error as the arbiter sends it.
func refusal(t *testing.T, code codes.Code, reason dirtyd.Reason, after time.Duration) error {
	t.Helper()
	s, err := status.New(code, "not now").WithDetails(
		&errdetails.ErrorInfo{Domain: "dirty.v1", Reason: string(reason)},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(after)},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func integer(n int64) *dirtyv1.Value {
	return &dirtyv1.Value{Kind: &dirtyv1.Value_IntValue{IntValue: n}}
}
