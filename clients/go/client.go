package dirtyd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path/filepath"
	"time"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Client calls actions over one connection, which it makes at the first call
// and anew whenever it was lost. It is safe for concurrent use.
type Client struct {
	conn     *grpc.ClientConn
	arbiter  dirtyv1.ArbiterClient
	socket   string
	settings settings
}

// New returns a client of the dirtyd that listens at socket. If socket is
// empty, it is [DefaultSocket].
func New(socket string, options ...Option) (*Client, error) {
	if socket == "" {
		socket = DefaultSocket()
	}
	socket, err := filepath.Abs(socket)
	if err != nil {
		return nil, fmt.Errorf("dirtyd: failed to make the socket's path absolute: %w", err)
	}
	conn, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		// gRPC may send again what no server has seen; a call must not run twice behind the caller's back.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		// A restarted arbiter is found again quickly.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			// While the arbiter is restarted, connections wait in the backlog of its socket.
			MinConnectTimeout: 20 * time.Second,
		}),
		// The arbiter has the limit, and says it better.
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	)
	if err != nil {
		return nil, fmt.Errorf("dirtyd: failed to prepare a connection to %s: %w", socket, err)
	}
	client := &Client{conn: conn, arbiter: dirtyv1.NewArbiterClient(conn), socket: socket}
	return client.With(options...), nil
}

// With returns a view of the client with further options. It is cheap and
// shares the connection; closing either closes both.
func (c *Client) With(options ...Option) *Client {
	view := *c
	for _, option := range options {
		option(&view.settings)
	}
	return &view
}

// Socket returns the path of the arbiter's socket.
func (c *Client) Socket() string { return c.socket }

// Close ends the connection, and the calls on it.
func (c *Client) Close() error { return c.conn.Close() }

// Execute runs an action of an app and returns its result. The last of args
// may be [Kwargs]. When ctx ends, so does the action, as far as it cooperates. At
// the deadline of ctx the arbiter ends the call; without its word the call fails a
// second later, with [ErrNoAnswer].
func (c *Client) Execute(ctx context.Context, app, action string, args ...any) (any, error) {
	request, err := newRequest(app, action, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.begin(ctx)
	defer cancel()
	response, err := attempt(ctx, c, request, func(option grpc.CallOption) (*dirtyv1.ExecuteResponse, error) {
		return c.arbiter.Execute(ctx, request, option)
	})
	if err != nil {
		return nil, err
	}
	return decodeAs("result", response.GetResult())
}

// Stream runs an action of an app and yields its chunks as they come; an error
// comes last. Leaving the loop ends the action. Each range over the sequence
// is a call of its own, with the arguments as they were.
func (c *Client) Stream(ctx context.Context, app, action string, args ...any) iter.Seq2[any, error] {
	request, err := newRequest(app, action, args)
	return func(yield func(any, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := c.begin(ctx)
		defer cancel()
		stream, err := c.open(ctx, request)
		for err == nil {
			var chunk any
			if chunk, err = stream.next(); err == nil && !yield(chunk, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

// begin bounds a call by the client's timeout, and gives it the client's metadata.
func (c *Client) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	return bound(metadata.AppendToOutgoingContext(ctx, c.settings.metadata...), c.settings.timeout)
}
