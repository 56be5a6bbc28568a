package main

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	dirtyv1 "stub/gen/dirty/v1"
)

// overGRPC is what protoc-gen-go-grpc generates.
type overGRPC struct{ client dirtyv1.ArbiterClient }

func newGRPC(socket string) (caller, error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return overGRPC{dirtyv1.NewArbiterClient(conn)}, nil
}

func (g overGRPC) execute(ctx context.Context, request *dirtyv1.ExecuteRequest) (*dirtyv1.Value, error) {
	response, err := g.client.Execute(ctx, request)
	return response.GetResult(), err
}

func (g overGRPC) stream(ctx context.Context, request *dirtyv1.ExecuteRequest) iter.Seq2[*dirtyv1.Value, error] {
	return func(yield func(*dirtyv1.Value, error) bool) {
		stream, err := g.client.ExecuteStream(ctx, request)
		for err == nil {
			var response *dirtyv1.ExecuteStreamResponse
			if response, err = stream.Recv(); err == nil && !yield(response.Chunk, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, err)
		}
	}
}

func (overGRPC) status(err error) *status.Status { return status.Convert(err) }
