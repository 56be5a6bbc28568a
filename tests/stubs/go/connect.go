package main

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"

	"connectrpc.com/connect"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	dirtyv1 "stub/gen/dirty/v1"
	"stub/gen/dirty/v1/dirtyv1connect"
)

// overConnect is what protoc-gen-connect-go generates, with an HTTP client of the standard library that knows the
// socket.
type overConnect struct{ client dirtyv1connect.ArbiterClient }

func newConnect(socket string, options ...connect.ClientOption) caller {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	return overConnect{dirtyv1connect.NewArbiterClient(client, "http://dirtyd", options...)}
}

func (c overConnect) execute(ctx context.Context, request *dirtyv1.ExecuteRequest) (*dirtyv1.Value, error) {
	response, err := c.client.Execute(ctx, request)
	return response.GetResult(), err
}

func (c overConnect) stream(ctx context.Context, request *dirtyv1.ExecuteRequest) iter.Seq2[*dirtyv1.Value, error] {
	return func(yield func(*dirtyv1.Value, error) bool) {
		stream, err := c.client.ExecuteStream(ctx, request)
		if err != nil {
			yield(nil, err)
			return
		}
		defer stream.Close()
		for stream.Receive() {
			if !yield(stream.Msg().Chunk, nil) {
				return
			}
		}
		if err := stream.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// status is the error as gRPC has it: the codes and the details are the same.
func (overConnect) status(err error) *status.Status {
	failed := &connect.Error{}
	if !errors.As(err, &failed) {
		return status.Convert(err)
	}
	same := &statuspb.Status{Code: int32(failed.Code()), Message: failed.Message()}
	for _, detail := range failed.Details() {
		same.Details = append(same.Details, &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type(), Value: detail.Bytes()})
	}
	if codes.Code(same.Code) == codes.OK {
		return status.Convert(err)
	}
	return status.FromProto(same)
}
