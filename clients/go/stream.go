package dirtyd

import (
	"context"
	"errors"
	"io"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/grpc"
)

// stream reads the chunks of one call.
type stream struct {
	call  grpc.ServerStreamingClient[dirtyv1.ExecuteStreamResponse]
	ahead func() (*dirtyv1.ExecuteStreamResponse, error) // what was read already, once
	fail  func(error) error
}

// open starts a streaming call and waits for its first chunk or its end: until
// then the call may not have started, and may be tried again.
func (c *Client) open(ctx context.Context, request *dirtyv1.ExecuteRequest) (*stream, error) {
	return attempt(ctx, c, request, func(option grpc.CallOption) (*stream, error) {
		call, err := c.arbiter.ExecuteStream(ctx, request, option)
		if err != nil {
			return nil, err
		}
		first, err := call.Recv()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return &stream{
			call:  call,
			ahead: func() (*dirtyv1.ExecuteStreamResponse, error) { return first, err },
			fail:  func(err error) error { return c.newError(err, request, true) },
		}, nil
	})
}

// next returns the next chunk, io.EOF at the end of the stream.
func (s *stream) next() (any, error) {
	receive := s.call.Recv
	if s.ahead != nil {
		receive, s.ahead = s.ahead, nil
	}
	response, err := receive()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, s.fail(err)
	}
	return decodeAs("chunk", response.GetChunk())
}
