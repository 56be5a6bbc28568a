package dirtyd

import (
	"context"
	"math/rand/v2"
	"time"

	dirtyv1 "github.com/dirtyd/dirtyd/clients/go/internal/gen/dirty/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

const (
	firstDelay = 50 * time.Millisecond
	maxDelay   = 2 * time.Second
)

// attempt makes a call, and makes it again as far as the settings and ctx allow.
func attempt[T any](ctx context.Context, c *Client, request *dirtyv1.ExecuteRequest, call func(grpc.CallOption) (T, error)) (T, error) {
	for made := 0; ; made++ {
		var server peer.Peer
		result, err := call(grpc.Peer(&server))
		if err == nil {
			return result, nil
		}
		// gRPC names the peer of each call that it gave to a connection. Without one nothing was sent.
		failure := c.newError(err, request, server.Addr != nil)
		if made >= c.settings.retries || !failure.unstarted || !pause(ctx, delay(made, failure.RetryAfter)) {
			return result, failure
		}
	}
}

// delay is the time to wait after a number of repetitions: what the arbiter asked for,
// or exponentially more; spread, so that callers do not come back together.
func delay(made int, asked time.Duration) time.Duration {
	base := min(firstDelay<<min(made, 10), maxDelay)
	return max(asked, base/2) + rand.N(base/2)
}

// pause reports whether it could wait for the time without reaching the end of ctx.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
